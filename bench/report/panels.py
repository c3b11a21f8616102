"""The numbers of one scenario under one load, for every form of the report."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.loads import Load
from bench.model.plan import ITSELF, PREVIOUS, Plan
from bench.report.columns import (
    RowColumn,
    cores,
    demand_alone,
    latency,
    memory,
    plain,
    service_demand,
    throughput,
)
from bench.report.document import TableCell
from bench.report.load_kinds import shown
from bench.report.wording import NOTHING, figure, measured, mebibytes, percent, point


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Contenders side by side: best first, then client-limited ones, controls last.

    Best is the highest throughput. In an open loop throughput is given, and best is the lowest p99.
    """

    scenario: str
    load: Load
    reference: str  # as in a heading: "base" if each contender has its own
    references: frozenset[str]  # the contenders that others are relative to
    rows: tuple[Row, ...]
    ratios: Mapping[str, Comparison]  # contender → its main metric relative to the reference's
    noise_floors: tuple[Comparison, ...]  # of its main metric: its own, or else the run's first
    margin: float  # of its main metric: the least difference for a verdict
    caveats: tuple[str, ...]  # each once, with its contenders; without caveats of the whole run

    @property
    def title(self) -> str:
        return f"{self.scenario}, {self.load.title}"

    @property
    def slug(self) -> str:
        return f"{self.scenario}-{self.load.slug}"

    @property
    def ratio_heading(self) -> str:
        return f"{'' if self.load.compares_throughput else 'CPU '}× {self.reference}"

    @property
    def contenders(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.is_control)

    @property
    def ranked(self) -> tuple[Row, ...]:
        """The contenders with right answers and no client limit, best first."""
        return tuple(row for row in self.contenders if _is_valid(row) and not row.client_limit)

    @property
    def limited(self) -> tuple[Row, ...]:
        """The contenders with only a lower bound, as the client may be the limit."""
        return tuple(row for row in self.contenders if _is_valid(row) and row.client_limit)

    @property
    def withheld(self) -> tuple[Row, ...]:
        """The contenders without a rank, as answers were wrong or missing."""
        return tuple(row for row in self.contenders if row.withheld and row.answers)

    @property
    def any_failed(self) -> bool:
        return any(row.failed for row in self.rows)

    def rank_of(self, row: Row) -> str:
        """Return the row's place, "2=" if others share it. Empty if it has none."""
        if row.rank is None:
            return ""
        return f"{row.rank}{'=' * (sum(other.rank == row.rank for other in self.rows) > 1)}"

    def ratio_of(self, row: Row) -> Estimate | None:
        """Return the row's main metric relative to the reference's. None if there is no ratio."""
        if row.cell.contender in self.references:
            return None if row.client_limit or not _is_valid(row) else Estimate(estimate=1.0)
        comparison = self.ratios.get(row.cell.contender)
        return comparison.ratio if comparison else None

    def is_tie(self, contender: str) -> bool:
        """Return whether no difference from the reference was shown: their ratio's interval contains 1."""
        comparison = self.ratios.get(contender)
        ratio = comparison.ratio if comparison else None
        return bool(ratio and ratio.low and ratio.high and ratio.low <= 1 <= ratio.high)


def panels(analysis: Analysis) -> tuple[Panel, ...]:
    """Return a panel for each measured scenario and load, in the plan's order."""
    grouped: dict[tuple[str, Load], list[Row]] = {}
    for row in analysis.rows:
        grouped.setdefault((row.cell.scenario, row.cell.load), []).append(row)
    return tuple(_panel(analysis, scenario, load, rows) for (scenario, load), rows in grouped.items())


def caveats_everywhere(analysis: Analysis) -> tuple[str, ...]:
    first, *others = [row.caveats for row in analysis.rows] or [()]
    return tuple(caveat for caveat in first if all(caveat in other for other in others))


def _panel(analysis: Analysis, scenario: str, load: Load, rows: list[Row]) -> Panel:
    def here(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
        return tuple(one for one in comparisons if (one.cell.scenario, one.cell.load) == (scenario, load))

    plan, named = analysis.run.plan, {row.cell.contender for row in rows}
    main = load.metrics[0]
    floors = tuple(floor for floor in analysis.noise_floors if floor.metric == main)
    ranked = sorted(rows, key=_rank)
    return Panel(
        scenario=scenario,
        load=load,
        reference=_heading(plan, named),
        references=frozenset(name for name in named if plan.reference_of(name) == name),
        rows=tuple(ranked),
        ratios={one.cell.contender: one for one in here(analysis.comparisons) if one.metric == main},
        noise_floors=here(floors) or floors[:1],
        margin=plan.margins[main],
        caveats=_caveats(ranked, caveats_everywhere(analysis)),
    )


def _heading(plan: Plan, named: Collection[str]) -> str:
    """Return the words of a heading for what the contenders *named* are relative to."""
    if plan.baseline:
        return "base"
    if plan.reference in (ITSELF, PREVIOUS):
        return plan.reference
    found = {plan.reference_of(name) for name in named}
    return found.pop() if len(found) == 1 else "its reference"


def _is_valid(row: Row) -> bool:
    return row.requests > 0 and not row.withheld


def _rank(row: Row) -> tuple[bool, bool, bool, float, float]:
    order = (row.is_control, bool(row.withheld), row.client_limit is not None)
    if row.arrivals:
        percentiles = (row.latency.p99_ms, row.latency.p50_ms)
        p99_ms, p50_ms = (math.inf if value is None else value for value in percentiles)
        return *order, p99_ms, p50_ms
    return *order, -row.throughput_rps.estimate if row.throughput_rps else 0.0, 0.0


def _caveats(rows: Sequence[Row], everywhere: Collection[str]) -> tuple[str, ...]:
    concerned: dict[str, list[str]] = {}
    for row in rows:
        for caveat in row.caveats:
            if caveat not in everywhere:
                concerned.setdefault(caveat, []).append(row.cell.contender)
    return tuple(
        f"{'all' if len(names) == len(rows) > 1 else ', '.join(names)}: {caveat}"
        for caveat, names in concerned.items()
    )


def page_columns(panel: Panel) -> tuple[RowColumn, ...]:
    columns = (
        *shown(panel.load).page,
        service_demand("server CPU µs/req", "service demand"),
        plain("database CPU µs/req", lambda row: point(row.database_us)),
        plain("client CPU µs/req", lambda row: point(row.client_us)),
        plain("client's core busy", lambda row: percent(row.utilisation.client_core), "utilisation"),
        memory("memory MiB"),
        plain("bound by", lambda row: row.bound_by or NOTHING, "bound by"),
    )
    return *_with_ratio(panel, columns, panel.ratio_heading), *_failed(panel)


def overview_columns(
    panel: Panel, at_rate: Mapping[str, Row], workers: Mapping[str, int]
) -> tuple[RowColumn, ...]:
    """Return the columns of a *panel* with throughput that an architect pays for.

    *at_rate*: by contender, rows of the same scenario at one rate for all. *workers*: its number of
    processes.
    """
    times = _ratio(panel, panel.ratio_heading)
    p99 = latency("p99 ms", lambda value_of: value_of.p99_ms)

    def ratio(row: Row) -> TableCell:
        cell = times.cell(row)
        return replace(cell, detail=f"tie, {cell.detail}") if panel.is_tie(row.cell.contender) else cell

    def at_its_rate(row: Row) -> TableCell:
        other = at_rate.get(row.cell.contender)
        if other is None or other.arrivals is None:
            return replace(p99.cell(row), detail="at saturation")
        return replace(p99.cell(other), detail=f"at {figure(other.arrivals.rate_rps)}/s")

    def per_worker(row: Row) -> str:
        size = row.memory_peak_bytes
        return mebibytes(None if size is None else size // workers[row.cell.contender])

    return (
        throughput("req/s", "throughput"),
        replace(times, cell=ratio),
        replace(p99, cell=at_its_rate),
        cores("app", lambda row: row.service_demand_us),
        cores("database", lambda row: row.database_us),
        plain("MiB per worker", per_worker),
    )


def quoted_columns(panel: Panel) -> tuple[RowColumn, ...]:
    return (
        throughput("req/s"),
        _ratio(panel, f"× {panel.reference}"),
        latency("p99 ms", lambda value_of: value_of.p99_ms),
        service_demand("CPU µs/req"),
        memory("MiB"),
    )


def terminal_columns(panel: Panel, *, narrow: bool) -> tuple[RowColumn, ...]:
    """Return the columns that fit 80 characters. A narrow terminal has no CPU and memory columns."""
    columns = [*shown(panel.load).terminal]
    if not narrow:
        columns.append(
            demand_alone("CPU\nµs per\nrequest" if panel.load.compares_throughput else "CPU\nµs per\nreq.")
        )
        if panel.load.compares_throughput:
            columns.append(memory("memory\nMiB"))
    heading = panel.ratio_heading.replace("CPU ", "CPU\n")
    return *_with_ratio(panel, columns, heading), *_failed(panel)


def _with_ratio(panel: Panel, columns: Iterable[RowColumn], heading: str) -> Iterator[RowColumn]:
    """Yield *columns*, with the ratio after the column of its metric."""
    for column in columns:
        yield column
        if column.metric == panel.load.metrics[0]:
            yield _ratio(panel, heading)


def _ratio(panel: Panel, heading: str) -> RowColumn:
    return RowColumn(
        heading=heading, cell=lambda row: measured(panel.ratio_of(row), of_ratio=True), term="reference"
    )


def _failed(panel: Panel) -> tuple[RowColumn, ...]:
    return (plain("failed", lambda row: f"{row.failed:,}", "failure"),) if panel.any_failed else ()
