"""Estimates over rounds, exact intervals, and how many rounds they take. Pure; it does not know runs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, combinations_with_replacement
from statistics import NormalDist, median, stdev

LEVEL = 0.95
BISECTIONS = 60  # of a unit: more digits than a float has


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the centre lies, with the probability of that (0 to 1)."""

    low: float
    high: float
    level: float


def median_interval(values: Iterable[float], level: float = LEVEL) -> Interval | None:
    """Return the narrowest order-statistic interval of the median that reaches *level*, or None.

    [x₍ₖ₎, x₍ₙ₊₁₋ₖ₎] misses the median with probability 2·P(Binomial(n, ½) < k), for any distribution of the
    values (David & Nagaraja, Order Statistics, 3rd ed., §7.1).
    """
    ordered = sorted(values)
    n = len(ordered)
    chances = accumulate(math.comb(n, i) / 2**n for i in range(n // 2))
    return narrowest(ordered, chances, level)


def narrowest(
    ordered: Sequence[float], chances_below: Iterable[float], level: float = LEVEL
) -> Interval | None:
    """Return the narrowest [x₍ₖ₎, x₍ₙ₊₁₋ₖ₎] of *ordered* that reaches *level*; None if none does.

    *chances_below* are P(S < 1), P(S < 2), … of the statistic whose two tails decide. Each such interval
    misses with probability 2·P(S < k).
    """
    found = None
    for k, below in enumerate(chances_below, start=1):
        reached = 1 - 2 * below
        if reached < level or 2 * k > len(ordered) + 1:
            break
        found = Interval(low=ordered[k - 1], high=ordered[-k], level=reached)
    return found


def walsh_averages(values: Iterable[float]) -> list[float]:
    """Return the averages of all pairs, each value with itself included, in ascending order."""
    return sorted((one + other) / 2 for one, other in combinations_with_replacement(values, 2))


def hodges_lehmann(values: Iterable[float]) -> float:
    """Return the median of the Walsh averages of *values*; at least one value is required.

    Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3rd ed., §3.2.
    """
    return median(walsh_averages(values))


def signed_rank_interval(values: Iterable[float], level: float = LEVEL) -> Interval | None:
    """Return the narrowest interval of the centre that reaches *level*; None if none does.

    [W₍ₖ₎, W₍M₊₁₋ₖ₎] over the M Walsh averages misses the centre with probability 2·P(T < k). T is Wilcoxon's
    signed-rank statistic under symmetry (Hollander, Wolfe & Chicken, §3.3).
    """
    kept = list(values)
    return narrowest(walsh_averages(kept), _chances_below(len(kept)), level)


@cache
def _chances_below(n: int) -> tuple[float, ...]:
    """Return P(T < 1), P(T < 2), … for *n* values: T sums the ranks 1…n, each with probability ½."""
    ways = [1]
    for rank in range(1, n + 1):
        longer = [0] * rank + ways
        ways = [count + more for count, more in zip(ways + [0] * rank, longer, strict=True)]
    return tuple(total / 2**n for total in accumulate(ways))


def binomial_limit(successes: int, trials: int, level: float = LEVEL) -> float:
    """Return the upper limit of a rate (0 to 1), one-sided: Clopper and Pearson's; 1 without a trial.

    At the limit, so few successes or fewer have the chance 1 − *level* (Clopper & Pearson, The Use of
    Confidence or Fiducial Limits Illustrated in the Case of the Binomial, 1934).
    """
    if successes >= trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _chance_of_at_most(successes, trials, middle) > 1 - level:
            low = middle
        else:
            high = middle
    return high


def _chance_of_at_most(successes: int, trials: int, rate: float) -> float:
    chances = (
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(rate)
        + (trials - k) * math.log1p(-rate)
        for k in range(successes + 1)
    )
    return math.fsum(map(math.exp, chances)) if 0 < rate < 1 else float(rate <= 0)


def spread_of(log_ratios: Sequence[float]) -> float | None:
    """Return the standard deviation over rounds of one value per round; None with fewer than two."""
    return stdev(log_ratios) if len(log_ratios) > 1 else None


def half_width_at(spread: float, rounds: int) -> float:
    """Return the expected half-width of an interval over so many *rounds*, two or more.

    It is that of Student's interval. The exact ones are as wide within a few percent for normal values. They
    are narrower where a few values lie far out.
    """
    return _student(rounds - 1) * spread / math.sqrt(rounds)


def rounds_for(spread: float, half_width: float, pilot: int) -> int:
    """Return how many rounds bring the half-width down to *half_width*, from a *pilot* of so many rounds.

    n = ⌈(t₍pilot−1₎ · spread / half_width)²⌉ keeps the level whatever the true spread (Stein, A Two-Sample
    Test for a Linear Hypothesis Whose Power is Independent of the Variance, 1945). At least six.
    """
    return max(FEWEST_FOR_INTERVAL, math.ceil((_student(pilot - 1) * spread / half_width) ** 2))


def _student(freedom: int) -> float:
    """Return Student's two-sided quantile at our level.

    Abramowitz & Stegun 26.7.5: three digits from five degrees of freedom on, too small below.
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / math.pow(freedom, power) for power, term in enumerate(terms, start=1))


FEWEST_FOR_SIGNED_RANK = 12  # with fewer, its interval is hardly narrower, and it assumes more
FEWEST_FOR_INTERVAL = 6  # five values reach 1 − 2·½⁵ = 93.75 % at most

Sweep = tuple[int, int]  # round and sweep within it


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value over rounds; low, high and level are None with too few rounds."""

    estimate: float
    low: float | None = None
    high: float | None = None
    level: float | None = None

    def exp(self) -> "Estimate":
        return Estimate(
            estimate=math.exp(self.estimate),
            low=None if self.low is None else math.exp(self.low),
            high=None if self.high is None else math.exp(self.high),
            level=self.level,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What two contenders showed in the sweeps that they share."""

    log_ratios: Mapping[int, float]  # round → median over its pairs
    pairs: int
    dropped: int  # sweeps in which only one of the two has a value above zero


def estimate_of(values: Iterable[float]) -> Estimate | None:
    kept = list(values)
    return _estimate(median(kept), median_interval(kept)) if kept else None


def difference_of(values: Iterable[float]) -> Estimate | None:
    """Return the centre of one paired difference per round, with its interval; None without a round.

    It is the median, and from 12 rounds on Hodges and Lehmann's estimate. The latter assumes symmetry only.
    The order within a sweep is random, so a difference of equals is as likely above zero as
    below it. Single values do not have that property.
    """
    kept = list(values)
    if len(kept) < FEWEST_FOR_SIGNED_RANK:
        return estimate_of(kept)
    return _estimate(hodges_lehmann(kept), signed_rank_interval(kept))


def medians_by_round(values: Mapping[Sweep, float]) -> dict[int, float]:
    rounds: dict[int, list[float]] = {}
    for (number, _), value in sorted(values.items()):
        rounds.setdefault(number, []).append(value)
    return {number: median(swept) for number, swept in rounds.items()}


def paired_log_ratios(values: Mapping[Sweep, float], references: Mapping[Sweep, float]) -> Pairing:
    """Pair two contenders by sweep. A round is missing if no sweep has both values above zero."""
    usable = {sweep for sweep in values.keys() & references.keys() if values[sweep] > 0 < references[sweep]}
    ratios = {sweep: math.log(values[sweep] / references[sweep]) for sweep in usable}
    return Pairing(
        log_ratios=medians_by_round(ratios),
        pairs=len(usable),
        dropped=len((values.keys() | references.keys()) - usable),
    )


def ratio_of(pairing: Pairing) -> Estimate | None:
    logs = difference_of(pairing.log_ratios.values())
    return logs.exp() if logs else None


def _estimate(centre: float, interval: Interval | None) -> Estimate:
    if interval is None:
        return Estimate(estimate=centre)
    return Estimate(estimate=centre, low=interval.low, high=interval.high, level=interval.level)
