"""Estimates over rounds, and ratios of what was measured in pairs. Pure; knows nothing of runs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from bench.analysis.intervals import Interval, hodges_lehmann, median_interval, signed_rank_interval

FEWEST_FOR_SIGNED_RANK = 12  # below it its interval is hardly narrower, and it assumes more
FEWEST_FOR_INTERVAL = 6  # five values reach 1 − 2·½⁵ = 93.75 % at most

Sweep = tuple[int, int]  # round and sweep within it


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value over rounds; low, high and level are None where there are too few rounds to tell."""

    estimate: float
    low: float | None = None
    high: float | None = None
    level: float | None = None

    def exp(self) -> "Estimate":
        """Return the ratio whose logarithm this is."""
        return Estimate(
            estimate=math.exp(self.estimate),
            low=None if self.low is None else math.exp(self.low),
            high=None if self.high is None else math.exp(self.high),
            level=self.level,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What two contenders showed in the sweeps they share."""

    log_ratios: Mapping[int, float]  # round → median over its pairs
    pairs: int
    dropped: int  # sweeps in which only one of the two has a value above zero


def estimate_of(values: Iterable[float]) -> Estimate | None:
    """Return the median of one value per round, with its interval; None without a round."""
    kept = list(values)
    return _estimate(median(kept), median_interval(kept)) if kept else None


def difference_of(values: Iterable[float]) -> Estimate | None:
    """Return the centre of one paired difference per round, with its interval; None without a round.

    The median, and from 12 rounds on Hodges and Lehmann's estimate: order within a sweep is drawn, so a
    difference of equals falls to either side alike, which is all that it assumes. Single values do not.
    """
    kept = list(values)
    if len(kept) < FEWEST_FOR_SIGNED_RANK:
        return estimate_of(kept)
    return _estimate(hodges_lehmann(kept), signed_rank_interval(kept))


def medians_by_round(values: Mapping[Sweep, float]) -> dict[int, float]:
    """Return the median over sweeps of each round, in order of rounds."""
    rounds: dict[int, list[float]] = {}
    for (number, _), value in sorted(values.items()):
        rounds.setdefault(number, []).append(value)
    return {number: median(swept) for number, swept in rounds.items()}


def paired_log_ratios(values: Mapping[Sweep, float], references: Mapping[Sweep, float]) -> Pairing:
    """Pair two contenders sweep by sweep; a round is missing where no sweep has both above zero."""
    usable = {sweep for sweep in values.keys() & references.keys() if values[sweep] > 0 < references[sweep]}
    ratios = {sweep: math.log(values[sweep] / references[sweep]) for sweep in usable}
    return Pairing(
        log_ratios=medians_by_round(ratios),
        pairs=len(usable),
        dropped=len((values.keys() | references.keys()) - usable),
    )


def ratio_of(pairing: Pairing) -> Estimate | None:
    """Return the ratio over rounds; None where no round has a pair."""
    logs = difference_of(pairing.log_ratios.values())
    return logs.exp() if logs else None


def _estimate(centre: float, interval: Interval | None) -> Estimate:
    if interval is None:
        return Estimate(estimate=centre)
    return Estimate(estimate=centre, low=interval.low, high=interval.high, level=interval.level)
