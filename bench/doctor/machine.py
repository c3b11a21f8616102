"""What can be told of a machine without loading it, and what each fact means for measuring."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bench.doctor.diagnosis import Check, Status, check
from bench.observe import limits
from bench.observe.company import Company, look_around
from bench.observe.host import Core
from bench.runtime.placement import Placement

WATCHED_S = 1.0
COMPANY, MUCH_COMPANY = 0.1, 0.5  # of a core
STEAL, MUCH_STEAL = 0.01, 0.1
FILES = 1_024  # 256 connections, plan latency's most, to each of three contenders at once, and some more
STEP_NS = 1_000  # a reading that costs more is a system call into a slow clock
LATE_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A machine as it is now; None where it does not tell."""

    company: Company = field(default_factory=Company)
    cpu_quota: float | None = None  # cores' worth; None: no limit
    open_files: int | None = None  # None: no limit
    governors: frozenset[str] = frozenset()
    turbo: bool | None = None
    clock_source: str | None = None
    clock_step_ns: float = 100.0
    wake_up_late_s: float = 0.0001


def look() -> Facts:
    """Look at this machine; it takes a bit more than a second."""
    return Facts(
        company=look_around(WATCHED_S),
        cpu_quota=limits.cpu_quota(),
        open_files=limits.open_files(),
        governors=limits.governors(),
        turbo=limits.turbo(),
        clock_source=limits.clock_source(),
        clock_step_ns=limits.clock_step_ns(),
        wake_up_late_s=limits.wake_up_late_s(),
    )


def checks(facts: Facts, placement: Placement) -> Iterator[Check]:
    """Yield what *facts* mean; what the system does not tell is left out."""
    yield _cores(placement)
    if facts.company.busy:
        yield _company(facts.company)
    yield _quota(facts.cpu_quota, placement)
    yield _files(facts.open_files)
    if facts.governors or facts.turbo is not None:
        yield _frequency(facts)
    yield _clock(facts)


def steal(did: Mapping[str, Core]) -> Iterator[Check]:
    """Yield what it means what the hypervisor took of the time that cores wanted to run, by what they did."""
    wanted = {name: core.busy_s + core.steal_s for name, core in did.items()}
    shares = [core.steal_s / wanted[name] for name, core in did.items() if wanted[name]]
    if shares:
        yield check(
            "steal",
            _graded(max(shares), STEAL, MUCH_STEAL),
            f"the hypervisor took {max(shares):.1%} of a core's time while it was loaded",
            "measure when its neighbours are quiet, or on a machine with cores of its own",
        )


def _cores(placement: Placement) -> Check:
    caveats = "; ".join(placement.caveats)
    if placement.server is None:
        return check(
            "cores", "warning", caveats, "measure on Linux, where programs can have cores of their own"
        )
    client, database = placement.client or (), placement.database or ()
    usable = len({*placement.server, *client, *database})
    if usable == 1:
        return check(
            "cores", "failed", f"{caveats}: the client would be the limit", "give it two cores or more"
        )
    where = (
        f"server on {_listed(placement.server)}, client on {_listed(client)}, database on {_listed(database)}"
    )
    return check(
        "cores",
        "warning" if caveats else "ok",
        f"{usable} usable: {where}" + (f"; {caveats}" if caveats else ""),
        "with three cores or more each has its own",
    )


def _company(company: Company) -> Check:
    worst = min(1.0, max(company.busy.values()))  # ticks are counted in steps of 10 ms
    named = ", ".join(f"{name} {share:.0%}" for name, share in company.programs)
    return check(
        "other programs",
        _graded(worst, COMPANY, MUCH_COMPANY),
        f"the busiest core is {worst:.0%} busy without us" + (f": {named}" if named else ""),
        "end them, or wait until they have ended",
    )


def _quota(quota: float | None, placement: Placement) -> Check:
    if quota is None:
        return check("CPU limit", "ok", "none")
    cores = len({*(placement.server or ()), *(placement.client or ()), *(placement.database or ())})
    return check(
        "CPU limit",
        "failed" if quota < min(2, cores) else "warning" if quota < cores else "ok",
        f"{quota:g} cores' worth of time for {cores} cores",
        "over its limit a process stands still for a while: name cores instead (--cpuset-cpus)",
    )


def _files(limit: int | None) -> Check:
    return check(
        "open files",
        "ok" if limit is None or limit >= FILES else "warning",
        "no limit" if limit is None else f"{limit:,} for each process",
        f"raise the limit: ulimit -n {4 * FILES}",
    )


def _frequency(facts: Facts) -> Check:
    moods = [f"governor {name}" for name in sorted(facts.governors - {"performance"})]
    moods += ["turbo on"] if facts.turbo else []
    return check(
        "CPU frequency",
        "warning" if moods else "ok",
        f"it moves with load and heat: {', '.join(moods)}" if moods else "it is held",
        f"`cpupower frequency-set -g performance`; turbo off, in the firmware or below {limits.CPU}",
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
        "warning" if remedies else "ok",
        f"a reading takes {facts.clock_step_ns:,.0f} ns{source}; "
        f"a sleep ends {facts.wake_up_late_s * 1e6:,.0f} µs late",
        "; ".join(remedies),
    )


def _graded(value: float, warning: float, failed: float) -> Status:
    return "failed" if value >= failed else "warning" if value >= warning else "ok"


def _listed(cores: Iterable[int]) -> str:
    return ",".join(map(str, cores)) or "none"
