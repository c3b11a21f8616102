"""Whether requests were sent as they were drawn: Kolmogorov's test of the gaps between them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

FEWEST = 20  # with fewer gaps the limit law is far off
# By so much a gap may differ from the drawn one: a sleep ends 0.1 ms late, and each send takes its time. At
# 2,000 requests per second that alone would bend each slice, and no latency of a millisecond would show it.
ALLOWED_NS = 250_000


@dataclass(frozen=True, slots=True)
class Law:
    """Erlang's law: of the gaps of a process that sends every *of*-th arrival of a Poisson process."""

    rate_rps: float  # of all arrivals
    of: int = 1

    def share_below(self, gap_ns: int) -> float:
        """Return the share of gaps that are shorter."""
        due = max(0, gap_ns) * self.rate_rps / 1e9
        if self.of == 1:
            return -math.expm1(-due)
        terms = accumulate(range(1, self.of), lambda term, number: term * due / number, initial=1.0)
        return 1 - math.exp(-due) * sum(terms)


def bend(sent_ns: Iterable[int], law: Law, *, allowed_ns: int = ALLOWED_NS) -> float | None:
    """Return how far the gaps between sends are from the *law* that they were drawn from.

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
            (place + 1) / count - law.share_below(gap + allowed_ns),
            law.share_below(gap - allowed_ns) - place / count,
        )
        for place, gap in enumerate(gaps)
    )
    return distance * (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count))


def worst_bend(bends: Sequence[float]) -> float | None:
    """Return the largest bend of several processes, as large as one alone is by the same chance.

    The chance of a bend x is 2 exp(−2 x²). Of n processes the largest is as likely as n times that, at most
    (Bonferroni).
    """
    return math.sqrt(max(0.0, max(bends) ** 2 - math.log(len(bends)) / 2)) if bends else None
