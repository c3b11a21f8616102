"""Percentiles, told only where enough was seen beyond them."""

from dataclasses import dataclass

from bench.histogram import Histogram

FEWEST_BEYOND = 20  # observations above a percentile: with fewer it is the tale of a handful of requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long requests took; None where too few were seen to tell. Mean and maximum are of answers."""

    mean_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p99_9_ms: float | None
    max_ms: float | None

    @classmethod
    def of(cls, seen: Histogram, unanswered: int = 0) -> "Latency":
        """Return it for durations *seen*; *unanswered* requests took longer than any of them."""
        return cls(
            mean_ms=seen.mean_ms(),
            p50_ms=told_ms(seen, 50, unanswered),
            p90_ms=told_ms(seen, 90, unanswered),
            p95_ms=told_ms(seen, 95, unanswered),
            p99_ms=told_ms(seen, 99, unanswered),
            p99_9_ms=told_ms(seen, 99.9, unanswered),
            max_ms=seen.max_ns / 1e6 if seen.count else None,
        )


def told_ms(seen: Histogram, percent: float, unanswered: int = 0) -> float | None:
    """Return a percentile in ms; None with fewer than 20 observations beyond it, and beyond all answers."""
    beyond = round((seen.count + unanswered) * (100 - percent) / 100, 6)  # 99.9 has no exact binary form
    return seen.percentile_ms(percent, unanswered) if beyond >= FEWEST_BEYOND else None


def last_percent(count: int) -> float:
    """Return the highest percentile that *count* observations can tell; 0 where none."""
    return max(0.0, 100 * (1 - FEWEST_BEYOND / count)) if count else 0.0
