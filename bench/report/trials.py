"""Tidy files for other tools."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.limits import Cores, cores_of, utilisation_of
from bench.analysis.measures import client_us, database_us, percentile_ms, server_us
from bench.analysis.voids import LIMITS, evidence
from bench.files import write_atomically
from bench.histogram import Histogram
from bench.records import Record, Run

FILE = "trials.csv"
WHOLE = ("memory_bytes", "due", "queued")  # integers that pandas would make floats, as some are missing

Columns = dict[str, Callable[[Record], Any]]

COLUMNS: Columns = {
    "round": lambda record: record.slice.round,
    "sweep": lambda record: record.slice.sweep,
    "role": lambda record: record.slice.role,
    "contender": lambda record: record.slice.cell.contender,
    "scenario": lambda record: record.slice.cell.scenario,
    "kind": lambda record: record.slice.cell.load.kind,
    "connections": lambda record: record.slice.cell.load.connections,
    "rate_rps": lambda record: record.slice.rate_rps,
    "due": lambda record: record.sample.due,
    "requests": lambda record: record.sample.requests,
    "failures": lambda record: record.sample.failed,
    "unfinished": lambda record: record.sample.unfinished,
    "queued": lambda record: None if record.sample.due is None else record.sample.queued,
    "window_s": lambda record: record.sample.window_s,
    "throughput_rps": lambda record: record.sample.throughput_rps,
    "p50_ms": lambda record: _percentile_ms(record.sample.latency, 50, record),
    "p99_ms": lambda record: _percentile_ms(record.sample.latency, 99, record),
    "service_p50_ms": lambda record: _percentile_ms(record.sample.service, 50, record),
    "service_p99_ms": lambda record: _percentile_ms(record.sample.service, 99, record),
    "lag_p99_ms": lambda record: percentile_ms(record.sample.lag, 99) if record.sample.lag else None,
    "wake_p50_ms": lambda record: percentile_ms(record.sample.wake, 50) if record.sample.wake else None,
    "bend": lambda record: record.sample.bend,
    "server_cpu_us_per_request": server_us,
    "client_cpu_us_per_request": client_us,
    "database_cpu_us_per_request": database_us,
    "memory_bytes": lambda record: record.usage.memory_bytes,
    "void": lambda record: record.void,
}


def _percentile_ms(latencies: Histogram | None, percent: float, record: Record) -> float | None:
    if latencies is None:
        return None
    return percentile_ms(
        latencies, percent, record.sample.unfinished if record.slice.cell.load.has_due_times else 0
    )


def _use_of(cores: Cores) -> Columns:
    return {
        "client_core": lambda record: utilisation_of([record], cores).client_core,
        "database_core": lambda record: utilisation_of([record], cores).database_core,
        **{name: _against(name, cores) for name in LIMITS},
    }


def _against(name: str, cores: Cores) -> Callable[[Record], object]:
    return lambda record: evidence(record.sample, record.usage, cores).get(name)


def write_trials(run: Run, folder: Path) -> Path:
    """Write trials.csv into *folder*, with a line per slice, warm-ups and void slices included."""
    path = folder / FILE
    columns = COLUMNS | _use_of(cores_of(run))
    frame = pd.DataFrame({name: [value(record) for record in run.records] for name, value in columns.items()})
    frame = frame.astype(dict.fromkeys(WHOLE, "Int64"))
    write_atomically(path, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
    return path
