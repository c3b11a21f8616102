"""Medians with exact intervals, and ratios of what was measured in pairs. Pure; knows nothing of runs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

LEVEL = 0.95
FEWEST_FOR_INTERVAL = 6  # five values reach 1 − 2·½⁵ = 93.75 % at most

Sweep = tuple[int, int]  # round and sweep within it


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the median lies, with the probability that it does (0 to 1)."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value over rounds; low, high and level are None where there are too few rounds to tell."""

    estimate: float
    low: float | None = None
    high: float | None = None
    level: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What two contenders showed in the sweeps they share."""

    log_ratios: Mapping[int, float]  # round → median over its pairs
    pairs: int
    dropped: int  # sweeps in which only one of the two has a value above zero


def median_interval(values: Iterable[float], level: float = LEVEL) -> Interval | None:
    """Return the narrowest order-statistic interval of the median that reaches *level*; None where none does.

    [x₍ₖ₎, x₍ₙ₊₁₋ₖ₎] misses the median with probability 2·P(Binomial(n, ½) < k), whatever the values'
    distribution (David & Nagaraja, Order Statistics, 3rd ed., §7.1).
    """
    ordered = sorted(values)
    n = len(ordered)
    narrowest = None
    for k, outside in enumerate(accumulate(math.comb(n, i) for i in range(n // 2)), start=1):
        reached = 1 - 2 * outside / 2**n
        if reached < level:
            break
        narrowest = Interval(low=ordered[k - 1], high=ordered[n - k], level=reached)
    return narrowest


def estimate_of(values: Iterable[float]) -> Estimate | None:
    """Return the estimate from one value per round; None without a round.

    Every estimate comes from here: the choice of estimator by number of rounds has this one place.
    """
    kept = list(values)
    if not kept:
        return None
    interval = median_interval(kept)
    if interval is None:
        return Estimate(estimate=median(kept))
    return Estimate(estimate=median(kept), low=interval.low, high=interval.high, level=interval.level)


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
    logs = estimate_of(pairing.log_ratios.values())
    if logs is None:
        return None
    return Estimate(
        estimate=math.exp(logs.estimate),
        low=None if logs.low is None else math.exp(logs.low),
        high=None if logs.high is None else math.exp(logs.high),
        level=logs.level,
    )
