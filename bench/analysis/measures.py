"""What one slice says, and the slices of a run by cell and by sweep."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Literal

from bench.analysis.stats import Sweep
from bench.model import Cell, Load
from bench.project.heats import groups
from bench.records import Record, Run

Metric = Literal["throughput_rps", "service_demand_us"]
Measure = Callable[[Record], float | None]


def _cpu_us(cpu_s: float | None, watched_s: float, record: Record) -> float | None:
    """Return CPU time per verified response, in µs; *watched_s* need not be quite the window."""
    if cpu_s is None or not watched_s or not record.sample.requests:
        return None
    return cpu_s / watched_s / record.sample.throughput_rps * 1e6


def throughput_rps(record: Record) -> float:
    """Return the verified responses per second of a slice."""
    return record.sample.throughput_rps


def server_us(record: Record) -> float | None:
    """Return the server's CPU time per verified response of a slice, in µs."""
    return _cpu_us(record.usage.server_cpu_s, record.usage.elapsed_s, record)


def database_us(record: Record) -> float | None:
    """Return the database's CPU time per verified response of a slice, in µs."""
    return _cpu_us(record.usage.database_cpu_s, record.usage.elapsed_s, record)


def client_us(record: Record) -> float | None:
    """Return the load generator's CPU time per verified response of a slice, in µs."""
    return _cpu_us(record.sample.client_cpu_s, record.sample.window_s, record)


def rate_rps(records: Sequence[Record]) -> float | None:
    """Return at how many requests per second one cell was asked; None in a closed loop, or of no records."""
    rates = [record.slice.rate_rps for record in records if record.slice.rate_rps is not None]
    return median(rates) if rates else None


METRICS: Mapping[Metric, Measure] = {
    "throughput_rps": throughput_rps,
    "service_demand_us": server_us,
}


def metrics_of(load: Load) -> tuple[Metric, ...]:
    """Return what can be compared under *load*, the main one first: at a given rate throughput is given."""
    return ("throughput_rps", "service_demand_us") if load.kind == "closed" else ("service_demand_us",)


def by_cell(run: Run) -> dict[Cell, list[Record]]:
    """Group the records by cell in the plan's order; warm-up apart, voids included."""
    contenders = {contender.name: contender for contender in run.contenders}
    planned = [group.cell(name) for group in groups(run.plan, contenders) for name in group.contenders]
    grouped: dict[Cell, list[Record]] = {cell: [] for cell in planned}
    for record in run.records:
        if record.slice.role in ("measure", "control"):
            grouped.setdefault(record.slice.cell, []).append(record)
    return {cell: records for cell, records in grouped.items() if records}


def by_sweep(records: Iterable[Record], measure: Measure) -> dict[Sweep, float]:
    """Return what each sweep of one cell measured; voids and what the system does not tell are left out."""
    found = {
        (record.slice.round, record.slice.sweep): measure(record) for record in records if record.void is None
    }
    return {sweep: number for sweep, number in found.items() if number is not None}
