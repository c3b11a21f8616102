"""How many rounds an interval of a wanted width takes: from the spread alone, which hides the effect."""

import math
from collections.abc import Sequence
from statistics import NormalDist, stdev

from bench.analysis.intervals import LEVEL
from bench.analysis.stats import FEWEST_FOR_INTERVAL


def spread_of(log_ratios: Sequence[float]) -> float | None:
    """Return the standard deviation over rounds of one value per round; None with fewer than two."""
    return stdev(log_ratios) if len(log_ratios) > 1 else None


def half_width_at(spread: float, rounds: int) -> float:
    """Return the half-width to be expected of an interval over so many *rounds*, two or more.

    That of Student's interval; the exact ones are as wide within a few percent where values are normal, and
    narrower where a few of them lie far out.
    """
    return _student(rounds - 1) * spread / math.sqrt(rounds)


def rounds_for(spread: float, half_width: float, pilot: int) -> int:
    """Return how many rounds bring the half-width down to *half_width*, told from *pilot* of them.

    n = ⌈(t₍pilot−1₎ · spread / half_width)²⌉ keeps the level whatever the true spread (Stein, A Two-Sample
    Test for a Linear Hypothesis Whose Power is Independent of the Variance, 1945); six at least.
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
