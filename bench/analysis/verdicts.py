"""What may be concluded from a ratio: the one place where a number becomes a word."""

import math
from collections.abc import Mapping
from typing import Literal

from bench.analysis.measures import Metric
from bench.analysis.stats import Estimate

Verdict = Literal["faster", "slower", "equivalent", "inconclusive", "invalid"]

MORE_IS_BETTER: Mapping[Metric, bool] = {"throughput_rps": True, "service_demand_us": False}
MOST_ROUNDS = 200  # beyond them "N more rounds would settle it" is no advice


def verdict_of(metric: Metric, ratio: Estimate | None, margin: float) -> Verdict:
    """Return what *ratio* (contender to reference) says, given a *margin* of 0.05 for 5 %.

    Outside the margin entirely: faster or slower. Inside it entirely: equivalent. Else inconclusive; invalid
    without an interval. The margin is one of logarithms, so that it is the same seen from either side.
    """
    if ratio is None or ratio.low is None or ratio.high is None or ratio.low <= 0:
        return "invalid"
    low, high, bound = math.log(ratio.low), math.log(ratio.high), math.log1p(margin)
    if low > bound or high < -bound:
        return "faster" if (low > bound) == MORE_IS_BETTER[metric] else "slower"
    return "equivalent" if -bound <= low and high <= bound else "inconclusive"


def blocked(metric: Metric, ratio: Estimate, floor: Estimate | None, margin: float) -> bool:
    """Return whether *floor*, a contender against itself, forbids a verdict that *ratio* would give.

    It does where it differs from itself by more than the margin, or by as much as *ratio* says.
    """
    if floor is None or floor.estimate <= 0:
        return False
    if verdict_of(metric, floor, margin) in ("faster", "slower"):
        return True
    return abs(math.log(floor.estimate)) >= abs(math.log(ratio.estimate))


def proven_faster(metric: Metric, ratio: Estimate | None) -> bool:
    """Return whether the interval lies on the better side of 1: what ranks are made of, margins apart."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return False
    return ratio.low > 1 if MORE_IS_BETTER[metric] else ratio.high < 1


def more_rounds(ratio: Estimate, rounds: int, margin: float) -> int | None:
    """Return about how many more rounds would settle an inconclusive *ratio*; None beyond all bearing.

    An interval narrows with the square root of the rounds. It has to clear the nearer edge of the margin,
    on whichever side of it the estimate lies.
    """
    if ratio.low is None or ratio.high is None or ratio.low <= 0:
        return None
    half_width = (math.log(ratio.high) - math.log(ratio.low)) / 2
    distance = abs(abs(math.log(ratio.estimate)) - math.log1p(margin))
    needed = rounds * (half_width / distance) ** 2 if distance else math.inf
    return max(1, math.ceil(needed - rounds)) if needed <= MOST_ROUNDS else None
