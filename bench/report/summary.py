"""summary.json: what a run says, for machines. Null: nothing known, or not yet."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.analysis import Analysis, Comparison, Estimate, Row, analyse
from bench.documents import write_atomically
from bench.records import Queries, Run

# Format history
# 1  first
SCHEMA = 1
FILE = "summary.json"


def summary(run: Run) -> dict[str, Any]:
    """Return the content of summary.json, ready for JSON."""
    return summary_of(analyse(run))


def summary_of(analysis: Analysis) -> dict[str, Any]:
    """Return the content of summary.json of a run that has been analysed."""
    run = analysis.run
    return {
        "schema": SCHEMA,
        "plan": run.plan.name,
        "runtime": run.runtime,
        "started_at": run.started_at,
        "valid": analysis.valid,
        "partial": analysis.partial,
        "fingerprint": dict(run.fingerprint),
        "noise_floor": _noise_floor(analysis.noise_floors[0]) if analysis.noise_floors else None,
        "rows": [_row(row) for row in analysis.rows],
        "comparisons": [_comparison(comparison) for comparison in analysis.comparisons],
        "queries": [_queries(queries) for queries in run.queries],
    }


def write_summary(analysis: Analysis, folder: Path) -> Path:
    """Write summary.json into *folder*."""
    path = folder / FILE
    text = json.dumps(summary_of(analysis), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def _row(row: Row) -> dict[str, Any]:
    return {
        "contender": row.cell.contender,
        "scenario": row.cell.scenario,
        "load": asdict(row.cell.load),
        "rounds": row.rounds,
        "throughput_rps": _estimate(row.throughput_rps),
        "latency_ms": {
            name.removesuffix("_ms"): _rounded(value) for name, value in asdict(row.latency).items()
        },
        "service_demand_us": _estimate(row.service_demand_us),
        "database_us": _estimate(row.database_us),
        "client_us": _estimate(row.client_us),
        "memory_peak_bytes": row.memory_peak_bytes,
        "requests": row.requests,
        "failures": row.failed,
        "unfinished": row.unfinished,
        "voids": sum(row.voids.values()),
        "bound_by": None,
        "utilisation": {name: _rounded(value) for name, value in asdict(row.utilisation).items()},
        "ceiling_rps": None,
        "in_flight": {"connections": row.cell.load.connections, "observed": _rounded(row.in_flight)},
        "caveats": list(row.caveats),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "scenario": comparison.cell.scenario,
        "load": asdict(comparison.cell.load),
        "metric": comparison.metric,
        "reference": comparison.reference,
        "contender": comparison.cell.contender,
        "ratio": _estimate(comparison.ratio),
        "pairs": comparison.pairs,
        "dropped": comparison.dropped,
        "verdict": None,
    }


def _queries(queries: Queries) -> dict[str, Any]:
    return {
        "contender": queries.contender,
        "exchange": queries.exchange,
        "per_request": _rounded(queries.per_request),
        "statements": {text: _rounded(calls) for text, calls in queries.statements.items()},
    }


def _noise_floor(floor: Comparison) -> dict[str, Any]:
    return {
        "contender": floor.reference,
        "scenario": floor.cell.scenario,
        "load": asdict(floor.cell.load),
        "ratio": _estimate(floor.ratio),
    }


def _estimate(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    return {name: _rounded(value) for name, value in asdict(estimate).items()}


def _rounded(value: float | None) -> float | None:
    """Return *value* to six digits: beyond them is arithmetic, not measurement."""
    return None if value is None else float(f"{value:.6g}")
