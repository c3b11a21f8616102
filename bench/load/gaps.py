"""Whether requests were sent as they were drawn: Kolmogorov's test of the gaps between them."""

import math
from collections.abc import Iterable
from itertools import pairwise

FEWEST = 20  # with fewer gaps the limit law is far off
# By so much a gap may differ from the drawn one: a sleep ends 0.1 ms late, and each send takes its time. At
# 2,000 requests per second that alone would bend each slice, and no latency of a millisecond would show it.
ALLOWED_NS = 250_000


def bend(sent_ns: Iterable[int], rate_rps: float, *, allowed_ns: int = ALLOWED_NS) -> float | None:
    """Return how far the gaps between sends are from the exponential law of *rate_rps*.

    It is D (√n + 0.12 + 0.11 / √n), which has one law for all n (Stephens, EDF Statistics for Goodness of
    Fit, 1974, case 0). In D each gap may differ by *allowed_ns* in the law's favour: so the chance of a large
    one is at most that of the law. None with too few gaps.
    """
    gaps = sorted(later - one for one, later in pairwise(sent_ns))
    count = len(gaps)
    if count < FEWEST:
        return None
    distance = max(
        max(
            (place + 1) / count - _share(gap + allowed_ns, rate_rps),
            _share(gap - allowed_ns, rate_rps) - place / count,
        )
        for place, gap in enumerate(gaps)
    )
    return distance * (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count))


def _share(gap_ns: int, rate_rps: float) -> float:
    """Return the share of gaps that are shorter, by the law."""
    return -math.expm1(-max(0, gap_ns) * rate_rps / 1e9)
