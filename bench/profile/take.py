"""Where the CPU time of a request goes: contenders take turns under load, profiled in a third of it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from bench.errors import CannotMeasure
from bench.loads import Load
from bench.model.cell import Cell, Slice
from bench.model.contender import Contender
from bench.model.scenario import Scenario
from bench.profile import layers
from bench.profile.profiler import Profiler
from bench.profile.record import Profile, Sampled, Window, all_samples, one_window
from bench.run.field_queries import queried_on
from bench.run.lab import Lab
from bench.run.slices import ask
from bench.run.verification import reason, verify
from bench.runtime import Server
from bench.runtime.placement import pinned

WARM_UP_S = 2.0
LEAD_IN_S = 0.1
SEED = 1
TURNS = 5  # of all contenders: so the state of the machine at one time is the same for each

Confine = Callable[[Server], None]
_Turn = tuple[Window, Window, Sampled, Window]  # before, during, the samples of that, after


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePlan:
    """What is profiled, under what load, and for how long."""

    contenders: tuple[Contender, ...]
    scenarios: tuple[Scenario, ...]
    load: Load
    window_s: float  # profiled in total, per contender and scenario; the same time again before and after


def to_one_core(server: Server) -> None:
    """Leave a server one of its cores. A profiler on that core reads while nothing of the server can run."""
    if cores := _cores(server):
        with suppress(PermissionError):  # of a container, and we are not root: the profiler reports it
            pinned(server.pids, cores[:1])


def profile(
    plan: ProfilePlan, lab: Lab, profiler: Profiler, confine: Confine = to_one_core
) -> Iterator[Profile]:
    """Yield the profile of each contender in each scenario that it serves, after all pass the contract.

    Raises CannotMeasure if one differs from the contract, and as `in_turns` does.
    """
    lab.progress.phase("preparing environments and services")
    lab.runtime.prepare(plan.contenders)
    _verified(plan.contenders, lab)
    yield from in_turns(plan, lab, profiler, confine)


def in_turns(
    plan: ProfilePlan, lab: Lab, profiler: Profiler, confine: Confine = to_one_core
) -> Iterator[Profile]:
    """Yield the profile of each contender in each scenario that it serves. All are up and take turns.

    Raises CannotMeasure if one gives wrong answers or dies, or if the profiler fails.
    """
    dressed = {one.name: profiler.dressed(one) for one in plan.contenders}
    starting = list({one.name: one for one in (*plan.contenders, *dressed.values())}.values())
    lab.runtime.prepare(starting)
    with lab.runtime.serve(starting, hash_seed=0) as servers:
        for server in servers.values():
            confine(server)
        known = queried_on(servers.values(), plan.scenarios)
        lab.load.prepare({name: server.address for name, server in servers.items()}, known)
        for scenario in known:
            sides = [
                (servers[one.name], servers[dressed[one.name].name])
                for one in plan.contenders
                if one.scenarios is None or scenario.name in one.scenarios
            ]
            yield from _scenario(plan, lab, profiler, scenario, sides)
        lab.load.prepare({}, ())  # closes its connections: gunicorn lingers 2 s if some are open


def _verified(contenders: Sequence[Contender], lab: Lab) -> None:
    lab.progress.phase("verifying that every contender answers alike")
    for verification in verify(contenders, lab.runtime, lab.memory):
        if verification.outcome == "failed":
            raise CannotMeasure(
                f"not profiled, {reason(verification)}: {verification.contender}: "
                f"{verification.differences[0]}; `bench verify {verification.contender}` shows all"
            )


def _cores(server: Server) -> list[int]:
    try:
        return sorted(os.sched_getaffinity(server.pids()[0]))
    except (AttributeError, OSError, IndexError):  # not Linux, not allowed, or ended
        return []


def _scenario(
    plan: ProfilePlan,
    lab: Lab,
    profiler: Profiler,
    scenario: Scenario,
    sides: Sequence[tuple[Server, Server]],
) -> Iterator[Profile]:
    """Take turns. The second server of each of *sides* is the profiled one, often the same."""
    for server in {server.contender.name: server for side in sides for server in side}.values():
        _window(lab, scenario, server, load=plan.load, window_s=WARM_UP_S)
    turns: dict[str, list[_Turn]] = {plain.contender.name: [] for plain, _ in sides}
    for number in range(1, TURNS + 1):
        for plain, watched in sides:
            name = plain.contender.name
            lab.progress.phase(f"profiling {name} in {scenario.name}, turn {number} of {TURNS}")
            turns[name].append(_turn(plan, lab, profiler, scenario, plain, watched))
    for plain, _ in sides:
        contender = plain.contender
        befores, durings, sampled, afters = zip(*turns[contender.name], strict=True)
        yield Profile(
            contender=contender.name,
            stack=contender.stack,
            scenario=scenario.name,
            beside=(*befores, *afters),
            during=one_window(durings),
            sampled=all_samples(sampled),
            files=layers.declared(contender.place),
        )


def _turn(
    plan: ProfilePlan, lab: Lab, profiler: Profiler, scenario: Scenario, plain: Server, watched: Server
) -> _Turn:
    window = partial(_window, lab, scenario, load=plan.load, window_s=plan.window_s / TURNS)
    before = window(plain)
    with profiler.attached(watched.pids) as attached:
        during, sampled = window(watched), attached.finish()
    return before, during, sampled, window(plain)


def _window(lab: Lab, scenario: Scenario, server: Server, *, load: Load, window_s: float) -> Window:
    """Send load for a while. Raises CannotMeasure if no answer is right."""
    name = server.contender.name
    cell = Cell(contender=name, scenario=scenario.name, load=load)
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
        lab.load.forget(name)
    return Window(
        window_s=sample.window_s,
        requests=sample.requests,
        failed=sample.failed,
        watched_s=usage.elapsed_s,
        server_cpu_s=usage.server_cpu_s,
    )
