"""What a bisect follows: the one value of a contender that grew from GOOD to BAD."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.compare.changes import CountChange
from bench.compare.verdict import AnyChange, Conclusion, place, worse_by
from bench.loads import Load, Metric
from bench.model.contender import name_of
from bench.model.plan import Plan
from bench.model.scenario import Scenario
from bench.records import Run

Followed = Literal["statements", "instructions", "response_bytes", "time"]
# What is surest first.
FOLLOWED: tuple[Followed, ...] = ("statements", "instructions", "response_bytes", "time")
APART: tuple[Followed, ...] = ("statements", "instructions")  # counted on servers that are never timed


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectTarget:
    """The value that is followed, in GOOD and in BAD."""

    contender: str  # without a revision
    scenario: str
    of: str  # of statements the exchange, else the scenario
    metric: Followed
    good: float  # per request; of time: 1
    bad: float  # per request; of time: relative to GOOD
    timed_by: Metric | None = None
    load: Load | None = None  # of time

    @property
    def grew_by(self) -> float:
        """By how much BAD is worse; 0.1: 10 %."""
        return self.share_of(1.0)

    def share_of(self, share: float) -> float:
        """Return by how much a commit is worse than GOOD, at a *share* of the way to BAD."""
        if self.metric == "time":
            by = math.exp(share * math.log(self.bad)) - 1
            return -by if self.timed_by == "throughput_rps" else by
        return share * (self.bad - self.good) / self.good if self.good else math.inf if share > 0 else 0.0


def metric_of(change: AnyChange) -> Followed | None:
    """Return what a bisect calls the metric of *change*; None: it cannot follow that."""
    if not isinstance(change, CountChange):
        return "time"
    return next((one for one in FOLLOWED if one == change.counted), None)


def chosen(
    run: Run, conclusion: Conclusion, metrics: Sequence[Followed]
) -> tuple[BisectTarget | None, tuple[str, ...]]:
    """Return what to follow of what regressed in *metrics*, and a line for each of the rest.

    What is surest comes first, then what grew most. CPU comes before throughput, which is noisier.
    """

    def rank(change: AnyChange) -> tuple[int, bool, float]:
        metric = metric_of(change)
        assert metric
        return FOLLOWED.index(metric), place(change)[2] == "throughput_rps", -worse_by(change)

    users = {one.name for one in run.scenarios if one.locustfile}  # each commit has its own file of them
    followed = (one for one in conclusion.regressed if place(one)[1] not in users)
    found = sorted((one for one in followed if metric_of(one) in metrics), key=rank)
    if not found:
        return None, ()
    others = dict.fromkeys(", ".join(place(one)) for one in found[1:])
    return _target(run, found[0]), tuple(others)


def _target(run: Run, change: AnyChange) -> BisectTarget:
    contender, of, _ = place(change)
    metric = metric_of(change)
    assert metric
    if isinstance(change, CountChange):
        scenario = _scenario_of(run, contender, of) if metric == "statements" else of
        return BisectTarget(
            contender=contender, scenario=scenario, of=of, metric=metric, good=change.base, bad=change.head
        )
    one = change.comparison
    assert one.ratio
    return BisectTarget(
        contender=contender,
        scenario=of,
        of=of,
        metric=metric,
        good=1.0,
        bad=one.ratio.estimate,
        timed_by=one.metric,
        load=one.cell.load,
    )


def _scenario_of(run: Run, contender: str, exchange: str) -> str:
    """Return a scenario in which *exchange* is requested of *contender*."""
    requested = {one.name: {each.name for each in one.exchanges} for one in run.scenarios}
    return next(
        name
        for block in measuring(run.plan, contender)
        for name in block
        if exchange in requested.get(name, ())
    )


def measuring(plan: Plan, contender: str) -> list[tuple[str, ...]]:
    """Return the scenarios of each block of a diff's *plan* that has *contender*."""
    return [one.scenarios for one in plan.blocks if name_of(one.contenders[0]).unrevised == contender]


def scenario_of(run: Run, target: BisectTarget) -> Scenario:
    """Return what is requested: as BAD has it, and as GOOD can answer it."""
    return next(one for one in run.scenarios if one.name == target.scenario)
