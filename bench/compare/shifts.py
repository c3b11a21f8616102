"""By how much one group of values lies above another, where nothing pairs the two.

Exact for any distribution; assumed is that the groups differ by a shift and in nothing else.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from statistics import median
from typing import Literal

from bench.analysis.intervals import narrowest
from bench.analysis.stats import FEWEST_FOR_INTERVAL, Estimate


def shift_of(values: Sequence[float], others: Sequence[float]) -> Estimate | None:
    """Return by how much *values* lie above *others*, with its interval; None where either is empty.

    The median of all differences, and [D₍ₖ₎, D₍M₊₁₋ₖ₎] of those M, which misses the shift with probability
    2·P(U < k), where U is the statistic of Mann and Whitney among equals (Hollander, Wolfe & Chicken,
    Nonparametric Statistical Methods, 3rd ed., §4.2 and §4.3). No interval where either has fewer than six.
    """
    differences = sorted(value - other for value in values for other in others)
    if not differences:
        return None
    interval = None
    if min(len(values), len(others)) >= FEWEST_FOR_INTERVAL:
        interval = narrowest(differences, _chances_below(len(values), len(others)))
    if interval is None:
        return Estimate(estimate=median(differences))
    return Estimate(estimate=median(differences), low=interval.low, high=interval.high, level=interval.level)


def p_beyond(
    values: Sequence[float], others: Sequence[float], margin: float, towards: Literal[1, -1]
) -> float:
    """Return the one-sided p that *values* lie more than *margin* above (1) or below (-1) *others*.

    P(U ≥ u) among equals, u being how many differences lie beyond the margin (ibid., §4.1). One that lies
    right on it is not counted, which can only make p larger.
    """
    beyond = sum(towards * (value - other) > margin for value in values for other in others)
    return _chances_below(len(values), len(others))[len(values) * len(others) - beyond]


def holm(ps: Iterable[float]) -> tuple[float, ...]:
    """Return each p as it has to be read where any of them counts: at most that chance of a false alarm.

    The smallest times their number, the next times one less and so on, none below one before it (Holm,
    A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979).
    """
    ranked = sorted(enumerate(ps), key=lambda ranked: ranked[1])
    stepped = (min(1.0, (len(ranked) - place) * p) for place, (_, p) in enumerate(ranked))
    adjusted = dict(zip((at for at, _ in ranked), accumulate(stepped, max), strict=True))
    return tuple(adjusted[at] for at in range(len(ranked)))


@cache
def _chances_below(m: int, n: int) -> tuple[float, ...]:
    """Return P(U < 1), P(U < 2), … P(U < m·n + 1) = 1 for groups of *m* and *n* equals.

    How many orders give each U are the coefficients of Gauss's polynomial, the product of
    (1 − q^(m+i)) / (1 − q^i) over i = 1…n (Andrews, The Theory of Partitions, §3.2).
    """
    ways = [1] + [0] * (m * n)
    for i in range(1, n + 1):
        for u in range(m * n, m + i - 1, -1):
            ways[u] -= ways[u - m - i]
        for u in range(i, m * n + 1):
            ways[u] += ways[u - i]
    orders = sum(ways)
    return tuple(total / orders for total in accumulate(ways))
