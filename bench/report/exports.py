"""A run in the formats of other tools: `bench report RUN --export NAME`.

Schemas: github-action-benchmark (README, `src/extract.ts`), Bencher Metric Format (docs, "Bencher Metric
Format"), pytest-benchmark (`plugin.py`, `stats.py`). HDR histograms: `hdr.py`.
"""

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean, median, quantiles, stdev
from typing import Any

from bench.analysis import Analysis
from bench.analysis.measures import rounds_of
from bench.analysis.rows import Row, unfit
from bench.analysis.statistics import Estimate
from bench.files import to_json, write_atomically
from bench.report.hdr import logs
from bench.report.wording import rounded

Files = Mapping[str, Any]  # name → content, ready for JSON; a text is written as it is


def export(analysis: Analysis, folder: Path, name: str) -> list[Path]:
    """Write the run in the format *name* (one of `FORMATS`) into *folder*. Return the files written."""
    written = []
    for file, content in FORMATS[name](analysis).items():
        write_atomically(folder / file, content.encode() if isinstance(content, str) else to_json(content))
        written.append(folder / file)
    return written


def github_action_benchmark(analysis: Analysis) -> Files:
    """Return two lists, as each tool has one direction: `customBiggerIsBetter`, `customSmallerIsBetter`.

    Unknown values are left out: a null would count as 0.
    """
    rows = _exported(analysis)
    bigger = [_entry(row, "throughput", "req/s", row.throughput_rps) for row in rows]
    smaller = [_entry(row, "CPU per request", "us", row.service_demand_us) for row in rows]
    smaller += [
        {"name": f"{_name(row)}: p99 at saturation", "unit": "ms", "value": rounded(row.latency.p99_ms)}
        for row in rows
        if row.latency.p99_ms is not None
    ]
    return {
        "github-action-benchmark-bigger.json": [one for one in bigger if one],
        "github-action-benchmark-smaller.json": [one for one in smaller if one],
    }


def _entry(row: Row, what: str, unit: str, estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    entry: dict[str, Any] = {
        "name": f"{_name(row)}: {what}",
        "unit": unit,
        "value": rounded(estimate.estimate),
        "extra": f"{row.stack}\n{row.rounds} rounds",
    }
    if estimate.low is not None and estimate.high is not None:
        entry["range"] = f"± {rounded((estimate.high - estimate.low) / 2)}"
    return entry


def bencher(analysis: Analysis) -> Files:
    """Return Bencher Metric Format: its `throughput` (per second), `latency` (ns), and CPU per request."""
    document: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in _exported(analysis):
        measures = {
            "throughput": _metric(row.throughput_rps, 1.0),
            "cpu-time-per-request": _metric(row.service_demand_us, 1000.0),
        }
        if row.latency.p50_ms is not None:
            measures["latency"] = {"value": rounded(row.latency.p50_ms * 1e6)}
        document[_name(row)] = {name: metric for name, metric in measures.items() if metric}
    return {"bencher.json": document}


def _metric(estimate: Estimate | None, factor: float) -> dict[str, float | None]:
    if estimate is None:
        return {}
    metric = {"value": rounded(estimate.estimate * factor)}
    if estimate.low is not None and estimate.high is not None:
        metric |= {
            "lower_value": rounded(estimate.low * factor),
            "upper_value": rounded(estimate.high * factor),
        }
    return metric


def pytest_benchmark(analysis: Analysis) -> Files:
    """Return pytest-benchmark's JSON. Its rounds are our rounds, with seconds per request as values."""
    run = analysis.run
    commit = run.fingerprint.get("project", {})
    machine = run.fingerprint.get("machine", {})
    rounds = rounds_of(run)
    benchmarks = []
    for row in _exported(analysis):
        values = [1 / one.throughput_rps for one in rounds.get(row.cell, ()) if one.throughput_rps]
        if values:
            benchmarks.append(
                {
                    "group": f"{row.cell.scenario}, {row.cell.load.title}",
                    "name": row.cell.contender,
                    "fullname": _name(row),
                    "params": None,
                    "param": None,
                    "extra_info": {"stack": row.stack},
                    "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": row.rounds},
                    "stats": _stats(values),
                }
            )
    return {
        "pytest-benchmark.json": {
            "machine_info": {
                "node": machine.get("class", ""),
                "machine": machine.get("architecture", ""),
                "system": run.fingerprint.get("system", {}).get("name", ""),
                "python_version": run.fingerprint.get("python", {}).get("version", ""),
                "python_implementation": platform.python_implementation(),
                "cpu": {"brand_raw": machine.get("cpu", ""), "count": machine.get("cores", 0)},
            },
            "commit_info": {
                "id": commit.get("commit") or "unversioned",
                "dirty": bool(commit.get("dirty")),
                "time": run.started_at,
                "author_time": run.started_at,
                "project": "webframework-bench",
                "branch": "(unknown)",
            },
            "benchmarks": benchmarks,
            "datetime": run.started_at,
            "version": "5.0.0",  # version of the format
        }
    }


def _stats(values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)
    q1, q3 = (
        (quantiles(ordered, n=4, method="inclusive")[at] for at in (0, 2))
        if len(ordered) > 1
        else (ordered[0], ordered[0])
    )
    mean, spread, iqr = fmean(ordered), stdev(ordered) if len(ordered) > 1 else 0.0, q3 - q1
    low, high = q1 - 1.5 * iqr, q3 + 1.5 * iqr
    far = sum(not low <= value <= high for value in ordered)
    off = sum(abs(value - mean) > spread for value in ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": spread,
        "rounds": len(ordered),
        "median": median(ordered),
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": far,
        "stddev_outliers": off,
        "outliers": f"{off};{far}",
        "ld15iqr": next(value for value in ordered if value >= low),
        "hd15iqr": next(value for value in reversed(ordered) if value <= high),
        "ops": 1 / mean,
        "total": sum(ordered),
        "iterations": 1,
        "data": values,
    }


def _exported(analysis: Analysis) -> list[Row]:
    """Return the rows with usable numbers: no controls, no client-limited rows, no wrong answers."""
    kept_out = unfit(analysis.rows)
    return [
        row
        for row in analysis.rows
        if row.requests
        and not row.is_control
        and row.cell not in kept_out
        and row.cell.load.compares_throughput
    ]


def _name(row: Row) -> str:
    return f"{row.cell.contender} / {row.cell.scenario} / {row.cell.load.title}"


FORMATS: Mapping[str, Callable[[Analysis], Files]] = {
    "github-action-benchmark": github_action_benchmark,
    "bencher": bencher,
    "pytest-benchmark": pytest_benchmark,
    "hdr": logs,
}
