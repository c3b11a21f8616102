"""One scenario under loads of one kind, from weak to strong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.analysis.capacities import Capacity
from bench.analysis.rows import Row
from bench.model import Load
from bench.project.loads import spoken
from bench.report.document import Column, Section, TableCell, lines_table
from bench.report.panels import Panel
from bench.report.wording import NOTHING, at_least, both, figure, plural, throughput

AT_CONNECTIONS = ("connections", "req/s", "p50 ms", "p99 ms", "bound by")
AT_RATES = ("req/s due", "p50 ms", "p99 ms", "p99.9 ms", "lag p99 ms", "queued", "no answer", "bound by")
FEWEST_LOADS = 3  # loads of one kind; two points are not a curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Panels of one scenario from the weakest load to the strongest."""

    scenario: str
    panels: tuple[Panel, ...]

    @property
    def is_open(self) -> bool:
        """Whether the loads are rates. Otherwise they are numbers of connections."""
        return self.panels[0].is_open

    @property
    def spoken(self) -> str:
        first, last = self.panels[0].load, self.panels[-1].load
        if not self.is_open:
            return f"{first.connections:,} to {last.connections:,} connections"
        if first.fraction is None or last.fraction is None:
            return f"{first.rate or 0:,.10g} to {last.rate or 0:,.10g} requests/s"
        whose = "the slowest one's capacity" if first.of else "each one's capacity"
        return f"{first.fraction * 100:.10g} to {last.fraction * 100:.10g} % of {whose}"

    @property
    def title(self) -> str:
        return f"{self.scenario}, {self.spoken}"

    @property
    def slug(self) -> str:
        """The start of its charts' file names. It differs between the series of one scenario."""
        load = self.panels[0].load
        level = "rates" if load.fraction is None else "fractions"
        uniform = "uniform" if load.arrivals == "uniform" else None
        parts = (level, load.of, uniform) if self.is_open else ("connections",)
        return "-".join(filter(None, (self.scenario, *parts)))

    @property
    def rows(self) -> Mapping[str, tuple[Row, ...]]:
        """The rows of each contender from weak to strong, without controls."""
        found: dict[str, list[Row]] = {}
        for panel in self.panels:
            for row in panel.contenders:
                found.setdefault(row.cell.contender, []).append(row)
        return {name: tuple(found[name]) for name in sorted(found)}

    @property
    def columns(self) -> tuple[Column, ...]:
        headings = AT_RATES if self.is_open else AT_CONNECTIONS
        return tuple(Column(heading=heading) for heading in headings)

    @property
    def lines(self) -> Mapping[str, tuple[tuple[TableCell, ...], ...]]:
        line = _at_rate if self.is_open else _at_connections
        return {
            name: tuple(tuple(map(TableCell, line(row))) for row in rows) for name, rows in self.rows.items()
        }

    @property
    def caveats(self) -> tuple[str, ...]:
        """The caveats of its panels, each once, with the loads that they concern."""
        concerned: dict[str, list[str]] = {}
        for panel in self.panels:
            for caveat in panel.caveats:
                concerned.setdefault(caveat, []).append(spoken(panel.load))
        return tuple(
            caveat if len(loads) == len(self.panels) else f"{', '.join(loads)}: {caveat}"
            for caveat, loads in concerned.items()
        )

    def notes(self, capacities: Iterable[Capacity]) -> tuple[str, ...]:
        if self.is_open:
            here = [one for one in capacities if one.scenario == self.scenario and one.contender in self.rows]
            return tuple(_on_capacities(here))
        return tuple(_on_plateaus(self.rows))

    def section(self, capacities: Iterable[Capacity]) -> Section:
        return Section(
            title=self.title,
            charts=self.title,
            tables=(lines_table(self.title, self.columns, self.lines),),
            notes=self.notes(capacities),
        )


def level_of(row: Row) -> float:
    """Return the strength of a row's load: connections, or requests per second."""
    if row.arrivals:
        return row.arrivals.rate_rps or 0.0
    return float(row.cell.load.connections)


def series_of(panels: Iterable[Panel]) -> tuple[Series, ...]:
    """Return a series for each scenario measured under at least three loads of one kind."""
    grouped: dict[tuple[object, ...], list[Panel]] = {}
    for panel in panels:
        load = panel.load
        kind = (panel.scenario, load.kind, load.of, load.arrivals, load.fraction is None)
        grouped.setdefault(kind, []).append(panel)
    return tuple(
        Series(
            scenario=alike[0].scenario, panels=tuple(sorted(alike, key=lambda panel: _strength(panel.load)))
        )
        for alike in grouped.values()
        if len(alike) >= FEWEST_LOADS
    )


def apart(panels: Iterable[Panel]) -> tuple[Panel, ...]:
    """Return the panels that are in no series."""
    there = tuple(panels)
    serial = {panel.title for series in series_of(there) for panel in series.panels}
    return tuple(panel for panel in there if panel.title not in serial)


def _strength(load: Load) -> tuple[float, int]:
    return load.fraction or load.rate or 0.0, load.connections


def _at_connections(row: Row) -> tuple[str, ...]:
    return (
        f"{row.cell.load.connections:,}",
        throughput(row.throughput_rps, row.client_limit),
        figure(row.latency.p50_ms),
        figure(row.latency.p99_ms),
        row.bound_by or NOTHING,
    )


def _at_rate(row: Row) -> tuple[str, ...]:
    asked = row.arrivals
    return (
        figure(level_of(row)),
        figure(row.latency.p50_ms),
        figure(row.latency.p99_ms),
        figure(row.latency.p99_9_ms),
        figure(asked.lag.p99_ms) if asked else NOTHING,
        f"{asked.queued:,}" if asked else NOTHING,
        f"{row.unfinished:,}",
        row.bound_by or NOTHING,
    )


def _on_plateaus(rows: Mapping[str, tuple[Row, ...]]) -> Iterator[str]:
    told = []
    for name, measured in rows.items():
        answered = [row for row in measured if row.throughput_rps and row.requests and not row.withheld]
        if answered:
            top = max(answered, key=lambda row: row.throughput_rps.estimate if row.throughput_rps else 0.0)
            most = at_least(top.throughput_rps) if top.client_limit else both(top.throughput_rps)
            told.append(f"{name} {most} req/s at {plural(top.cell.load.connections, 'connection')}")
    if told:
        yield f"Plateau, the highest throughput: {'; '.join(told)}."


def _on_capacities(capacities: list[Capacity]) -> Iterator[str]:
    for slo_ms in sorted({one.slo_ms for one in capacities}):
        in_order = sorted(capacities, key=lambda one: one.contender)
        told = ", ".join(f"{one.contender} {_capacity(one)}" for one in in_order)
        yield f"Capacity, the highest rate of those tried with p99 within {slo_ms:g} ms: {told}."


def _capacity(capacity: Capacity) -> str:
    rate = capacity.rate_rps
    if not rate.estimate and not capacity.at_least:
        return "none"
    return f"{'≥ ' * capacity.at_least}{both(rate)}/s"
