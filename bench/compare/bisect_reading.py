"""A commit's value beside those of GOOD and BAD: nearer to which. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.analysis import analyse
from bench.analysis.comparisons import log_ratios
from bench.analysis.instruction_changes import STEADY
from bench.analysis.rows import unfit
from bench.compare.bisect_target import BisectTarget
from bench.compare.bisection import Outcome
from bench.compare.changes import count_changes, uncounted
from bench.compare.significance import FALSE_ALARMS, FamilyCell, adjusted_p
from bench.model.cell import Cell
from bench.model.contender import name_of
from bench.records import Run
from bench.report import instructions

HALF = 0.5
LOOKS = 4  # at the rounds of a commit by time: each doubles them


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReading:
    """What was read of a commit."""

    outcome: Outcome | None  # None: more rounds could tell
    share: float | None = None  # 0: as GOOD, 1: as BAD
    why: str = ""  # of a skip


def of_counts(run: Run, target: BisectTarget) -> CommitReading:
    """Return the reading of a run of GOOD and the commit. Half-way counts as bad: it is worse than GOOD."""
    found = [
        one
        for one in count_changes(run, unfit(analyse(run).rows))
        if (one.contender, one.counted, one.of) == (target.contender, target.metric, target.of)
    ]
    if not found and _has_none(run, target):
        return CommitReading(outcome="good", share=0.0)
    if not found:
        whys = (*instructions.uncounted(run.instructions), *uncounted(run))
        return CommitReading(outcome="skip", why=" ".join(whys) or f"no {target.metric} of it were counted")
    (change,) = found[:1]
    unsteady = max((one.spread or 0.0 for one in run.instructions), default=0.0) > STEADY
    if change.verdict == "inconclusive" and (target.metric != "instructions" or unsteady):
        return CommitReading(outcome="skip", why=change.why)
    # Relative to GOOD as this run has it: both sides of a run have the same data and the same moment.
    scale = target.good / change.base if change.base else 1.0
    share = (change.head * scale - target.good) / (target.bad - target.good)
    return CommitReading(outcome="bad" if share >= HALF else "good", share=share)


def _has_none(run: Run, target: BisectTarget) -> bool:
    """Return whether neither side runs a statement, as GOOD: a diff then has nothing to compare."""
    if target.metric != "statements" or target.good:
        return False
    counted = [one.per_request for one in run.queries if one.exchange == target.of]
    return bool(counted) and all(one == 0 for one in counted)


def rounds_of(runs: Sequence[Run], target: BisectTarget) -> Mapping[int, float]:
    """Return the log-ratios to GOOD of all *runs* of one commit, numbered on."""
    found: list[float] = []
    for run in runs:
        assert target.load
        assert target.timed_by
        heads = [one.name for one in run.contenders if name_of(one.name).revision != run.plan.baseline]
        head, base = (
            Cell(contender=name, scenario=target.scenario, load=target.load)
            for name in (heads[0], run.plan.reference_of(heads[0]))
        )
        found += log_ratios(run.records, head, base, target.timed_by).values()
    return dict(enumerate(found, start=1))


def level_of(steps: int) -> float:
    """Return the chance of an error at one look: all looks of all steps together have 5 % (Bonferroni)."""
    return FALSE_ALARMS / max(1, steps) / LOOKS


def first_rounds(steps: int) -> int:
    """Return the fewest rounds that can reach the level: n rounds on one side have a chance of 2⁻ⁿ."""
    return math.ceil(math.log2(1 / level_of(steps)))


def rounds_at(look: int, steps: int) -> int:
    """Return how many new rounds a *look* (0 is the first) adds: as many as before, from the second on."""
    return first_rounds(steps) << max(0, look - 1)


def of_time(ratios: Mapping[int, float], target: BisectTarget, *, steps: int) -> CommitReading:
    """Return on which side of the middle between GOOD and BAD a commit lies, if the rounds tell.

    The middle is half of BAD's log-ratio. Each side is a sign-flip test of whole rounds, at `level_of`.
    """
    assert target.timed_by
    if not ratios:
        return CommitReading(outcome=None)
    effect = math.log(target.bad)
    share, half = median(ratios.values()) / effect, abs(effect) / 2
    worse = FamilyCell(log_ratios=ratios, log_margin=half, towards=-1 if effect < 0 else 1)
    better = FamilyCell(log_ratios=ratios, log_margin=-half, towards=1 if effect < 0 else -1)
    level = level_of(steps)
    if adjusted_p([worse])[0] <= level:
        return CommitReading(outcome="bad", share=share)
    if adjusted_p([better])[0] <= level:
        return CommitReading(outcome="good", share=share)
    return CommitReading(outcome=None, share=share)
