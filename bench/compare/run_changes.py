"""The change of a contender between two runs: its ratio to the reference in one, and in the other.

The runs are not paired with each other. But within each run every contender is paired with the reference by
sweep. So what the machine does to both cancels out before the runs are compared.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.analysis.comparisons import (
    MORE_IS_BETTER,
    Comparison,
    Verdict,
    blocked,
    noise_floor_of,
    verdict_of,
)
from bench.analysis.statistics import FEWEST_FOR_INTERVAL, Estimate
from bench.compare.significance import FALSE_ALARMS, holm, p_beyond, shift_of
from bench.loads import Metric
from bench.model.cell import Cell

Side = Literal["slower", "faster"]

SIDES: tuple[Side, Side] = ("slower", "faster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One contender's ratio to the reference in the candidate run, over that in the baseline run."""

    cell: Cell
    metric: Metric
    margin: float
    baseline: Comparison
    candidate: Comparison
    baseline_logs: tuple[float, ...]  # the log-ratio to the reference in each round of that run
    candidate_logs: tuple[float, ...]
    change: Estimate | None  # None: the two runs do not compare
    adjusted_p: float | None = None  # that it lies beyond the margin on its side, for all of them together
    verdict: Verdict = "invalid"
    why: str = ""  # why the verdict is no other


def change_of(
    baseline: Comparison,
    candidate: Comparison,
    logs: tuple[Collection[float], Collection[float]],
    margin: float,
    *,
    unlike: str = "",
) -> Change:
    """Return the change of a ratio, not judged yet; *logs* are its rounds in either run.

    *unlike* gives a reason why the two do not compare, whatever they showed.
    """
    why = unlike or _in_the_way(baseline, "baseline") or _in_the_way(candidate, "candidate")
    before, after = map(tuple, logs)
    shift = None if why else shift_of(after, before)
    return Change(
        cell=baseline.cell,
        metric=baseline.metric,
        margin=margin,
        baseline=baseline,
        candidate=candidate,
        baseline_logs=before,
        candidate_logs=after,
        change=shift.exp() if shift else None,
        why=why,
    )


def judged_together(
    changes: Sequence[Change], floors: tuple[Sequence[Comparison], Sequence[Comparison]]
) -> tuple[Change, ...]:
    """Return *changes* with their verdicts; *floors* are the noise floors of either run.

    A change is slower or faster if its own interval has it so, and if it holds for all of them together. That
    is Holm's correction of exact one-sided p against the margin. All that could be slower form one family,
    all that could be faster another. A noise floor of either run may block it.
    """
    measured = [(change, change.change) for change in changes if change.change]
    families = {side: holm(_p(change, side) for change, _ in measured) for side in SIDES}
    judged = {
        (change.cell, change.metric): _judged(change, ratio, families[_side(change, ratio)][at], floors)
        for at, (change, ratio) in enumerate(measured)
    }
    return tuple(judged.get((change.cell, change.metric), change) for change in changes)


def _judged(
    change: Change,
    ratio: Estimate,
    adjusted_p: float,
    floors: tuple[Sequence[Comparison], Sequence[Comparison]],
) -> Change:
    verdict, why = verdict_of(change.metric, ratio, change.margin), ""
    if verdict in SIDES:
        nearest = (noise_floor_of(change.cell, change.metric, known) for known in floors)
        if any(floor and blocked(change.metric, ratio, floor.ratio, change.margin) for floor in nearest):
            verdict, why = "inconclusive", "the noise floor shows as much between equals"
        elif adjusted_p > FALSE_ALARMS:
            verdict, why = "inconclusive", f"alone it would be {verdict}, among so many it may be chance"
    return replace(change, adjusted_p=adjusted_p, verdict=verdict, why=why)


def _side(change: Change, ratio: Estimate) -> Side:
    return "faster" if (ratio.estimate > 1) == MORE_IS_BETTER[change.metric] else "slower"


def _p(change: Change, side: Side) -> float:
    towards: Literal[1, -1] = 1 if (side == "faster") == MORE_IS_BETTER[change.metric] else -1
    return p_beyond(change.candidate_logs, change.baseline_logs, math.log1p(change.margin), towards)


def _in_the_way(comparison: Comparison, run: str) -> str:
    if comparison.withheld:
        return f"{comparison.withheld} in the {run}"
    if not comparison.rounds:
        return f"no sweep of the {run} in which both it and {comparison.reference} have a value"
    if comparison.rounds < FEWEST_FOR_INTERVAL:
        return f"{comparison.rounds} of the {FEWEST_FOR_INTERVAL} rounds that are needed in the {run}"
    return ""
