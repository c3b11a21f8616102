"""Whether requests were sent as they were drawn: Kolmogorov's test of the gaps between them."""

import math
from collections.abc import Iterable
from itertools import pairwise

FEWEST = 20  # with fewer gaps the limit law is far off


def bend(sent_ns: Iterable[int], rate_rps: float) -> float | None:
    """Return how far the gaps between sends are from the exponential law of *rate_rps*.

    It is D (√n + 0.12 + 0.11 / √n), which has one law for all n (Stephens, EDF Statistics for Goodness of
    Fit, 1974, case 0). None with too few gaps.
    """
    gaps = sorted(later - one for one, later in pairwise(sent_ns))
    count = len(gaps)
    if count < FEWEST:
        return None
    shares = [-math.expm1(-max(0, gap) * rate_rps / 1e9) for gap in gaps]
    distance = max(
        max((place + 1) / count - share, share - place / count) for place, share in enumerate(shares)
    )
    return distance * (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count))
