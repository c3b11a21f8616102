"""Where the CPU time of a request goes: a contender under load, profiled in one of three windows."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench import layers
from bench.errors import CannotMeasure
from bench.instruments import Lab
from bench.model import Cell, Contender, Load, Scenario, Slice
from bench.observe.profiler import Profiler
from bench.profiles import Profile, Sampled, Window
from bench.runtime import Server
from bench.runtime.placement import pinned
from bench.slices import ask
from bench.verification import verify

WARM_UP_S = 2.0
LEAD_IN_S = 0.1
SEED = 1
TURNS = 3  # of base and head, side by side

Confine = Callable[[Server], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is profiled, and how hard and how long it is asked meanwhile."""

    contenders: tuple[Contender, ...]
    scenarios: tuple[Scenario, ...]
    load: Load
    window_s: float


def to_one_core(server: Server) -> None:
    """Leave one of its cores to a server: a profiler there looks while nothing of it can run."""
    if cores := _cores(server):
        with suppress(PermissionError):  # a container's, and we are not root: the profiler will say so
            pinned(server.pids, cores[:1])


def profile(asked: Asked, lab: Lab, profiler: Profiler, confine: Confine = to_one_core) -> Iterator[Profile]:
    """Yield the profile of each contender in each scenario that it serves.

    A contender has a server of its own, and the core for itself. Raises CannotMeasure where one is unlike the
    contract, gives wrong answers or dies, and where the profiler cannot.
    """
    dressed = {one.name: profiler.dressed(one) for one in asked.contenders}
    lab.progress.phase("preparing environments and services")
    both = (*asked.contenders, *dressed.values())
    lab.runtime.prepare(list({one.name: one for one in both}.values()))
    _verified(asked.contenders, lab)
    for contender in asked.contenders:
        changed = dressed[contender.name]
        together = [contender] if changed is contender else [contender, changed]
        with lab.runtime.serve(together, hash_seed=0) as servers:
            plain, watched = servers[contender.name], servers[changed.name]
            for server in servers.values():
                confine(server)
            lab.load.prepare({name: server.address for name, server in servers.items()}, asked.scenarios)
            for scenario in asked.scenarios:
                if contender.scenarios is None or scenario.name in contender.scenarios:
                    lab.progress.phase(f"profiling {contender.name} in {scenario.name}")
                    yield _profile(asked, lab, profiler, scenario, plain, watched)
            lab.load.prepare({}, ())  # lets go of its connections: gunicorn lingers 2 s where some are open


def side_by_side(
    base: Contender,
    head: Contender,
    asked: Asked,
    lab: Lab,
    profiler: Profiler,
    confine: Confine = to_one_core,
) -> tuple[tuple[Profile, ...], tuple[Profile, ...]]:
    """Return profiles of two contenders that are up together and take turns in the first scenario.

    They have been measured already: nothing is verified. Raises CannotMeasure as `profile` does.
    """
    scenario = asked.scenarios[0]
    lab.runtime.prepare([base, head])
    taken: dict[str, list[Profile]] = {base.name: [], head.name: []}
    with lab.runtime.serve([base, head], hash_seed=0) as servers:
        for server in servers.values():
            confine(server)
        lab.load.prepare({name: server.address for name, server in servers.items()}, [scenario])
        for server in servers.values():
            _window(asked, lab, scenario, server, window_s=WARM_UP_S)
        for _ in range(TURNS):
            for name, server in servers.items():
                before = _window(asked, lab, scenario, server, window_s=asked.window_s)
                during, sampled = _watched(asked, lab, profiler, scenario, server)
                taken[name].append(_put_together(server.contender, scenario, (before,), during, sampled))
        lab.load.prepare({}, ())
    return tuple(taken[base.name]), tuple(taken[head.name])


def _verified(contenders: Sequence[Contender], lab: Lab) -> None:
    lab.progress.phase("verifying that every contender answers alike")
    for told in verify(contenders, lab.runtime, lab.memory):
        if told.outcome == "failed":
            raise CannotMeasure(
                f"not profiled, unlike the contract: {told.contender}: {told.differences[0]}; "
                f"`bench verify {told.contender}` says all"
            )


def _cores(server: Server) -> list[int]:
    try:
        return sorted(os.sched_getaffinity(server.pids()[0]))
    except (AttributeError, OSError, IndexError):  # not Linux, not ours to ask, or gone
        return []


def _profile(
    asked: Asked, lab: Lab, profiler: Profiler, scenario: Scenario, plain: Server, watched: Server
) -> Profile:
    """Measure a window without the profiler, one with it and another without."""
    for server in (plain,) if watched is plain else (plain, watched):
        _window(asked, lab, scenario, server, window_s=WARM_UP_S)
    before = _window(asked, lab, scenario, plain, window_s=asked.window_s)
    during, sampled = _watched(asked, lab, profiler, scenario, watched)
    after = _window(asked, lab, scenario, plain, window_s=asked.window_s)
    return _put_together(plain.contender, scenario, (before, after), during, sampled)


def _put_together(
    contender: Contender, scenario: Scenario, beside: tuple[Window, ...], during: Window, sampled: Sampled
) -> Profile:
    return Profile(
        contender=contender.name,
        stack=contender.stack,
        scenario=scenario.name,
        beside=beside,
        during=during,
        sampled=sampled,
        files=layers.declared(Path(contender.root) / "apps" / contender.app),
    )


def _watched(
    asked: Asked, lab: Lab, profiler: Profiler, scenario: Scenario, server: Server
) -> tuple[Window, Sampled]:
    with profiler.attached(server.pids) as attached:
        window = _window(asked, lab, scenario, server, window_s=asked.window_s)
        return window, attached.finish()


def _window(asked: Asked, lab: Lab, scenario: Scenario, server: Server, *, window_s: float) -> Window:
    """Ask for a while. Raises CannotMeasure where nothing was answered rightly."""
    name = server.contender.name
    cell = Cell(contender=name, scenario=scenario.name, load=asked.load)
    step = Slice(
        cell=cell, role="measure", round=1, sweep=1, seed=SEED, lead_in_s=LEAD_IN_S, window_s=window_s
    )
    sample, usage = ask(lab, server, step)
    lab.runtime.check()
    if how := server.ended():
        raise CannotMeasure(f"{name} {how} in {scenario.name}; its last lines:\n{server.log_tail()}")
    if not sample.requests:
        example = f": {sample.examples[0]}" if sample.examples else ""
        raise CannotMeasure(f"{name} gave no right answer in {scenario.name}{example}")
    if scenario.writes:
        server.reset_data()
    return Window(
        window_s=sample.window_s,
        requests=sample.requests,
        failed=sample.failed,
        watched_s=usage.elapsed_s,
        server_cpu_s=usage.server_cpu_s,
    )
