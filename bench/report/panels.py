"""What every form of the report shows of one scenario under one load."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison
from bench.analysis.measures import metrics_of
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.model import ITSELF, PREVIOUS, Load, Plan
from bench.project.loads import slug, spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Contenders side by side: best first, then those that the client limited, controls last.

    Best is the highest throughput; in an open loop, where throughput is given, the lowest p99.
    """

    scenario: str
    load: Load
    reference: str  # as a heading has it: "base" where each is relative to its own
    references: frozenset[str]  # the contenders that others are relative to
    rows: tuple[Row, ...]
    ratios: Mapping[str, Comparison]  # contender → its main metric relative to the reference's
    noise_floors: tuple[Comparison, ...]  # its own, or else the run's first, of its main metric
    margin: float  # of its main metric: what a verdict has to clear
    caveats: tuple[str, ...]  # each once, with the contenders it concerns; without what concerns the run

    @property
    def title(self) -> str:
        """Scenario and load."""
        return f"{self.scenario}, {spoken(self.load)}"

    @property
    def slug(self) -> str:
        """Scenario and load as a file's name begins."""
        return f"{self.scenario}-{slug(self.load)}"

    @property
    def is_open(self) -> bool:
        """Whether requests came at times of their own; then CPU per request is what is compared."""
        return self.load.kind == "open"

    @property
    def contenders(self) -> tuple[Row, ...]:
        """The rows without controls."""
        return tuple(row for row in self.rows if not row.is_control)

    @property
    def ranked(self) -> tuple[Row, ...]:
        """The contenders that answered rightly and that the client did not limit, best first."""
        return tuple(row for row in self.contenders if _counts(row) and not row.client_limit)

    @property
    def limited(self) -> tuple[Row, ...]:
        """The contenders of which only a bound is known, as the client may have been the limit."""
        return tuple(row for row in self.contenders if _counts(row) and row.client_limit)

    @property
    def withheld(self) -> tuple[Row, ...]:
        """The contenders that are in no order, as answers were wrong or did not come."""
        return tuple(row for row in self.contenders if row.withheld and row.answers)

    @property
    def any_failed(self) -> bool:
        """Whether some response was wrong or did not come."""
        return any(row.failed for row in self.rows)

    def rank_of(self, row: Row) -> str:
        """Return the row's place, "2=" where others share it; nothing where it has none."""
        if row.rank is None:
            return ""
        return f"{row.rank}{'=' * (sum(other.rank == row.rank for other in self.rows) > 1)}"

    def ratio_of(self, row: Row) -> Estimate | None:
        """Return the row's main metric relative to the reference's; None where there is no ratio."""
        if row.cell.contender in self.references:
            return None if row.client_limit or not _counts(row) else Estimate(estimate=1.0)
        comparison = self.ratios.get(row.cell.contender)
        return comparison.ratio if comparison else None

    def is_tie(self, contender: str) -> bool:
        """Return whether nobody could tell it from the reference: the interval of their ratio contains 1."""
        comparison = self.ratios.get(contender)
        ratio = comparison.ratio if comparison else None
        return bool(ratio and ratio.low and ratio.high and ratio.low <= 1 <= ratio.high)


def panels(analysis: Analysis) -> tuple[Panel, ...]:
    """Return a panel for each scenario and load that was measured, in the plan's order."""
    grouped: dict[tuple[str, Load], list[Row]] = {}
    for row in analysis.rows:
        grouped.setdefault((row.cell.scenario, row.cell.load), []).append(row)
    return tuple(_panel(analysis, scenario, load, rows) for (scenario, load), rows in grouped.items())


def caveats_everywhere(analysis: Analysis) -> tuple[str, ...]:
    """Return the caveats that every row has."""
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
    """Return what a heading calls what *named* are relative to."""
    if plan.baseline:
        return "base"
    if plan.reference in (ITSELF, PREVIOUS):
        return plan.reference
    found = {plan.reference_of(name) for name in named}
    return found.pop() if len(found) == 1 else "its reference"


def _counts(row: Row) -> bool:
    """Whether its numbers are of right answers."""
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
