"""What a slice measures, and how the slices of a round are combined."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, median

from bench.analysis.statistics import (
    FEWEST_FOR_INTERVAL,
    LEVEL,
    Estimate,
    Sweep,
    half_width_at,
    medians_by_round,
    paired_log_ratios,
)
from bench.histogram import Histogram, bucket_of
from bench.loads import Metric
from bench.model.cell import Cell
from bench.project.heats import groups
from bench.records import Record, Run, Sample

Measure = Callable[[Record], float | None]


def throughput_rps(record: Record) -> float:
    return record.sample.throughput_rps


def server_cores(record: Record) -> float | None:
    return _per_second(record.usage.server_cpu_s, record.usage.elapsed_s)


def database_cores(record: Record) -> float | None:
    return _per_second(record.usage.database_cpu_s, record.usage.elapsed_s)


def client_cores(record: Record) -> float | None:
    return _per_second(record.sample.client_cpu_s, record.sample.window_s)


def power_w(record: Record) -> float | None:
    """Return the machine's power, client included."""
    return _per_second(record.usage.energy_j, record.usage.elapsed_s)


def server_us(record: Record) -> float | None:
    return _per_response(server_cores(record), record)


def database_us(record: Record) -> float | None:
    return _per_response(database_cores(record), record)


def client_us(record: Record) -> float | None:
    return _per_response(client_cores(record), record)


def energy_uj(record: Record) -> float | None:
    return _per_response(power_w(record), record)


def _per_second(spent: float | None, watched_s: float) -> float | None:
    return None if spent is None or not watched_s else spent / watched_s


def _per_response(per_second: float | None, record: Record) -> float | None:
    """Return what a verified response takes, in millionths. The window was watched a little longer."""
    answers = answers_in_window(record)
    return None if per_second is None or not answers else per_second * record.sample.window_s / answers * 1e6


def answers_in_window(record: Record) -> int:
    """Return the right answers that the CPU time of a window was spent on.

    In an open loop these are not all answers to what was due in it: a server that falls behind goes on
    working after its window, unwatched.
    """
    sample = record.sample
    return sample.requests if sample.answered is None else sample.answered


def rate_rps(records: Sequence[Record]) -> float | None:
    """Return the median rate in requests per second; None in a closed loop or without records."""
    rates = [record.slice.rate_rps for record in records if record.slice.rate_rps is not None]
    return median(rates) if rates else None


def is_idle(record: Record) -> bool:
    """Whether no request was due or under way."""
    return record.sample.due == 0 and record.sample.slice_requests == 0


IDLE_SHARE = 0.1  # of the windows, at least: fewer idle ones hardly bend the quotients of the others


def nearly_idle(records: Sequence[Record], per_second: Measure) -> float | None:
    """Return what a response takes, in millionths, at a rate so low that windows are idle; None at any other.

    What is spent in idle windows goes on at all times, and the requests of a second share it. What is spent
    beyond it in the other windows is of their own requests. Quotients of windows leave out those without one.
    """
    rate, counted = rate_rps(records), [record for record in records if record.void is None]
    spent = [(record, used) for record in counted if (used := per_second(record)) is not None]
    idle = [used for record, used in spent if is_idle(record)]
    requests = sum(record.sample.requests for record, _ in spent)
    if not rate or not requests or not idle or len(idle) < IDLE_SHARE * len(spent):
        return None
    background = mean(idle)
    own = sum((used - background) * record.sample.window_s for record, used in spent if not is_idle(record))
    return (background / rate + max(0.0, own) / requests) * 1e6


METRICS: Mapping[Metric, Measure] = {
    "throughput_rps": throughput_rps,
    "service_demand_us": server_us,
}


def by_cell(run: Run) -> dict[Cell, list[Record]]:
    """Group the records by cell in the plan's order, without warm-up, with voids.

    Rounds whose windows turned out to be too short do not count: later ones of the cell have other windows.
    """
    contenders = {contender.name: contender for contender in run.contenders}
    planned = [group.cell(name) for group in groups(run.plan, contenders) for name in group.contenders]
    grouped: dict[Cell, list[Record]] = {cell: [] for cell in planned}
    for record in with_last_windows(run.records):
        grouped.setdefault(record.slice.cell, []).append(record)
    return {cell: records for cell, records in grouped.items() if records}


def with_last_windows(records: Iterable[Record]) -> list[Record]:
    """Return the counted records whose windows are as long as the last ones of their cells."""
    counted = [record for record in records if record.slice.role in ("measure", "control")]
    windows_s = {record.slice.cell: record.slice.window_s for record in counted}
    return [record for record in counted if record.slice.window_s == windows_s[record.slice.cell]]


def by_sweep(records: Iterable[Record], measure: Measure) -> dict[Sweep, float]:
    """Return the value of each sweep of one cell; voids and unknown values are left out."""
    found = {
        (record.slice.round, record.slice.sweep): measure(record) for record in records if record.void is None
    }
    return {sweep: number for sweep, number in found.items() if number is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A fresh start of everything, as one cell measured it; None where no value counts."""

    number: int
    throughput_rps: float | None
    ratio: float | None  # of the main metric to the reference
    service_demand_us: float | None
    memory_bytes: int | None
    requests: int
    failed: int
    voids: int


def rounds_of(run: Run) -> Mapping[Cell, tuple[Round, ...]]:
    """Return the rounds of every cell, in order: medians over sweeps, which the estimates use."""
    measured = by_cell(run)
    return {
        cell: _rounds(
            cell, records, measured.get(replace(cell, contender=run.plan.reference_of(cell.contender)), ())
        )
        for cell, records in measured.items()
    }


def _rounds(cell: Cell, records: Sequence[Record], references: Sequence[Record]) -> tuple[Round, ...]:
    main = METRICS[cell.load.metrics[0]]
    rates = medians_by_round(by_sweep(records, throughput_rps))
    demands = medians_by_round(by_sweep(records, server_us))
    ratios = paired_log_ratios(by_sweep(records, main), by_sweep(references, main)).log_ratios
    numbers = sorted({record.slice.round for record in records})
    return tuple(
        _round([record for record in records if record.slice.round == number], rates, demands, ratios)
        for number in numbers
    )


def _round(
    records: Sequence[Record],
    rates: Mapping[int, float],
    demands: Mapping[int, float],
    log_ratios: Mapping[int, float],
) -> Round:
    number = records[0].slice.round
    counted = [record for record in records if record.void is None]
    kept = [size for record in counted if (size := record.usage.memory_bytes) is not None]
    log_ratio = log_ratios.get(number)
    return Round(
        number=number,
        throughput_rps=rates.get(number),
        ratio=None if log_ratio is None else math.exp(log_ratio),
        service_demand_us=demands.get(number),
        memory_bytes=max(kept, default=None),
        requests=sum(record.sample.requests for record in counted),
        failed=sum(record.sample.failed for record in counted),
        voids=len(records) - len(counted),
    )


PERCENTS = (50.0, 90.0, 99.0, 99.9)  # those with intervals
FEWEST_BEYOND = 20  # observations above a percentile: with fewer it depends on a handful of requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long requests took; None where too few were observed. Mean and maximum are of answers."""

    mean_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p99_9_ms: float | None
    max_ms: float | None

    @classmethod
    def of(cls, latencies: Histogram, unanswered: int = 0) -> "Latency":
        return cls(
            mean_ms=latencies.mean_ms(),
            p50_ms=percentile_ms(latencies, 50, unanswered),
            p90_ms=percentile_ms(latencies, 90, unanswered),
            p95_ms=percentile_ms(latencies, 95, unanswered),
            p99_ms=percentile_ms(latencies, 99, unanswered),
            p99_9_ms=percentile_ms(latencies, 99.9, unanswered),
            max_ms=latencies.max_ns / 1e6 if latencies.count else None,
        )


def percentile_ms(latencies: Histogram, percent: float, unanswered: int = 0) -> float | None:
    """Return a percentile in ms; None with fewer than 20 observations beyond it, or beyond all answers."""
    outer = min(percent, 100 - percent)
    beyond = round((latencies.count + unanswered) * outer / 100, 6)  # 99.9 has no exact binary form
    return latencies.percentile_ms(percent, unanswered) if beyond >= FEWEST_BEYOND else None


def percentile_over_rounds(
    rounds: Sequence[Histogram], percent: float, unanswered: Sequence[int] = ()
) -> Estimate | None:
    """Return a percentile of all rounds together in ms, with an interval; None as in `percentile_ms`.

    Requests of a round depend on each other, so rounds are the units. The share below the percentile has an
    error over rounds, as of a ratio of totals. Its interval, turned back into times, is the percentile's
    (Woodruff, Confidence Intervals for Medians and Other Position Measures, 1952). There is none with fewer
    than six rounds, or where it would end beyond all requests. *unanswered* are the requests of each round
    that are beyond all others; () if there are none.
    """
    merged, count, lost = Histogram.merged(rounds), len(rounds), sum(unanswered)
    found = percentile_ms(merged, percent, lost)
    if found is None or count < FEWEST_FOR_INTERVAL:
        return None if found is None else Estimate(estimate=found)
    place = bucket_of(round(found * 1e6))
    # Many requests may have taken equally long: then those below differ from those not above.
    requests = [one.count + more for one, more in zip(rounds, unanswered or [0] * count, strict=True)]
    spread = max(_spread_of_share(rounds, requests, last) for last in (place, place - 1))
    half = 100 * half_width_at(spread, count)
    low = merged.percentile_ms(percent - half, lost) if half < percent else None
    high = merged.percentile_ms(percent + half, lost) if percent + half < 100 else None
    if low is None or high is None:
        return Estimate(estimate=found)
    return Estimate(estimate=found, low=low, high=high, level=LEVEL)


def _spread_of_share(rounds: Sequence[Histogram], requests: Sequence[int], last: int) -> float:
    """Return the standard deviation over rounds of the share of *requests* up to bucket *last*."""
    below = [
        sum(count for bucket, count in zip(one.buckets, one.counts, strict=True) if bucket <= last)
        for one in rounds
    ]
    total = sum(requests)
    share = sum(below) / total
    off = [number - of_round * share for number, of_round in zip(below, requests, strict=True)]
    return len(rounds) / total * math.sqrt(sum(one**2 for one in off) / (len(rounds) - 1))


def fewest_for(percent: float) -> int:
    """Return how many requests show *percent*: 20 are then beyond it."""
    return round(FEWEST_BEYOND / (1 - percent / 100))


def percentiles_of(records: Iterable[Record]) -> Mapping[float, Estimate | None]:
    """Return PERCENTS of latency in ms over the rounds of records that count."""
    by_round: dict[int, list[Sample]] = {}
    for record in records:
        by_round.setdefault(record.slice.round, []).append(record.sample)
    rounds = [Histogram.merged(one.latency for one in found) for found in by_round.values()]
    unanswered = [sum(one.unfinished for one in found if one.due is not None) for found in by_round.values()]
    return {percent: percentile_over_rounds(rounds, percent, unanswered) for percent in PERCENTS}


def last_percent(count: int) -> float:
    """Return the highest percentile that *count* observations can show; 0 if none."""
    return max(0.0, 100 * (1 - FEWEST_BEYOND / count)) if count else 0.0
