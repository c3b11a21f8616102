"""From the records of a run to a row per cell."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.measures import (
    Measure,
    by_cell,
    by_sweep,
    client_us,
    database_us,
    server_us,
    throughput_rps,
)
from bench.analysis.stats import Estimate, estimate_of, medians_by_round
from bench.histogram import Histogram
from bench.model import Cell
from bench.records import Record, Run

SAME_AGAIN = "~aa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles over every verified response of a cell; None where there was none."""

    mean_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p99_9_ms: float | None
    max_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """Cores used while windows were open: CPU seconds per second; None where the system does not tell."""

    server: float | None
    client: float | None
    database: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a run says of one cell. CPU times are per verified response."""

    cell: Cell
    stack: str
    rounds: int
    slices: int
    throughput_rps: Estimate | None
    latency: Latency
    latencies: Histogram  # of every verified response
    service_demand_us: Estimate | None
    database_us: Estimate | None
    client_us: Estimate | None
    memory_peak_bytes: int | None
    requests: int
    failures: Mapping[str, int]  # kind → count
    examples: tuple[str, ...]  # the first failures
    unfinished: int
    voids: Mapping[str, int]  # evidence → slices
    utilisation: Utilisation
    in_flight: float | None  # by Little's law: throughput × mean latency
    caveats: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """Responses that were wrong or did not come."""
        return sum(self.failures.values())

    @property
    def is_control(self) -> bool:
        """Whether it repeats another contender, to show what noise alone does."""
        return self.cell.contender.endswith(SAME_AGAIN)


def rows(run: Run) -> tuple[Row, ...]:
    """Return a row for every cell that was measured, in the plan's order."""
    stacks = {contender.name: contender.stack for contender in run.contenders}
    return tuple(_row(cell, stacks[cell.contender], records) for cell, records in by_cell(run).items())


def _over_rounds(records: Iterable[Record], measure: Measure) -> Estimate | None:
    return estimate_of(medians_by_round(by_sweep(records, measure)).values())


def _row(cell: Cell, stack: str, records: Sequence[Record]) -> Row:
    counted = [record for record in records if record.void is None]
    samples = [record.sample for record in counted]
    merged = Histogram.merged(sample.latency for sample in samples)
    window_s = sum(sample.window_s for sample in samples)
    return Row(
        cell=cell,
        stack=stack,
        rounds=len({record.slice.round for record in counted}),
        slices=len(counted),
        throughput_rps=_over_rounds(counted, throughput_rps),
        latency=_latency(merged),
        latencies=merged,
        service_demand_us=_over_rounds(counted, server_us),
        database_us=_over_rounds(counted, database_us),
        client_us=_over_rounds(counted, client_us),
        memory_peak_bytes=max(
            (kept for record in counted if (kept := record.usage.memory_bytes) is not None), default=None
        ),
        requests=merged.count,
        failures=sum((Counter(sample.failures) for sample in samples), Counter()),
        examples=tuple(dict.fromkeys(example for sample in samples for example in sample.examples))[:3],
        unfinished=sum(sample.unfinished for sample in samples),
        voids=Counter(record.void for record in records if record.void is not None),
        utilisation=_utilisation(counted),
        in_flight=merged.total_ns / 1e9 / window_s if window_s else None,
    )


def _latency(merged: Histogram) -> Latency:
    return Latency(
        mean_ms=merged.mean_ms(),
        p50_ms=merged.percentile_ms(50),
        p90_ms=merged.percentile_ms(90),
        p95_ms=merged.percentile_ms(95),
        p99_ms=merged.percentile_ms(99),
        p99_9_ms=merged.percentile_ms(99.9),
        max_ms=merged.max_ns / 1e6 if merged.count else None,
    )


def _utilisation(counted: Sequence[Record]) -> Utilisation:
    return Utilisation(
        server=_cores((record.usage.server_cpu_s, record.usage.elapsed_s) for record in counted),
        client=_cores((record.sample.client_cpu_s, record.sample.window_s) for record in counted),
        database=_cores((record.usage.database_cpu_s, record.usage.elapsed_s) for record in counted),
    )


def _cores(spent: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(cpu_s, watched_s) for cpu_s, watched_s in spent if cpu_s is not None]
    watched_s = sum(watched_s for _, watched_s in known)
    return sum(cpu_s for cpu_s, _ in known) / watched_s if watched_s else None
