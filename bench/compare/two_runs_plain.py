"""What changed between two runs, for machines."""

from typing import Any

from bench.analysis.comparisons import Comparison
from bench.analysis.estimates import Row
from bench.compare.run_changes import Change
from bench.compare.two_runs import TwoRuns
from bench.compare.two_runs_report import WORDS
from bench.report.plain import plain_cell, plain_estimate, rounded

# Format history
# 1  first
SCHEMA = 1


def changes_document(two: TwoRuns) -> dict[str, Any]:
    """Return what *two* say, ready for JSON; null where nothing is known."""
    return {
        "schema": SCHEMA,
        "reference": two.reference,
        **{
            name: {"plan": run.plan.name, "runtime": run.runtime, "started_at": run.started_at}
            for name, run in (("baseline", two.baseline.run), ("candidate", two.candidate.run))
        },
        "changes": [_change(one) for one in two.changes],
        "references": [
            {**plain_cell(before.cell), "baseline": _row(before), "candidate": _row(after)}
            for before, after in two.references
        ],
        "only_in_baseline": [plain_cell(cell) for cell in two.only_in_baseline],
        "only_in_candidate": [plain_cell(cell) for cell in two.only_in_candidate],
        "broken": list(two.broken),
        "warnings": list(two.warnings),
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        **plain_cell(one.cell),
        "metric": one.metric,
        "margin": one.margin,
        "baseline": _side(one.baseline),
        "candidate": _side(one.candidate),
        "change": plain_estimate(one.change),
        "adjusted_p": rounded(one.adjusted_p),
        "verdict": WORDS[one.verdict],
        "why": one.why or None,
    }


def _side(comparison: Comparison) -> dict[str, Any]:
    return {"ratio": plain_estimate(comparison.ratio), "rounds": comparison.rounds}


def _row(row: Row) -> dict[str, Any]:
    return {
        "throughput_rps": plain_estimate(row.throughput_rps),
        "service_demand_us": plain_estimate(row.service_demand_us),
    }
