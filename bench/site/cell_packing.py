"""An analysis in the terms of a submission: its cells and ratios, and the order of what they refer to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison
from bench.analysis.measures import answers_in_window, by_cell, server_us
from bench.analysis.rows import PACED, Arrivals, Row
from bench.analysis.statistics import Sweep
from bench.loads import Load
from bench.model.cell import Cell
from bench.model.contender import Contender, name_of
from bench.model.scenario import Scenario
from bench.records import Record
from bench.site import privacy
from bench.site.figures import EXACT, STATED, digits_of, figures_of, latency_of, thinned, window_of
from bench.site.origin import Origin
from bench.site.stated import weighted
from bench.site.submission import Counted, StatedArrivals, StatedCell, StatedRatio

BITS = 5  # dropped from the ten of a histogram's buckets: 6 % wide at most


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPacking:
    """An analysis, and the order of what a submission refers to by index."""

    analysis: Analysis
    own_names: tuple[str, ...]
    records: Mapping[Cell, Sequence[Record]]
    contenders: tuple[Contender, ...]
    scenarios: tuple[Scenario, ...]
    loads: tuple[Load, ...]
    sweeps: tuple[Sweep, ...]
    caveats: tuple[str, ...]
    statements: Mapping[tuple[str, str], float | None]  # contender, exchange

    @classmethod
    def of(cls, analysis: Analysis, origin: Origin) -> "CellPacking":
        run, rows = analysis.run, analysis.rows
        records = by_cell(run)
        measured = {row.cell.contender for row in rows}
        judged = {one.contender for one in run.verifications}
        used = {row.cell.scenario for row in rows}
        return cls(
            analysis=analysis,
            own_names=origin.own_names,
            records=records,
            contenders=tuple(one for one in run.contenders if one.name in measured | judged),
            scenarios=tuple(one for one in run.scenarios if one.name in used),
            loads=tuple(dict.fromkeys(row.cell.load for row in rows)),
            sweeps=tuple(
                sorted({_sweep(one) for found in records.values() for one in found if one.void is None})
            ),
            caveats=tuple(dict.fromkeys(caveat for row in rows for caveat in row.caveats)),
            statements={(one.contender, one.exchange): one.per_request for one in run.queries},
        )

    def plain(self, text: str) -> str:
        return privacy.hidden(text, self.own_names)

    def cell(self, row: Row) -> StatedCell:
        return StatedCell(
            contender=self._contender(row.cell.contender),
            scenario=[one.name for one in self.scenarios].index(row.cell.scenario),
            load=self.loads.index(row.cell.load),
            **self._columns(row),
            **self._answers(row),
            **_estimates(row),
            **_latencies(row),
            **_limits(row),
            caveats=tuple(self.caveats.index(one) for one in row.caveats),
            counted=self._counted(row),
        )

    def ratio(self, one: Comparison) -> StatedRatio:
        cells = [row.cell for row in self.analysis.rows]
        return StatedRatio(
            cell=cells.index(one.cell),
            reference=self._contender(one.reference),
            metric=one.metric,
            ratio=figures_of(one.ratio, EXACT),
            rounds=one.rounds,
            pairs=one.pairs,
            dropped=one.dropped,
            verdict=one.verdict,
            blocked=one.blocked,
            withheld=one.withheld or None,
        )

    def _contender(self, name: str) -> int:
        return [one.name for one in self.contenders].index(name)

    def _columns(self, row: Row) -> dict[str, Any]:
        """Return what has one entry for each sweep."""
        taken = {_sweep(one): one for one in self.records[row.cell] if one.void is None}
        ordered = [taken.get(sweep) for sweep in self.sweeps]
        right = tuple(None if one is None else one.sample.requests for one in ordered)
        wrong = tuple(None if one is None else one.sample.failed for one in ordered)
        in_window = tuple(None if one is None else answers_in_window(one) for one in ordered)
        return {
            "window_s": window_of([None if one is None else one.sample.window_s for one in ordered]),
            "right": right,
            "wrong": wrong if any(wrong) else (),
            "in_window": in_window if in_window != right else (),
            "cpu_us": tuple(None if one is None else digits_of(server_us(one), EXACT) for one in ordered),
        }

    def _answers(self, row: Row) -> dict[str, Any]:
        return {
            "rounds": row.rounds,
            "slices": row.slices,
            "requests": row.requests,
            "answers": row.answers,
            "failures": {self.plain(kind): count for kind, count in row.failures.items()},
            "unfinished": row.unfinished,
            "voids": dict(row.voids),
        }

    def _counted(self, row: Row) -> Counted:
        run = self.analysis.run
        of = name_of(row.cell.contender).original
        scenario = next(one for one in run.scenarios if one.name == row.cell.scenario)
        counts = {exchange: count for (name, exchange), count in self.statements.items() if name == of}
        by = {str(one.counted_by) for one in run.queries if one.contender == of and one.counted_by}
        statements = weighted(scenario, counts)
        executed = next(
            (
                one
                for one in run.instructions
                if (one.contender, one.scenario) == (of, row.cell.scenario) and one.windows
            ),
            None,
        )
        return Counted(
            statements=digits_of(statements, STATED),
            statements_by=", ".join(sorted(by)) if statements is not None else None,
            instructions=digits_of(executed.per_request, STATED) if executed else None,
            with_collections=digits_of(executed.with_collections, STATED) if executed else None,
            instructions_by=executed.counter if executed else None,
        )


def _estimates(row: Row) -> dict[str, Any]:
    return {
        "throughput_rps": figures_of(row.throughput_rps),
        "service_demand_us": figures_of(row.service_demand_us),
        "database_us": figures_of(row.database_us),
        "client_us": figures_of(row.client_us),
        "memory_bytes": row.memory_peak_bytes,
        "response_bytes": digits_of(row.response_bytes, STATED),
    }


def _latencies(row: Row) -> dict[str, Any]:
    return {
        "latency_ms": latency_of(row.latency),
        "latencies": thinned(row.latencies, BITS),
        "arrivals": _arrivals(row.arrivals) if row.arrivals else None,
    }


def _arrivals(found: Arrivals) -> StatedArrivals:
    return StatedArrivals(
        rate_rps=digits_of(found.rate_rps, STATED),
        due=found.due,
        queued=found.queued,
        service_ms=latency_of(found.service),
        lag_ms=latency_of(found.lag),
    )


def _limits(row: Row) -> dict[str, Any]:
    """Return what held a row back, and why it may not be compared."""
    used = {name: digits_of(value, STATED) for name, value in asdict(row.utilisation).items()}
    return {
        "utilisation": {name: value for name, value in used.items() if value is not None},
        "ceiling_rps": digits_of(row.ceiling.rps, STATED),
        "bound_by": row.bound_by,
        "in_flight": digits_of(row.in_flight, STATED),
        "imbalance": digits_of(row.imbalance, STATED),
        "steadiness": row.steadiness.state if row.steadiness else None,
        "withheld": row.withheld or None,
        "client_limit": row.client_limit,
        "paced": PACED if row.paced else None,
        "coarse": row.coarse,
        "rank": row.rank,
    }


def _sweep(record: Record) -> Sweep:
    return record.slice.round, record.slice.sweep
