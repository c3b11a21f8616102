"""Why a head is slower: base and head of each regression, profiled side by side."""

from collections.abc import Iterator, Sequence

from bench.compare.changes import TimeChange
from bench.compare.verdict import Conclusion, place, worse_by
from bench.profile.layers import Explained, spent
from bench.profile.profiler import Profiler
from bench.profile.take import Confine, ProfilePlan, in_turns, to_one_core
from bench.records import Run
from bench.run.lab import Lab

MOST = 3  # regressions, the worst first: each takes a minute
WINDOW_S = 9.0


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
    contenders = {one.name: one for one in run.contenders}
    scenarios = {one.name: one for one in run.scenarios}
    for change in slower[:MOST]:
        cell = change.comparison.cell
        name, scenario, _ = place(change)
        lab.progress.phase(f"profiling {name} in {scenario}, base and head side by side")
        base, head = contenders[run.plan.reference_of(cell.contender)], contenders[cell.contender]
        load = ProfilePlan(
            contenders=(base, head), scenarios=(scenarios[scenario],), load=cell.load, window_s=WINDOW_S
        )
        before, after = in_turns(load, lab, profiler, confine)
        yield Explained(contender=name, scenario=scenario, base=spent(before), head=spent(after))
