"""Checks the sums of a sample and merges the samples of several processes. Imports no Locust."""

from collections import Counter
from collections.abc import Sequence

from bench.histogram import Histogram
from bench.load.gaps import worst_bend
from bench.model.cell import Slice
from bench.records import EventTimes, Sample

TOLERANCE = 0.01  # of connections × window: switching ledgers at its two edges takes time too
EXAMPLES = 5


def imbalance(step: Slice, sample: Sample) -> str | None:
    """Return which sum does not hold, or None. The share of a lost worker is missing in every sum.

    The same is true of the unfinished part of a slice that had to end early.
    """
    if sample.lost_workers or sample.broken:
        return None
    if sample.locust_requests != sample.slice_requests:
        return f"Locust counted {sample.locust_requests:,} requests, we {sample.slice_requests:,}"
    if sample.due is not None:
        found = sample.requests + sample.failed + sample.unfinished
        if found != sample.due:
            return f"{sample.due:,} requests were due, {found:,} are accounted for"
        return None
    if sample.client:
        return None  # what users do between two requests is their own affair
    available_s = step.cell.load.connections * sample.window_s
    if abs(sample.occupied_s / available_s - 1) > TOLERANCE:
        return (
            f"{step.cell.load.connections} connections had {available_s:.4g} s, "
            f"{sample.occupied_s:.4g} s of them are accounted for"
        )
    return None


def merged(samples: Sequence[Sample], *, window_s: float) -> Sample:
    """Merge the samples of several processes, each with its share of one slice, into one."""
    failures: Counter[str] = Counter()
    for sample in samples:
        failures.update(sample.failures)
    known = [sample.due for sample in samples if sample.due is not None]
    answered = [sample.answered for sample in samples if sample.answered is not None]
    times = [sample.events for sample in samples if sample.events]
    return Sample(
        window_s=window_s,
        latency=Histogram.merged(sample.latency for sample in samples),
        service=_merged([sample.service for sample in samples]),
        lag=_merged([sample.lag for sample in samples]),
        wake=_merged([sample.wake for sample in samples]),
        bend=worst_bend([sample.bend for sample in samples if sample.bend is not None]),
        due=sum(known) if known else None,
        answered=sum(answered) if answered else None,
        events=EventTimes.merged(times) if times else None,
        queued=sum(sample.queued for sample in samples),
        failures=dict(failures),
        examples=tuple(example for sample in samples for example in sample.examples)[:EXAMPLES],
        unfinished=sum(sample.unfinished for sample in samples),
        occupied_s=sum(sample.occupied_s for sample in samples),
        connects=sum(sample.connects for sample in samples),
        received_bytes=sum(sample.received_bytes for sample in samples),
        client_cpu_s=sum(sample.client_cpu_s for sample in samples),
        locust_requests=sum(sample.locust_requests for sample in samples),
        slice_requests=sum(sample.slice_requests for sample in samples),
        broken=next((sample.broken for sample in samples if sample.broken), ""),
        setup_requests=sum(sample.setup_requests for sample in samples),
        setup_failed=sum(sample.setup_failed for sample in samples),
        setup_s=max((sample.setup_s for sample in samples), default=0.0),
        client=next((sample.client for sample in samples if sample.client), ""),
    )


def _merged(histograms: Sequence[Histogram | None]) -> Histogram | None:
    there = [histogram for histogram in histograms if histogram is not None]
    return Histogram.merged(there) if there else None
