"""Whether a server stayed the same from its first slice to its last: warm-up, leaks, throttling."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log
from statistics import median
from typing import Literal

from bench.analysis.comparisons import MORE_IS_BETTER
from bench.analysis.measures import METRICS
from bench.analysis.statistics import Estimate, estimate_of, median_interval
from bench.model.cell import Cell
from bench.records import Record, Run

State = Literal["flat", "warming", "slowing", "unsteady"]

WARM_REQUESTS = 500  # per worker, before the first counted slice
# A table has many rows. At 95 %, one in twenty would seem to drift.
SURE = 0.99
NEGLIGIBLE = 0.02  # from the first sweep to the last
UNSTEADY = 0.15  # distance of a server's slices from their own middle that half of them exceed


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """How the speed of one cell's servers changed, each compared only with itself."""

    state: State | None  # None: too few rounds or sweeps
    change: Estimate | None  # of speed, from the first slice to the last: 0.97 is 3 % slower
    span_s: float  # between those two
    deviation: float  # distance of slices from their server's middle, the median: 0.05 is 5 %


def steadiness(records: Sequence[Record]) -> Steadiness | None:
    """Return how the servers of one cell changed, from its counted *records*; None without any.

    The slope of log-speed over a server's slices is Theil and Sen's: the median of all pairwise slopes (Sen,
    1968). It is multiplied by the time from first to last. Over rounds: the median, with its exact interval.
    The state is warming or slowing if that interval excludes no change at 99 % and the change is not
    negligible.
    """
    lives = _lives(records)
    if not lives:
        return None
    deviation = median(abs(value - _middle(life)) for life in lives for value in life.values())
    changes = [_slope(life) * _span_s(life) for life in lives if len(life) > 1]
    change = estimate_of(changes)
    return Steadiness(
        state=_state(changes, deviation),
        change=change.exp() if change else None,
        span_s=median(map(_span_s, lives)),
        deviation=deviation,
    )


def too_little_warm_up(run: Run, cell: Cell, workers: int) -> int | None:
    """Return how many answers per worker warmed up *cell*, the median of rounds; None if enough."""
    warmed = [
        (record.sample.requests + record.sample.failed) / workers
        for record in run.records
        if record.slice.role == "warm-up" and record.slice.cell == cell
    ]
    requests = median(warmed) if warmed else 0.0
    return round(requests) if requests < WARM_REQUESTS else None


def first_answers(run: Run) -> dict[str, Estimate]:
    times_of: dict[str, list[float]] = {}
    for start in run.starts:
        times_of.setdefault(start.contender, []).append(start.ready_s)
    return {name: estimate for name, times in times_of.items() if (estimate := estimate_of(times))}


def _state(changes: Sequence[float], deviation: float) -> State | None:
    sure = median_interval(changes, SURE)
    if sure is None:
        return None
    if abs(median(changes)) > NEGLIGIBLE and (sure.low > 0 or sure.high < 0):
        return "warming" if sure.low > 0 else "slowing"
    return "unsteady" if deviation > UNSTEADY else "flat"


def _lives(records: Iterable[Record]) -> list[dict[float, float]]:
    lives: dict[int, dict[float, float]] = {}
    for record in records:
        metric = record.slice.cell.load.metrics[0]
        value = METRICS[metric](record)
        if record.void is None and value:
            speed = log(value) if MORE_IS_BETTER[metric] else -log(value)
            lives.setdefault(record.slice.round, {})[record.started_s] = speed
    return list(lives.values())


def _slope(life: Mapping[float, float]) -> float:
    return median((life[later] - life[one]) / (later - one) for one, later in combinations(sorted(life), 2))


def _span_s(life: Mapping[float, float]) -> float:
    return max(life) - min(life)


def _middle(life: Mapping[float, float]) -> float:
    return median(life.values())
