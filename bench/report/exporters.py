"""Tidy files for other tools."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis import client_us, database_us, server_us
from bench.documents import write_atomically
from bench.records import Record, Run

FILE = "trials.csv"


COLUMNS: Mapping[str, Callable[[Record], Any]] = {
    "round": lambda record: record.slice.round,
    "sweep": lambda record: record.slice.sweep,
    "role": lambda record: record.slice.role,
    "contender": lambda record: record.slice.cell.contender,
    "scenario": lambda record: record.slice.cell.scenario,
    "connections": lambda record: record.slice.cell.load.connections,
    "requests": lambda record: record.sample.requests,
    "failures": lambda record: record.sample.failed,
    "unfinished": lambda record: record.sample.unfinished,
    "window_s": lambda record: record.sample.window_s,
    "throughput_rps": lambda record: record.sample.throughput_rps,
    "p50_ms": lambda record: record.sample.latency.percentile_ms(50),
    "p99_ms": lambda record: record.sample.latency.percentile_ms(99),
    "server_cpu_us_per_request": server_us,
    "client_cpu_us_per_request": client_us,
    "database_cpu_us_per_request": database_us,
    "memory_bytes": lambda record: record.usage.memory_bytes,
    "void": lambda record: record.void,
}


def write_trials(run: Run, folder: Path) -> Path:
    """Write trials.csv into *folder*: a line per slice, warm-ups and voids included."""
    path = folder / FILE
    frame = pd.DataFrame({name: [value(record) for record in run.records] for name, value in COLUMNS.items()})
    # Where some are missing pandas would make floats of them.
    frame = frame.astype({"memory_bytes": "Int64"})
    write_atomically(path, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
    return path
