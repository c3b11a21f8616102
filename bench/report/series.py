"""One scenario under loads of one kind, from weak to strong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.analysis.capacities import Capacity
from bench.analysis.rows import Row
from bench.loads import Load
from bench.report.columns import RowColumn
from bench.report.document import Section, TableCell, lines_table
from bench.report.load_kinds import shown
from bench.report.panels import Panel
from bench.report.wording import at_least, both, plural

FEWEST_LOADS = 3  # loads of one kind; two points are not a curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Panels of one scenario from the weakest load to the strongest."""

    scenario: str
    panels: tuple[Panel, ...]

    @property
    def load(self) -> Load:
        """The weakest load. The others are of its family."""
        return self.panels[0].load

    @property
    def load_text(self) -> str:
        return f"{self.load.level} to {self.panels[-1].load.level} {self.load.unit}"

    @property
    def title(self) -> str:
        return f"{self.scenario}, {self.load_text}"

    @property
    def slug(self) -> str:
        """The start of its charts' file names. It differs between the series of one scenario."""
        return f"{self.scenario}-{self.load.family}"

    @property
    def rows(self) -> Mapping[str, tuple[Row, ...]]:
        """The rows of each contender from weak to strong, without controls."""
        found: dict[str, list[Row]] = {}
        for panel in self.panels:
            for row in panel.contenders:
                found.setdefault(row.cell.contender, []).append(row)
        return {name: tuple(found[name]) for name in sorted(found)}

    @property
    def columns(self) -> tuple[RowColumn, ...]:
        return shown(self.load).series

    @property
    def lines(self) -> Mapping[str, tuple[tuple[TableCell, ...], ...]]:
        return {
            name: tuple(tuple(column.cell(row) for column in self.columns) for row in rows)
            for name, rows in self.rows.items()
        }

    @property
    def caveats(self) -> tuple[str, ...]:
        """The caveats of its panels, each once, with the loads that they concern."""
        concerned: dict[str, list[str]] = {}
        for panel in self.panels:
            for caveat in panel.caveats:
                concerned.setdefault(caveat, []).append(panel.load.title)
        return tuple(
            caveat if len(loads) == len(self.panels) else f"{', '.join(loads)}: {caveat}"
            for caveat, loads in concerned.items()
        )

    def notes(self, capacities: Iterable[Capacity]) -> tuple[str, ...]:
        if self.load.compares_throughput:
            return tuple(_on_plateaus(self.rows))
        here = [one for one in capacities if one.scenario == self.scenario and one.contender in self.rows]
        return tuple(_on_capacities(here))

    def section(self, capacities: Iterable[Capacity]) -> Section:
        return Section(
            title=self.title,
            charts=self.title,
            tables=(lines_table(self.title, self.columns, self.lines),),
            notes=self.notes(capacities),
        )


def series_of(panels: Iterable[Panel]) -> tuple[Series, ...]:
    """Return a series for each scenario measured under at least three loads of one kind."""
    grouped: dict[tuple[str, str], list[Panel]] = {}
    for panel in panels:
        grouped.setdefault((panel.scenario, panel.load.family), []).append(panel)
    return tuple(
        Series(scenario=alike[0].scenario, panels=tuple(sorted(alike, key=lambda panel: panel.load.strength)))
        for alike in grouped.values()
        if len(alike) >= FEWEST_LOADS
    )


def apart(panels: Iterable[Panel]) -> tuple[Panel, ...]:
    """Return the panels that are in no series."""
    there = tuple(panels)
    serial = {panel.title for series in series_of(there) for panel in series.panels}
    return tuple(panel for panel in there if panel.title not in serial)


def _on_plateaus(rows: Mapping[str, tuple[Row, ...]]) -> Iterator[str]:
    plateaus = []
    for name, measured in rows.items():
        answered = [row for row in measured if row.throughput_rps and row.requests and not row.withheld]
        if answered:
            top = max(answered, key=lambda row: row.throughput_rps.estimate if row.throughput_rps else 0.0)
            most = at_least(top.throughput_rps) if top.client_limit else both(top.throughput_rps)
            plateaus.append(f"{name} {most} req/s at {plural(top.cell.load.connections, 'connection')}")
    if plateaus:
        yield f"Plateau, the highest throughput: {'; '.join(plateaus)}."


def _on_capacities(capacities: list[Capacity]) -> Iterator[str]:
    for slo_ms in sorted({one.slo_ms for one in capacities}):
        in_order = sorted(capacities, key=lambda one: one.contender)
        rates = ", ".join(f"{one.contender} {_capacity(one)}" for one in in_order)
        yield f"Capacity, the highest rate of those tried with p99 within {slo_ms:g} ms: {rates}."


def _capacity(capacity: Capacity) -> str:
    rate = capacity.rate_rps
    if not rate.estimate and not capacity.at_least:
        return "none"
    return f"{'≥ ' * capacity.at_least}{both(rate)}/s"
