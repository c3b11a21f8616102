"""What else runs on this machine: a look before anything is started."""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

import psutil

from bench.analysis.caveats import SAME_CORE, same_core
from bench.doctor.diagnosis import Check, check, graded
from bench.load.turns import may_go_first
from bench.observe import system
from bench.observe.cores import Core, cores, spent
from bench.observe.hyperthreads import Neighbours, neighbours
from bench.runtime.placement import Placement

SHOWN = 3
WORTH_NAMING = 0.02  # of a core


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """What other programs did in a moment in which we did nothing."""

    busy: Mapping[str, float] = field(default_factory=dict)  # core → share of the time; empty: unknown
    programs: tuple[tuple[str, float], ...] = ()  # "name (pid)" and cores in use, the busiest first


def look_around(seconds: float, shown: int = SHOWN) -> Company:
    """Do nothing for *seconds*; return what others did meanwhile, with at most *shown* programs."""
    programs_before = _programs()
    cores_before, began_s = cores(), time.perf_counter()
    time.sleep(seconds)
    elapsed_s = time.perf_counter() - began_s
    by_core = spent(cores_before, cores())
    used = [
        (f"{name} ({pid})", (now_s - programs_before.get(pid, ("", 0.0))[1]) / elapsed_s)
        for pid, (name, now_s) in _programs().items()
    ]
    greedy = sorted(used, key=itemgetter(1), reverse=True)[:shown]
    return Company(
        busy={name: core.busy_s / elapsed_s for name, core in by_core.items()},
        programs=tuple((name, share) for name, share in greedy if share > WORTH_NAMING),
    )


def _programs() -> dict[int, tuple[str, float]]:
    """Return name and CPU seconds so far of every process but this one."""
    processes = psutil.process_iter(["name", "cpu_times"])
    return {
        process.pid: (process.info["name"], process.info["cpu_times"].user + process.info["cpu_times"].system)
        for process in processes
        if process.pid != os.getpid() and process.info["cpu_times"]
    }


WATCHED_S = 1.0
COMPANY, MUCH_COMPANY = 0.1, 0.5  # of a core
LOAD = 0.5  # programs that want to run, on average over a minute
STEAL, MUCH_STEAL = 0.01, 0.1
STEP_NS = 1_000  # a reading that costs more is a system call into a slow clock
LATE_S = 0.001
UNKNOWN = "the system does not report it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A machine as it is now; None where it does not report a value."""

    company: Company = field(default_factory=Company)
    load_average: float | None = None  # over the last minute
    neighbours: Neighbours | None = None
    cpu_quota: float | None = None  # number of cores; None: no limit
    governors: frozenset[str] = frozenset()
    turbo: bool | None = None
    clock_source: str | None = None
    clock_step_ns: float = 100.0
    wake_up_late_s: float = 0.0001
    client_first: bool = True  # the client may run before all others on its core


def look(cores: Collection[int] | None) -> Facts:
    """Examine this machine, of which we may use *cores*; it takes two seconds."""
    return Facts(
        load_average=system.load_average(),  # before we add to it
        company=look_around(WATCHED_S),
        neighbours=neighbours(cores),
        cpu_quota=system.cpu_quota(),
        governors=system.governors(),
        turbo=system.turbo(),
        clock_source=system.clock_source(),
        clock_step_ns=system.clock_step_ns(),
        wake_up_late_s=system.wake_up_late_s(),
        client_first=may_go_first(),
    )


def checks(facts: Facts, placement: Placement) -> Iterator[Check]:
    yield _cores(placement)
    yield _placement(placement)
    yield from _priority(facts, placement)
    yield _company(facts.company)
    yield _load(facts.load_average)
    yield _quota(facts.cpu_quota, placement)
    yield _hyperthreads(facts.neighbours)
    yield _governor(facts.governors)
    yield _turbo(facts.turbo)
    yield _clock(facts)


def steal(did: Mapping[str, Core]) -> Iterator[Check]:
    """Yield the check of steal time: the share of the time that cores wanted to run."""
    wanted = {name: core.busy_s + core.steal_s for name, core in did.items()}
    shares = [core.steal_s / wanted[name] for name, core in did.items() if wanted[name]]
    if shares:
        yield check(
            "steal",
            graded(max(shares), STEAL, MUCH_STEAL),
            f"the hypervisor took {max(shares):.1%} of a core's time while it was loaded",
            "measure when its neighbours are quiet, or on a machine with cores of its own",
        )


def _cores(placement: Placement) -> Check:
    usable = len(_used(placement)) or os.cpu_count() or 1
    if usable == 1:
        return check("cores", "not fit", "1: the client would be the limit", "give it two cores or more")
    return check("cores", "ok", f"{usable} usable")


def _placement(placement: Placement) -> Check:
    caveats = "; ".join(placement.caveats)
    if placement.server is None:
        remedy = "measure on Linux, where programs can have cores of their own"
        return check("placement", "caution", caveats, remedy)
    where = (
        f"server on {_listed(placement.server)}, client on {_listed(placement.client or ())}, "
        f"database on {_listed(placement.database or ())}"
    )
    return check(
        "placement",
        "caution" if caveats else "ok",
        f"{where}; {caveats}" if caveats else where,
        "with three cores or more each has its own",
    )


def _company(company: Company) -> Check:
    if not company.busy:
        return check("other programs", "ok", UNKNOWN)
    worst = min(1.0, max(company.busy.values()))  # ticks are counted in steps of 10 ms
    named = ", ".join(f"{name} {share:.0%}" for name, share in company.programs)
    return check(
        "other programs",
        graded(worst, COMPANY, MUCH_COMPANY),
        f"the busiest core is {worst:.0%} busy without us" + (f": {named}" if named else ""),
        "end them, or wait until they have ended",
    )


def _load(average: float | None) -> Check:
    """Return the check of load before now. It is of the past, so it never forbids measuring now."""
    return check(
        "load average",
        "ok" if average is None or average < LOAD else "caution",
        UNKNOWN if average is None else f"{average:.2f} programs over the last minute",
        "see what it was (a run of bench is such, too): it may come back",
    )


def _hyperthreads(found: Neighbours | None) -> Check:
    if found is None:
        return check("hyperthreads", "ok", UNKNOWN)
    if found.slowdown > SAME_CORE:
        remedy = (
            "switch them off (/sys/devices/system/cpu/smt/control), or name one of each pair: taskset -c; "
            "of a virtual machine, rent whole cores"
        )
        return check("hyperthreads", "caution", same_core(found.cores, found.slowdown), remedy)
    core, neighbour = found.cores
    lost = max(0.0, found.slowdown)
    return check("hyperthreads", "ok", f"core {core} loses {lost:.1%} while core {neighbour} is busy")


def _quota(quota: float | None, placement: Placement) -> Check:
    if quota is None:
        return check("CPU limit", "ok", "none")
    cores = len(_used(placement))
    return check(
        "CPU limit",
        "not fit" if quota < min(2, cores) else "caution" if quota < cores else "ok",
        f"{quota:g} cores' worth of time for {cores} cores",
        "over its limit a process stands still for a while: name cores instead (--cpuset-cpus)",
    )


def _governor(governors: frozenset[str]) -> Check:
    moving = sorted(governors - {"performance"})
    return check(
        "governor",
        "caution" if moving else "ok",
        f"{', '.join(moving)}: frequencies follow load" if moving else ", ".join(governors) or UNKNOWN,
        "cpupower frequency-set -g performance",
    )


def _turbo(turbo: bool | None) -> Check:
    return check(
        "turbo",
        "caution" if turbo else "ok",
        {True: "on: frequencies follow heat, and what other cores do", False: "off", None: UNKNOWN}[turbo],
        f"switch it off in the firmware, or below {system.CPU} (intel_pstate/no_turbo, cpufreq/boost)",
    )


def _clock(facts: Facts) -> Check:
    source = f", from {facts.clock_source}" if facts.clock_source else ""
    slow, late = facts.clock_step_ns > STEP_NS, facts.wake_up_late_s > LATE_S
    remedies = [
        *(["choose a faster clock: clocksource=tsc on the kernel's command line"] if slow else []),
        *(["end what keeps the cores busy, or an open loop sends late"] if late else []),
    ]
    return check(
        "clock",
        "caution" if remedies else "ok",
        f"a reading takes {facts.clock_step_ns:,.0f} ns{source}; "
        f"a sleep ends {facts.wake_up_late_s * 1e6:,.0f} µs late",
        "; ".join(remedies),
    )


def _used(placement: Placement) -> set[int]:
    return {*(placement.server or ()), *(placement.client or ()), *(placement.database or ())}


def _priority(facts: Facts, placement: Placement) -> Iterator[Check]:
    """Yield whether the client sends on time, where it shares its core with the database alone."""
    client = set(placement.client or ())
    if client & set(placement.database or ()) and not client & set(placement.server or ()):
        first = facts.client_first
        yield check(
            "priority",
            "ok" if first else "caution",
            "at a rate the client runs first on its core"
            if first
            else "real time is not allowed, so at a rate the client waits for the database",
            "allow it with `sudo prlimit --rtprio=1 --pid $$`: many slices may be void, as sent late",
        )


def _listed(cores: Iterable[int]) -> str:
    return ",".join(map(str, cores)) or "none"
