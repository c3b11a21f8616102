"""Why a head is slower: base and head of each regression, profiled side by side, and their calls counted."""

from collections.abc import Callable, Iterator, Sequence

from bench.compare.call_changes import CallsExplained, call_changes
from bench.compare.changes import CountChange, TimeChange
from bench.compare.instruction_moves import InstructionMoves, instruction_moves
from bench.compare.verdict import Conclusion, place, worse_by
from bench.errors import CannotMeasure
from bench.loads import Load
from bench.model.contender import Contender, name_of
from bench.model.scenario import Scenario
from bench.profile import layers
from bench.profile.call_counts import Calls, count_calls
from bench.profile.layers import Explained, spent
from bench.profile.profiler import Profiler
from bench.profile.take import Confine, ProfilePlan, in_turns, to_one_core
from bench.records import Run
from bench.run.lab import Lab
from bench.run.statement_counts import probes
from bench.runtime import Server

MOST = 3  # regressions, the worst first: each takes a minute
WINDOW_S = 9.0

CountCalls = Callable[[Server, Scenario], Calls]


def regressions(conclusion: Conclusion) -> tuple[TimeChange, ...]:
    """Return the times that got slower, the worst first, once per contender and scenario."""
    slower = [one for one in conclusion.regressed if isinstance(one, TimeChange)]
    worst = {place(one)[:2]: one for one in sorted(slower, key=worse_by)}
    return tuple(reversed(worst.values()))


def explain(
    run: Run, slower: Sequence[TimeChange], lab: Lab, profiler: Profiler, confine: Confine = to_one_core
) -> Iterator[Explained]:
    """Yield where the head of *run* takes more time than its base, for the worst of *slower*.

    Raises CannotMeasure if a server or the profiler fails.
    """
    scenarios = {one.name: one for one in run.scenarios}
    for change in slower[:MOST]:
        name, scenario, _ = place(change)
        load = change.comparison.cell.load
        yield explain_time(run, name, scenarios[scenario], load, lab, profiler, confine)


def explain_time(
    run: Run,
    contender: str,
    scenario: Scenario,
    load: Load,
    lab: Lab,
    profiler: Profiler,
    confine: Confine = to_one_core,
) -> Explained:
    """Return where the head of *contender* takes more time than its base. Raises CannotMeasure."""
    lab.progress.phase(f"profiling {contender} in {scenario.name}, base and head side by side")
    sides = _sides(run, contender)
    plan = ProfilePlan(contenders=sides, scenarios=(scenario,), load=load, window_s=WINDOW_S)
    before, after = in_turns(plan, lab, profiler, confine)
    return Explained(contender=contender, scenario=scenario.name, base=spent(before), head=spent(after))


def explain_calls(
    run: Run, contender: str, scenario: Scenario, lab: Lab, count: CountCalls = count_calls
) -> CallsExplained:
    """Return which functions the head of *contender* calls more or less often than its base.

    *contender* has no revision. A failure is in the result: it takes nothing from what else is known.
    """
    base, head = _sides(run, contender)
    lab.progress.phase(f"counting calls of functions: {contender} in {scenario.name}, base and head")
    try:
        lab.runtime.prepare((base, head))
        with lab.runtime.serve((base, head), hash_seed=0, timed=False, counting="calls") as servers:
            before, after = (count(servers[one.name], scenario) for one in (base, head))
    except CannotMeasure as error:
        return CallsExplained(contender=contender, of=scenario.name, why=str(error))
    changes = call_changes(before, after, layers.declared(head.place))
    return CallsExplained(contender=contender, of=scenario.name, changes=changes)


def explain_instructions(run: Run, contender: str, scenario: Scenario, lab: Lab) -> InstructionMoves:
    """Return in which layers and C functions the head of *contender* executes more than its base."""
    base, head = _sides(run, contender)
    lab.progress.phase(f"counting instructions by function: {contender} in {scenario.name}, base and head")
    try:
        lab.runtime.prepare((base, head))
        return instruction_moves(contender, (base, head), scenario, lab)
    except CannotMeasure as error:
        return InstructionMoves(contender=contender, of=scenario.name, why=str(error))


def grown(run: Run, conclusion: Conclusion) -> tuple[tuple[str, Scenario], ...]:
    """Return the contenders and scenarios that take more instructions, the worst first."""
    scenarios = {one.name: one for one in run.scenarios}
    counts = [one for one in conclusion.regressed if isinstance(one, CountChange)]
    worse = sorted(
        (one for one in counts if one.counted == "instructions"), key=lambda one: one.base / one.head
    )
    return tuple((one.contender, scenarios[one.of]) for one in worse[:MOST])


def calls_wanted(run: Run, conclusion: Conclusion) -> tuple[tuple[str, Scenario], ...]:
    """Return the contenders and scenarios whose calls explain what takes more.

    That is time, instructions or statements. Statements are counted by exchange: its scenario here has
    nothing but it, and what it needs.
    """
    scenarios = {one.name: one for one in run.scenarios}
    alone = alone_in(run.scenarios)
    found = {place(one)[:2]: scenarios[place(one)[1]] for one in regressions(conclusion)[:MOST]}
    counts = [one for one in conclusion.regressed if isinstance(one, CountChange)]
    for counted, known in (("instructions", scenarios), ("statements", alone)):
        worse = sorted((one for one in counts if one.counted == counted), key=lambda one: one.base / one.head)
        for one in worse[:MOST]:
            found.setdefault((one.contender, one.of), known[one.of])
    return tuple((contender, scenario) for (contender, _), scenario in found.items())


def alone_in(requested: Sequence[Scenario]) -> dict[str, Scenario]:
    """Return the scenario of each exchange that has nothing but it, and what it needs."""
    return {probe.exchange.name: probe.scenario for probe in probes(requested)}


def _sides(run: Run, contender: str) -> tuple[Contender, Contender]:
    """Return base and head of *contender*."""
    every = {one.name: one for one in run.contenders}
    name = next(one for one in every if _is_head(run, one) and name_of(one).unrevised == contender)
    return every[run.plan.reference_of(name)], every[name]


def _is_head(run: Run, name: str) -> bool:
    return not name_of(name).is_twin and run.plan.reference_of(name) != name
