"""Which cells of a family lie beyond their margin, with one level of false alarms for all together.

For an action that depends on several cells, such as an exit code. The interval of each row of a table
promises nothing about all rows. Of 18 cells at 2.5 % each, one would be wrong by chance in more than a third
of the runs.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import FEWEST_FOR_INTERVAL, Estimate, narrowest

FALSE_ALARMS = 0.05  # chance of one or more, over all that is judged together
EXACT_ROUNDS = 12  # up to here all 2ⁿ flips are tried, 4096 at most
FLIPS = 10_000  # above that; the observed one is included
SEED = 1  # the same family always gets the same answer
MOST = 1.5  # times the median size: the most that one round counts for
ROUNDING = 1e-9  # sums that differ by less are the same sum, added up in another order

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyCell:
    """One cell of a family: its rounds, and the question about it.

    Is its log-ratio, taken *towards* a side, greater than *log_margin*? Towards 1 is upwards, as when CPU per
    request grows. Towards -1 is downwards, as when throughput falls.
    """

    log_ratios: Mapping[int, float]  # round → paired log-ratio
    log_margin: float
    towards: Literal[1, -1]


def adjusted_p(family: Sequence[FamilyCell]) -> tuple[float, ...]:
    """Return the level (0 to 1) of each member at which the family still has it beyond its margin.

    A member at or below `FALSE_ALARMS` is beyond its margin. The chance that any of them is not is at most
    that level. The margin is subtracted. Then rounds of a member exactly on its margin fall to either side
    alike. So their signs may be flipped. The signs of all members of a round flip together, because one
    disturbance affects all. p is the share of flips in which the greatest statistic reaches the member's own.
    Max-T: Westfall & Young, Resampling-Based Multiple Testing, 1993. Flips of signs: Nichols & Holmes, Human
    Brain Mapping 15, 2002. Members that stand out more are left out of that maximum, because they are already
    decided (step-down: Romano & Wolf, Econometrica 73, 2005).

    Members may lack rounds; none is made up. A member with few rounds cannot reach a small p: with n of its
    own 2⁻ⁿ is the least.
    """
    rounds = sorted({number for member in family for number in member.log_ratios})
    scores = np.array([[held.get(number, 0.0) for number in rounds] for held in map(_scores, family)])
    statistics = scores.reshape(len(family), len(rounds)) @ _flips(len(rounds))
    observed = statistics[:, 0]
    weakest_first = np.argsort(observed, kind="stable")
    greatest = np.maximum.accumulate(statistics[weakest_first])
    stepped = (greatest >= observed[weakest_first, None] - ROUNDING).mean(axis=1)
    adjusted = np.empty(len(family))
    adjusted[weakest_first] = np.maximum.accumulate(stepped[::-1])[::-1]
    return tuple(adjusted.tolist())


def _scores(member: FamilyCell) -> dict[int, float]:
    """Return the score of each round; the sum of the scores is a member's statistic.

    A score is how far the round lies beyond the margin. It is at most `MOST` times the member's median
    distance, so that a burst counts like any round that is slightly off. It is divided by the root of the sum
    of squares, so that members compare. Sizes do not change when signs flip, so the test stays exact (Maritz,
    A Note on Exact Robust Confidence Intervals for Location, Biometrika 66, 1979). Why not ranks: "Several
    cells at once" in docs/methodology.md.
    """
    excess = {
        number: member.towards * ratio - member.log_margin for number, ratio in member.log_ratios.items()
    }
    most = MOST * median(map(abs, excess.values())) if excess else 0.0
    held = {number: max(-most, min(most, beyond)) for number, beyond in excess.items()}
    length = math.hypot(*held.values())
    return {number: score / length for number, score in held.items()} if length else {}


@cache
def _flips(rounds: int) -> Floats:
    """Return a column of signs per flip, the observed one first: all that exist, or a random draw."""
    if rounds <= EXACT_ROUNDS:
        return np.array(list(product((1.0, -1.0), repeat=rounds))).reshape(2**rounds, rounds).T.copy()
    drawn = np.random.default_rng(SEED).choice((1.0, -1.0), size=(rounds, FLIPS - 1))
    return np.hstack([np.ones((rounds, 1)), drawn])


def shift_of(values: Sequence[float], others: Sequence[float]) -> Estimate | None:
    """Return by how much *values* lie above *others*, with its interval; None if either is empty.

    The value is the median of all differences. The interval is [D₍ₖ₎, D₍M₊₁₋ₖ₎] of those M. It misses the
    shift with probability 2·P(U < k). U is the statistic of Mann and Whitney among equals (Hollander, Wolfe &
    Chicken, Nonparametric Statistical Methods, 3rd ed., §4.2 and §4.3). There is no interval if either has
    fewer than six.
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

    P(U ≥ u) among equals, where u is the number of differences beyond the margin (Hollander, Wolfe & Chicken,
    Nonparametric Statistical Methods, 3rd ed., §4.1). A difference exactly on the margin is not counted,
    which can only make p larger.
    """
    beyond = sum(towards * (value - other) > margin for value in values for other in others)
    return _chances_below(len(values), len(others))[len(values) * len(others) - beyond]


def holm(ps: Iterable[float]) -> tuple[float, ...]:
    """Return each p adjusted for all of them: the chance of any false alarm is at most the level.

    The smallest times their number, the next times one less and so on, none below one before it (Holm, A
    Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979).
    """
    ranked = sorted(enumerate(ps), key=lambda ranked: ranked[1])
    stepped = (min(1.0, (len(ranked) - place) * p) for place, (_, p) in enumerate(ranked))
    adjusted = dict(zip((at for at, _ in ranked), accumulate(stepped, max), strict=True))
    return tuple(adjusted[at] for at in range(len(ranked)))


@cache
def _chances_below(m: int, n: int) -> tuple[float, ...]:
    """Return P(U < 1), P(U < 2), … P(U < m·n + 1) = 1 for groups of *m* and *n* equals.

    The number of orders for each U is a coefficient of Gauss's polynomial, the product of (1 − q^(m+i)) / (1
    − q^i) over i = 1…n (Andrews, The Theory of Partitions, §3.2).
    """
    ways = [1] + [0] * (m * n)
    for i in range(1, n + 1):
        for u in range(m * n, m + i - 1, -1):
            ways[u] -= ways[u - m - i]
        for u in range(i, m * n + 1):
            ways[u] += ways[u - i]
    orders = sum(ways)
    return tuple(total / orders for total in accumulate(ways))
