"""Figures as a submission states them: rounded, and histograms with wider buckets."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import accumulate

from bench.analysis.measures import Latency
from bench.analysis.statistics import Estimate
from bench.histogram import Histogram
from bench.site.submission import Figures, StatedLatency, Thinned

EXACT = 8  # digits of what ratios are computed from; a ratio of two is then right to 1e-7
STATED = 6  # digits of everything else


def thinned(found: Histogram, bits: int) -> Thinned:
    """Return *found* with buckets 2^bits times as wide."""
    return _thinned(zip(found.buckets, found.counts, strict=True), bits, bits)


def wider(found: Thinned) -> Thinned:
    """Return *found* with buckets twice as wide."""
    return _thinned(zip(accumulate(found.buckets), found.counts, strict=True), 1, found.bits + 1)


def _thinned(counted: Iterable[tuple[int, int]], dropped: int, bits: int) -> Thinned:
    """Return counts by wider buckets, with differences in place of all numbers but the first."""
    counts: dict[int, int] = {}
    for bucket, count in counted:
        counts[bucket >> dropped] = counts.get(bucket >> dropped, 0) + count
    ordered = sorted(counts)
    return Thinned(
        bits=bits,
        buckets=tuple(after - before for before, after in zip([0, *ordered], ordered, strict=False)),
        counts=tuple(counts[bucket] for bucket in ordered),
    )


def latency_of(found: Latency) -> StatedLatency:
    known = {name.removesuffix("_ms"): digits_of(value, STATED) for name, value in asdict(found).items()}
    return StatedLatency(**known)


def figures_of(found: Estimate | None, digits: int = EXACT) -> Figures | None:
    if found is None:
        return None
    return (
        digits_of(found.estimate, digits) or 0.0,
        digits_of(found.low, digits),
        digits_of(found.high, digits),
        digits_of(found.level, digits),
    )


def window_of(found: Sequence[float | None]) -> float | tuple[float | None, ...]:
    lengths = {one for one in found if one is not None}
    if len(lengths) == 1:
        return digits_of(lengths.pop(), EXACT + 2) or 0.0
    return tuple(digits_of(one, EXACT + 2) for one in found)


def digits_of(value: float | None, digits: int) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded
