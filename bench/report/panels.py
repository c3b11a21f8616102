"""The numbers of one scenario under one load, for every form of the report."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison
from bench.analysis.measures import Latency, metrics_of
from bench.analysis.rows import Arrivals, Row
from bench.analysis.statistics import Estimate
from bench.model import ITSELF, PREVIOUS, Load, Plan
from bench.project.loads import slug, spoken
from bench.report.document import Column, TableCell
from bench.report.wording import NOTHING, at_least, figure, measured, mebibytes, percent, point, scaled


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
        return f"{self.scenario}, {spoken(self.load)}"

    @property
    def slug(self) -> str:
        return f"{self.scenario}-{slug(self.load)}"

    @property
    def is_open(self) -> bool:
        """Whether the load is an open loop. Then CPU per request is compared."""
        return self.load.kind == "open"

    @property
    def contenders(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.is_control)

    @property
    def ranked(self) -> tuple[Row, ...]:
        """The contenders with right answers and no client limit, best first."""
        return tuple(row for row in self.contenders if _counts(row) and not row.client_limit)

    @property
    def limited(self) -> tuple[Row, ...]:
        """The contenders with only a lower bound, as the client may be the limit."""
        return tuple(row for row in self.contenders if _counts(row) and row.client_limit)

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
            return None if row.client_limit or not _counts(row) else Estimate(estimate=1.0)
        comparison = self.ratios.get(row.cell.contender)
        return comparison.ratio if comparison else None

    def is_tie(self, contender: str) -> bool:
        """Return whether it cannot be told from the reference. Their ratio's interval then contains 1."""
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
    main = metrics_of(load)[0]
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


def _counts(row: Row) -> bool:
    return row.requests > 0 and not row.withheld


def _rank(row: Row) -> tuple[bool, bool, bool, float, float]:
    order = (row.is_control, bool(row.withheld), row.client_limit is not None)
    if row.arrivals:
        told = (row.latency.p99_ms, row.latency.p50_ms)
        p99_ms, p50_ms = (math.inf if value is None else value for value in told)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelColumn(Column):
    """A column with the function that gives a row's text."""

    cell: Callable[[Row], TableCell]


def page_columns(panel: Panel) -> tuple[PanelColumn, ...]:
    return (
        *(_open_page() if panel.is_open else _closed(panel)),
        _estimate("server CPU µs/req", lambda row: row.service_demand_us, "service demand"),
        *([_ratio(panel, f"CPU × {panel.reference}")] if panel.is_open else []),
        _plain("database CPU µs/req", lambda row: point(row.database_us)),
        _plain("client CPU µs/req", lambda row: point(row.client_us)),
        _plain("client's core busy", lambda row: percent(row.utilisation.client_core), "utilisation"),
        _plain("memory MiB", _memory),
        _plain("bound by", lambda row: row.bound_by or NOTHING, "bound by"),
        *_failed(panel),
    )


def overview_columns(
    panel: Panel, at_rate: Mapping[str, Row], workers: Mapping[str, int]
) -> tuple[PanelColumn, ...]:
    """Return the columns of a closed *panel* that an architect pays for.

    *at_rate*: by contender, rows of the same scenario at one rate for all. *workers*: its number of
    processes.
    """
    times = _ratio(panel, f"× {panel.reference}")
    p99 = _latency("p99 ms", lambda latency: latency.p99_ms)

    def ratio(row: Row) -> TableCell:
        told = times.cell(row)
        return replace(told, detail=f"tie, {told.detail}") if panel.is_tie(row.cell.contender) else told

    def latency(row: Row) -> TableCell:
        asked = at_rate.get(row.cell.contender)
        if asked is None or asked.arrivals is None:
            return replace(p99.cell(row), detail="at saturation")
        return replace(p99.cell(asked), detail=f"at {figure(asked.arrivals.rate_rps)}/s")

    def memory(row: Row) -> str:
        size = row.memory_peak_bytes
        return mebibytes(None if size is None else size // workers[row.cell.contender])

    return (
        PanelColumn(heading="req/s", cell=_throughput, term="throughput"),
        replace(times, cell=ratio),
        replace(p99, cell=latency),
        _cores("app", lambda row: row.service_demand_us),
        _cores("database", lambda row: row.database_us),
        _plain("MiB per worker", memory),
    )


def quoted_columns(panel: Panel) -> tuple[PanelColumn, ...]:
    return (
        PanelColumn(heading="req/s", cell=_throughput),
        _ratio(panel, f"× {panel.reference}"),
        _latency("p99 ms", lambda latency: latency.p99_ms),
        _estimate("CPU µs/req", lambda row: row.service_demand_us),
        _plain("MiB", _memory),
    )


def terminal_columns(panel: Panel, *, narrow: bool) -> tuple[PanelColumn, ...]:
    """Return the columns that fit 80 characters. A narrow terminal has no CPU and memory columns."""
    first = _open() if panel.is_open else _closed(panel)
    rest: list[PanelColumn] = []
    if not narrow:
        demand = PanelColumn(
            heading="CPU\nµs/req\nbound by",
            cell=lambda row: TableCell(point(row.service_demand_us), row.bound_by or ""),
        )
        last = _ratio(panel, f"CPU\n× {panel.reference}") if panel.is_open else _plain("MiB", _memory)
        rest = [demand, last]
    return *first, *rest, *_failed(panel)


def _closed(panel: Panel) -> Iterator[PanelColumn]:
    yield PanelColumn(heading="req/s", cell=_throughput, term="throughput")
    yield _ratio(panel, f"× {panel.reference}")
    yield _latency("p50\nms", lambda latency: latency.p50_ms)
    yield _latency("p99\nms", lambda latency: latency.p99_ms)


def _open() -> Iterator[PanelColumn]:
    yield _asked("req/s\ndue", lambda asked: figure(asked.rate_rps))
    yield from _percentiles()
    yield _asked("lag\np99\nms", lambda asked: figure(asked.lag.p99_ms))


def _open_page() -> Iterator[PanelColumn]:
    yield _asked("req/s due", lambda asked: figure(asked.rate_rps))
    yield PanelColumn(heading="req/s answered", cell=_throughput, term="throughput")
    yield from _percentiles()
    yield _latency("max ms", lambda latency: latency.max_ms)
    yield _asked("service p50 ms", lambda asked: figure(asked.service.p50_ms), "service time")
    yield _asked("service p99 ms", lambda asked: figure(asked.service.p99_ms), "service time")
    yield _asked("lag p99 ms", lambda asked: figure(asked.lag.p99_ms), "lag")
    yield _asked("queued", lambda asked: f"{asked.queued:,}", "queued")
    yield _plain("no answer", lambda row: f"{row.unfinished:,}")


def _percentiles() -> Iterator[PanelColumn]:
    yield _latency("p50\nms", lambda latency: latency.p50_ms)
    yield _latency("p90\nms", lambda latency: latency.p90_ms)
    yield _latency("p99\nms", lambda latency: latency.p99_ms)
    yield _latency("p99.9\nms", lambda latency: latency.p99_9_ms)


def _throughput(row: Row) -> TableCell:
    return TableCell(at_least(row.throughput_rps)) if row.client_limit else measured(row.throughput_rps)


def _latency(heading: str, told: Callable[[Latency], float | None]) -> PanelColumn:
    def text(row: Row) -> str:
        value = told(row.latency)
        # It includes the client's lag.
        return f"{'≤ ' * bool(row.client_limit and row.arrivals and value)}{figure(value)}"

    return _plain(heading, text, "latency")


def _ratio(panel: Panel, heading: str) -> PanelColumn:
    return PanelColumn(
        heading=heading, cell=lambda row: measured(panel.ratio_of(row), of_ratio=True), term="reference"
    )


def _estimate(heading: str, told: Callable[[Row], Estimate | None], term: str = "") -> PanelColumn:
    return PanelColumn(heading=heading, cell=lambda row: measured(told(row)), term=term)


def _cores(whose: str, told: Callable[[Row], Estimate | None]) -> PanelColumn:
    """Return the cores in use at 1,000 requests per second: CPU per request in µs, divided by 1,000."""

    def cell(row: Row) -> TableCell:
        return measured(scaled(told(row), 1e-3), of_ratio=True)  # shown with three decimals

    return PanelColumn(heading=f"{whose} cores per 1,000 req/s", cell=cell, term="service demand")


def _asked(heading: str, told: Callable[[Arrivals], str], term: str = "") -> PanelColumn:
    return _plain(heading, lambda row: told(row.arrivals) if row.arrivals else NOTHING, term)


def _plain(heading: str, told: Callable[[Row], str], term: str = "") -> PanelColumn:
    return PanelColumn(heading=heading, cell=lambda row: TableCell(told(row)), term=term)


def _memory(row: Row) -> str:
    return mebibytes(row.memory_peak_bytes)


def _failed(panel: Panel) -> tuple[PanelColumn, ...]:
    return (_plain("failed", lambda row: f"{row.failed:,}", "failure"),) if panel.any_failed else ()
