"""summary.json: the results of a run for machines. Null means unknown, or not measured yet."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.analysis import Analysis, analyse
from bench.analysis.capacities import Capacity
from bench.analysis.comparisons import Comparison
from bench.analysis.costs import Cost
from bench.analysis.measures import Latency
from bench.analysis.rows import Arrivals, Row
from bench.analysis.steadiness import Steadiness, first_answers
from bench.analysis.streams import StreamLadder
from bench.files import write_atomically
from bench.model.scenario import Scenario
from bench.records import Instructions, Queries, Run
from bench.report.by_workers import plain_scalings
from bench.report.claims import Audited, audited
from bench.report.wording import finite, plain_estimate, plain_load, rounded

# Format history
# 1  first
SCHEMA = 1
FILE = "summary.json"
# Of a plan: with others, its figures mean something else.
SETTINGS = ("sweeps", "lead_in_s", "window_s", "warm_up_s", "load_workers")


def summary(run: Run) -> dict[str, Any]:
    """Return the content of summary.json, ready for JSON."""
    return summary_of(analyse(run))


def summary_of(analysis: Analysis) -> dict[str, Any]:
    run = analysis.run
    return {
        "schema": SCHEMA,
        "plan": run.plan.name,
        "settings": {key: getattr(run.plan, key) for key in SETTINGS},
        "scenarios": {scenario.name: _digest(scenario) for scenario in run.scenarios},
        "runtime": run.runtime,
        "started_at": run.started_at,
        "valid": analysis.valid,
        "partial": analysis.partial,
        "fingerprint": dict(run.fingerprint),
        "noise_floor": next(map(_noise_floor, _throughputs(analysis.noise_floors)), None),
        "rows": [_row(row) for row in analysis.rows],
        "comparisons": [_comparison(comparison) for comparison in analysis.comparisons],
        "capacities": [_capacity(capacity) for capacity in analysis.capacities],
        "first_answers_s": {name: plain_estimate(times) for name, times in first_answers(run).items()},
        "claims": [_claim(one) for one in audited(analysis)],
        "scaling": plain_scalings(analysis),
        "evidence": [asdict(evidence) for evidence in run.evidence],
        "choices": [
            {"choose": one.choice.choose, "when": one.choice.when, "holds": one.holds}
            for one in analysis.choices
        ],
        "queries": [_queries(queries) for queries in run.queries],
        **({"instructions": [_instructions(one) for one in run.instructions]} if run.instructions else {}),
        **({"costs": [_cost(one) for one in analysis.costs]} if analysis.costs else {}),
        **({"streams": [_streams(one) for one in ladders]} if (ladders := analysis.stream_ladders) else {}),
    }


def _digest(scenario: Scenario) -> str:
    """Return a hash of what is requested. Words about it and the place of the checkout do not count."""
    requested = _set(asdict(replace(scenario, about="")))
    return hashlib.sha256(json.dumps(requested, sort_keys=True, default=repr).encode()).hexdigest()[:16]


def _set(value: Any) -> Any:
    """Return *value* without what is not set: a field that a later version adds then changes no hash."""
    if isinstance(value, Mapping):
        return {key: _set(one) for key, one in value.items() if key != "root" and one not in (None, False)}
    return [_set(one) for one in value] if isinstance(value, list | tuple) else value


def write_summary(analysis: Analysis, folder: Path) -> Path:
    path = folder / FILE
    text = json.dumps(summary_of(analysis), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def _row(row: Row) -> dict[str, Any]:
    return {
        "contender": row.cell.contender,
        "scenario": row.cell.scenario,
        "load": plain_load(row.cell.load),
        "rounds": row.rounds,
        "throughput_rps": plain_estimate(row.throughput_rps),
        "latency_ms": _latency(row.latency),
        "read_late_ms": _latency(row.read_late),
        "percentiles_ms": {f"p{one:g}": plain_estimate(of) for one, of in row.percentiles.items()},
        "arrivals": _arrivals(row.arrivals),
        "service_demand_us": plain_estimate(row.service_demand_us),
        **({"energy_uj": plain_estimate(row.energy_uj)} if row.energy_uj else {}),
        "database_us": plain_estimate(row.database_us),
        "client_us": plain_estimate(row.client_us),
        "memory_peak_bytes": row.memory_peak_bytes,
        "response_bytes": rounded(row.response_bytes),
        "requests": row.requests,
        "failures": row.failed,
        "withheld": row.withheld or None,
        "unfinished": row.unfinished,
        "voids": sum(row.voids.values()),
        "rank": row.rank,
        "bound_by": row.bound_by,
        "client_limited": row.client_limit is not None,
        "utilisation": {name: rounded(value) for name, value in asdict(row.utilisation).items()},
        "ceiling_rps": rounded(row.ceiling.rps),
        "worker_imbalance": finite(row.imbalance),
        "in_flight": {"connections": row.cell.load.connections, "observed": rounded(row.in_flight)},
        "steadiness": _steadiness(row.steadiness),
        "caveats": list(row.caveats),
    }


def _steadiness(steadiness: Steadiness | None) -> dict[str, Any] | None:
    if steadiness is None:
        return None
    return {
        "state": steadiness.state,
        "change": plain_estimate(steadiness.change),
        "span_s": rounded(steadiness.span_s),
        "deviation": rounded(steadiness.deviation),
    }


def _latency(latency: Latency) -> dict[str, float | None]:
    return {name.removesuffix("_ms"): rounded(value) for name, value in asdict(latency).items()}


def _arrivals(arrivals: Arrivals | None) -> dict[str, Any] | None:
    if arrivals is None:
        return None
    return {
        "rate_rps": rounded(arrivals.rate_rps),
        "due": arrivals.due,
        "queued": arrivals.queued,
        "service_ms": _latency(arrivals.service),
        "lag_ms": _latency(arrivals.lag),
        "tested_slices": arrivals.tested,
        "bent_slices": arrivals.bent,
    }


def _capacity(capacity: Capacity) -> dict[str, Any]:
    return {
        "contender": capacity.contender,
        "scenario": capacity.scenario,
        "slo_ms": capacity.slo_ms,
        "rate_rps": plain_estimate(capacity.rate_rps),
        "at_least": capacity.at_least,
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "scenario": comparison.cell.scenario,
        "load": plain_load(comparison.cell.load),
        "metric": comparison.metric,
        "reference": comparison.reference,
        "contender": comparison.cell.contender,
        "ratio": plain_estimate(comparison.ratio),
        "pairs": comparison.pairs,
        "dropped": comparison.dropped,
        "verdict": None if comparison.ratio is None else comparison.verdict,
        "withheld": comparison.withheld or None,
    }


def _claim(one: Audited) -> dict[str, Any]:
    claim, finding = one.claim, one.finding
    row, comparison, allowed = finding.row, finding.comparison, finding.allowed
    return {
        "says": claim.says,
        "source": claim.source,
        "figure": asdict(claim.figure) if claim.figure else None,
        "ratio": asdict(finding.ratio) if finding.ratio else None,  # of a value to the reference's
        "evidence": asdict(claim.evidence) if claim.evidence else None,
        "needs": claim.needs or None,
        "at": asdict(claim.at) if claim.at else None,
        "allowed": {edge: rounded(at) for edge, at in asdict(allowed).items()} if allowed else None,
        "measured": {
            "throughput_rps": plain_estimate(row.throughput_rps) if row else None,
            "latency_mean_ms": rounded(row.latency.mean_ms) if row else None,
            "ratio": plain_estimate(comparison.ratio) if comparison else None,
        },
        "verdict": one.verdict,
        "why": one.why,
    }


def _queries(queries: Queries) -> dict[str, Any]:
    return {
        "contender": queries.contender,
        "exchange": queries.exchange,
        "per_request": rounded(queries.per_request),
        "statements": {text: rounded(calls) for text, calls in queries.statements.items()},
        **({} if queries.counted_by == "PostgreSQL" else _counted_elsewhere(queries)),
    }


def _cost(one: Cost) -> dict[str, Any]:
    """Return what no row has: its rows have CPU per request and latency at each rate."""
    return {
        "contender": one.contender,
        "scenario": one.scenario,
        "idle_cores": rounded(one.idle_cores),
        "polls": one.polls,
        "needed": [
            {
                "rate_rps": needed.rate_rps,
                "machines": needed.machines,
                "at_most": one.capacity.at_least,
                "cores": plain_estimate(needed.cores),
                "memory_bytes": needed.memory_bytes,
                "priced_at_rps": rounded(needed.priced_at_rps),
            }
            for needed in one.needed
        ],
    }


def _streams(one: StreamLadder) -> dict[str, Any]:
    return {
        "contender": one.contender,
        "scenario": one.scenario,
        "held": one.most.streams if one.most else None,
        "at_least": one.most is not None and one.may_hold_more,
        "steps": [
            {
                "streams": step.streams,
                "kept": step.kept,
                "failed": step.failed,
                "events_per_s": plain_estimate(step.events_per_s),
                "server_us_per_event": plain_estimate(step.server_us),
                "server_cores": rounded(step.server_cores),
                "client_cores": rounded(step.client_cores),
                "first_ms": _latency(Latency.of(step.times.first)),
                "late_ms": _latency(Latency.of(step.times.late)),
                "gap_ms": _latency(Latency.of(step.times.gap)),
            }
            for step in one.steps
        ],
    }


def _instructions(one: Instructions) -> dict[str, Any]:
    return {
        "contender": one.contender,
        "scenario": one.scenario,
        "per_request": rounded(one.per_request),
        "with_collections": rounded(one.with_collections),
        "spread": rounded(one.spread),
        "counter": one.counter or None,
        "path_length": one.path_length or None,
        "why": one.why or None,
    }


def _counted_elsewhere(queries: Queries) -> dict[str, Any]:
    return {"counted_by": queries.counted_by, "drivers": list(queries.drivers), "why": queries.why or None}


def _throughputs(floors: Iterable[Comparison]) -> Iterator[Comparison]:
    return (floor for floor in floors if floor.metric == "throughput_rps")


def _noise_floor(floor: Comparison) -> dict[str, Any]:
    return {
        "contender": floor.reference,
        "scenario": floor.cell.scenario,
        "load": plain_load(floor.cell.load),
        "ratio": plain_estimate(floor.ratio),
    }
