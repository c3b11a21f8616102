"""What every form of the report shows of one scenario under one load."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis import Analysis, Comparison, Estimate, Row
from bench.model import Load
from bench.report.wording import both, connections, interval, levels, plural, point


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Contenders side by side: fastest first, controls last."""

    scenario: str
    load: Load
    reference: str
    rows: tuple[Row, ...]
    ratios: Mapping[str, Comparison]  # contender → its throughput relative to the reference's
    noise_floors: tuple[Comparison, ...]  # its own, or else the run's first
    caveats: tuple[str, ...]  # each once, with the contenders it concerns; without what concerns the run

    @property
    def title(self) -> str:
        """Scenario and load."""
        return f"{self.scenario}, {connections(self.load)}"

    @property
    def contenders(self) -> tuple[Row, ...]:
        """The rows without controls."""
        return tuple(row for row in self.rows if not row.is_control)

    @property
    def any_failed(self) -> bool:
        """Whether some response was wrong or did not come."""
        return any(row.failed for row in self.rows)

    def ratio_of(self, row: Row) -> Estimate | None:
        """Return the row's throughput relative to the reference's; None where there is no ratio."""
        if row.cell.contender == self.reference:
            return Estimate(estimate=1.0)
        comparison = self.ratios.get(row.cell.contender)
        return comparison.ratio if comparison else None


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

    ranked = sorted(rows, key=_rank)
    return Panel(
        scenario=scenario,
        load=load,
        reference=analysis.run.plan.reference,
        rows=tuple(ranked),
        ratios={
            one.cell.contender: one for one in here(analysis.comparisons) if one.metric == "throughput_rps"
        },
        noise_floors=here(analysis.noise_floors) or analysis.noise_floors[:1],
        caveats=_caveats(ranked, caveats_everywhere(analysis)),
    )


def _rank(row: Row) -> tuple[bool, float]:
    return row.is_control, -row.throughput_rps.estimate if row.throughput_rps else 0.0


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


def notes(panel: Panel) -> tuple[str, ...]:
    """Return what a reader of the panel's numbers must know of them all, in sentences."""
    return (
        f"Latency at saturation, {panel.load.connections} in flight: from send to last byte, if verified.",
        *_on_ratios(panel),
        *(_on_noise(panel, floor) for floor in panel.noise_floors),
    )


def headline(panel: Panel) -> str:
    """Return the panel's answer in one sentence made of numbers; names the stack, not the framework."""
    answered = [row for row in panel.contenders if row.requests]
    if not answered:
        return f"{panel.title}: no verified response from anyone."
    parts = [f"{panel.title}: {_shown(panel, answered[0], 'answers', 'requests per second')}"]
    if answered[1:]:
        parts.append(f"the lowest is {_shown(panel, answered[-1], 'with')}")
    if silent := [row.cell.contender for row in panel.contenders if not row.requests]:
        parts.append(f"no verified response from {', '.join(silent)}")
    return f"{'; '.join(parts)}."


def _shown(panel: Panel, row: Row, verb: str, unit: str = "") -> str:
    name = row.cell.contender
    rate = " ".join(filter(None, (point(row.throughput_rps), unit, _bracketed(interval(row.throughput_rps)))))
    said = [f"{row.stack} ({name}) {verb} {rate}"]
    ratio = panel.ratio_of(row)
    if ratio and name != panel.reference:
        where = _bracketed(interval(ratio, of_ratio=True))
        said.append(f"{point(ratio, of_ratio=True)} × {panel.reference} {where}".rstrip())
    if row.failed:
        said.append(f"{row.failed:,} more failed")
    return ", ".join(said)


def _bracketed(text: str) -> str:
    return f"({text})" if text else ""


def _on_ratios(panel: Panel) -> Iterator[str]:
    rest = [row for row in panel.rows if row.cell.contender != panel.reference]
    if len(rest) == len(panel.rows):
        yield f"No ratios: the reference, {panel.reference}, was not measured here."
        return
    told = [ratio for row in rest if not row.is_control and (ratio := panel.ratio_of(row))]
    if told:
        level = levels(told)
        each = f", one interval each ({level}, not adjusted for their number)" if level else ""
        yield f"{plural(len(told), 'comparison')} with {panel.reference}{each}."
    for row in rest:
        name = row.cell.contender
        comparison = panel.ratios[name]
        if comparison.ratio is None:
            yield f"No ratio for {name}: no sweep in which both it and {panel.reference} answered correctly."
        elif comparison.dropped:
            swept = plural(comparison.pairs + comparison.dropped, "sweep")
            why = "one of the two was void, missing or without a verified response"
            yield f"{name}: {comparison.dropped} of {swept} are not in its ratio: {why}."


def _on_noise(panel: Panel, floor: Comparison) -> str:
    where = "" if floor.cell.scenario == panel.scenario else f", in {floor.cell.scenario}"
    return f"Noise floor{where}: {floor.reference} against itself {both(floor.ratio, of_ratio=True)}."
