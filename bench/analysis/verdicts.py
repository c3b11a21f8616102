"""What may be concluded from a ratio: the one place where a number becomes a word."""

import math
from collections.abc import Mapping
from typing import Literal

from bench.analysis.measures import Metric
from bench.analysis.stats import Estimate

Verdict = Literal["faster", "slower", "equivalent", "inconclusive", "invalid"]

# Changes too small to act on, unless the plan says otherwise. CPU per request is the steadier of the two.
MARGINS: Mapping[Metric, float] = {"throughput_rps": 0.05, "service_demand_us": 0.03}
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
