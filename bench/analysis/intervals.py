"""Where the centre of a few values lies: exact intervals, for any distribution.

The median's order statistics assume nothing but independence. The signed-rank interval is narrower; it
assumes that values spread alike to both sides, which random order within every sweep gives the log-ratios
of equal contenders by design.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, combinations_with_replacement
from statistics import median

LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the centre lies, with the probability that it does (0 to 1)."""

    low: float
    high: float
    level: float


def median_interval(values: Iterable[float], level: float = LEVEL) -> Interval | None:
    """Return the narrowest order-statistic interval of the median that reaches *level*; None where none does.

    [x₍ₖ₎, x₍ₙ₊₁₋ₖ₎] misses the median with probability 2·P(Binomial(n, ½) < k), whatever the values'
    distribution (David & Nagaraja, Order Statistics, 3rd ed., §7.1).
    """
    ordered = sorted(values)
    n = len(ordered)
    chances = accumulate(math.comb(n, i) / 2**n for i in range(n // 2))
    return narrowest(ordered, chances, level)


def narrowest(
    ordered: Sequence[float], chances_below: Iterable[float], level: float = LEVEL
) -> Interval | None:
    """Return the narrowest [x₍ₖ₎, x₍ₙ₊₁₋ₖ₎] of *ordered* that reaches *level*; None where none does.

    *chances_below* are P(S < 1), P(S < 2), … of the statistic whose two tails decide: each such interval
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
    """Return the median of the Walsh averages of *values*, of which there is at least one.

    Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3rd ed., §3.2.
    """
    return median(walsh_averages(values))


def signed_rank_interval(values: Iterable[float], level: float = LEVEL) -> Interval | None:
    """Return the narrowest interval of the centre that reaches *level*; None where none does.

    [W₍ₖ₎, W₍M₊₁₋ₖ₎] over the M Walsh averages misses the centre with probability 2·P(T < k), where T is
    Wilcoxon's signed-rank statistic under symmetry (ibid., §3.3).
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
