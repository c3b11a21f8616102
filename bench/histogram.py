"""Sparse log-linear histograms of durations: the only form in which latencies are kept."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

# A bucket keeps the leading 10 bits of a duration, so it is at most 1/512 of its value wide. Its midpoint is
# at most 1/1024 (0.1 %) away from anything in it. Durations below 1,024 ns are exact.
_BITS = 10


def bucket_of(duration_ns: int) -> int:
    """Return the bucket that holds *duration_ns* (≥ 0); monotonic in the duration."""
    shift = duration_ns.bit_length() - _BITS
    return duration_ns if shift <= 0 else (shift << (_BITS - 1)) + (duration_ns >> shift)


def midpoint_ns(bucket: int) -> float:
    """Return the middle of *bucket*, in nanoseconds: the inverse of `bucket_of` within 0.1 %."""
    if bucket < 1 << _BITS:
        return float(bucket)
    shift = (bucket >> (_BITS - 1)) - 1
    leading = bucket - (shift << (_BITS - 1))
    return ((leading << shift) + ((leading + 1) << shift) - 1) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of durations by bucket, ascending; `total_ns` and `max_ns` are exact."""

    buckets: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    total_ns: int = 0
    max_ns: int = 0

    @classmethod
    def of(cls, durations_ns: Iterable[int]) -> "Histogram":
        """Return the histogram of *durations_ns* (whole nanoseconds, ≥ 0)."""
        kept = list(durations_ns)
        counted = sorted(Counter(map(bucket_of, kept)).items())
        return cls(
            buckets=tuple(bucket for bucket, _ in counted),
            counts=tuple(count for _, count in counted),
            total_ns=sum(kept),
            max_ns=max(kept, default=0),
        )

    @classmethod
    def merged(cls, parts: Iterable["Histogram"]) -> "Histogram":
        counted: Counter[int] = Counter()
        total_ns = max_ns = 0
        for part in parts:
            for bucket, count in zip(part.buckets, part.counts, strict=True):
                counted[bucket] += count
            total_ns += part.total_ns
            max_ns = max(max_ns, part.max_ns)
        ordered = sorted(counted.items())
        return cls(
            buckets=tuple(bucket for bucket, _ in ordered),
            counts=tuple(count for _, count in ordered),
            total_ns=total_ns,
            max_ns=max_ns,
        )

    @property
    def count(self) -> int:
        return sum(self.counts)

    def mean_ms(self) -> float | None:
        return self.total_ns / self.count / 1e6 if self.count else None

    def share_above(self, limit_ms: float) -> float:
        """Return the share of durations above *limit_ms* (0 to 1); 0 when empty."""
        limit = bucket_of(round(limit_ms * 1e6))
        above = sum(count for bucket, count in zip(self.buckets, self.counts, strict=True) if bucket > limit)
        return above / self.count if self.count else 0.0

    def percentile_ms(self, percent: float, beyond: int = 0) -> float | None:
        """Return the smallest duration that at least *percent* % do not exceed (nearest rank), in ms.

        *beyond* more durations are known only to be longer than all others. None when empty, and if the rank
        is one of those.
        """
        rank = max(1, -(-(self.count + beyond) * percent // 100))
        if rank > self.count:
            return None
        for bucket, reached in zip(self.buckets, accumulate(self.counts), strict=True):
            if reached >= rank:
                return min(midpoint_ns(bucket), self.max_ns) / 1e6
        raise AssertionError("a rank lies beyond the last bucket")
