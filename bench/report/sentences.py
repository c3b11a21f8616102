"""The sentences above and below the numbers of a panel."""

from collections.abc import Callable, Iterator, Sequence

from bench.analysis.comparisons import Comparison, more_rounds
from bench.analysis.rows import Row
from bench.report.document import Column, Section, Table, TableCell, contender_cell, name_column
from bench.report.load_kinds import shown
from bench.report.panels import Panel, page_columns
from bench.report.wording import at_least, both, figure, interval, levels, plural, point

Describe = Callable[[Panel, Row], str]
TOO_FEW = "too few answers for a percentile"


def notes(panel: Panel) -> tuple[str, ...]:
    return (
        *shown(panel.load).latency(panel.load, panel.rows),
        *_on_bounds(panel),
        *_on_ratios(panel),
        *_on_verdicts(panel),
        *(_on_noise(panel, floor) for floor in panel.noise_floors),
    )


def section(panel: Panel) -> Section:
    columns = page_columns(panel)
    rank = Column(heading="rank", term="rank", kind="figure")
    rows = tuple(
        (
            TableCell(panel.rank_of(row)),
            contender_cell(row.cell.contender, row.stack),
            *(column.cell(row) for column in columns),
        )
        for row in panel.rows
    )
    name = name_column("contender", detail="stack", term="contender")
    return Section(
        title=panel.title,
        charts=panel.title,
        charts_below=("Latency", "CPU per request"),
        tables=(Table(columns=(rank, name, *columns), rows=rows),),
        notes=notes(panel),
        caveats=panel.caveats,
        quotes={
            f"First failures of {row.cell.contender}": row.examples for row in panel.rows if row.examples
        },
    )


def headline(panel: Panel) -> str:
    return f"{panel.title}: {gist(panel)}"


def gist(panel: Panel) -> str:
    """Return the panel's answer in one sentence. It names the stack, not the framework."""
    say: Describe = _at_most if panel.load.compares_throughput else _at_its_rate
    parts = []
    if not panel.load.compares_throughput and not has_percentiles(panel):
        parts.append(TOO_FEW)
    elif panel.ranked:
        parts.append(say(panel, panel.ranked[0]))
    if panel.ranked[1:] and parts[0] != TOO_FEW:
        worst = "the lowest is" if panel.load.compares_throughput else "the slowest is"
        parts.append(f"{worst} {say(panel, panel.ranked[-1])}")
    if panel.limited:
        bounds = ", ".join(f"{row.cell.contender} {at_least(row.throughput_rps)}" for row in panel.limited)
        parts.append(f"client-limited, so in no order: {bounds}")
    parts += [f"{row.cell.contender} in no order, {row.withheld}" for row in panel.withheld if row.requests]
    if not parts:
        return "no verified response from anyone."
    if silent := [row.cell.contender for row in panel.contenders if not row.requests]:
        parts.append(f"no verified response from {', '.join(silent)}")
    return f"{'; '.join(parts)}."


def has_percentiles(panel: Panel) -> bool:
    return any(row.latency.p50_ms is not None for row in panel.contenders)


def _at_most(panel: Panel, row: Row) -> str:
    """Return the highest throughput of a contender in words, and how it compares."""
    name = row.cell.contender
    first = row is panel.ranked[0]
    verb, unit = ("answers", "requests per second") if first else ("with", "")
    rate = " ".join(filter(None, (point(row.throughput_rps), unit, _bracketed(interval(row.throughput_rps)))))
    parts = [f"{row.stack} ({name}) {verb} {rate}"]
    ratio = panel.ratio_of(row)
    if ratio and name not in panel.references:
        where = _bracketed(interval(ratio, of_ratio=True))
        parts.append(f"{point(ratio, of_ratio=True)} × {panel.reference} {where}".rstrip())
    if row.failed:
        parts.append(f"{row.failed:,} more failed")
    return ", ".join(parts)


def _at_its_rate(panel: Panel, row: Row) -> str:
    """Return the latency of a contender at the given rate, in words."""
    percentiles = {"99 %": row.latency.p99_ms, "half": row.latency.p50_ms}
    share = next((share for share, value in percentiles.items() if value is not None), None)
    within = f"{share} within {figure(percentiles[share])} ms" if share else TOO_FEW
    verb = " answers" if share and row is panel.ranked[0] else ","
    rate = f" at {figure(row.arrivals.rate_rps)} requests/s" if row.arrivals else ""
    lost = row.failed + row.unanswered
    rest = f", {lost:,} failed or without an answer" if lost else ""
    return f"{row.stack} ({row.cell.contender}){verb} {within}{rate}{rest}"


def _bracketed(text: str) -> str:
    return f"({text})" if text else ""


def _on_bounds(panel: Panel) -> Iterator[str]:
    by: dict[str, list[str]] = {}
    for row in panel.contenders:
        if row.bound_by:
            by.setdefault(row.bound_by, []).append(row.cell.contender)
    if by:
        bounds = (f"{what}: {', '.join(names)}" for what, names in by.items())
        yield f"Bound by {'; '.join(bounds)}."
    ceilings = {row.ceiling.rps for row in panel.rows if row.ceiling.rps}
    reached = {row.ceiling.reached_rps for row in panel.rows if row.ceiling.reached_rps}
    if ceilings:
        yield f"Ceiling: {figure(min(ceilings))} req/s, which the client reaches on a null server."
    elif reached:
        yield f"No ceiling was shown, but the client reached {figure(min(reached))} req/s on a null server."


def _on_ratios(panel: Panel) -> Iterator[str]:
    references = [row for row in panel.rows if row.cell.contender in panel.references]
    rest = [row for row in panel.rows if row not in references]
    if not references:
        yield f"No ratios: the reference, {panel.reference}, was not measured here."
        return
    if all(row.client_limit for row in references):
        yield f"No ratios: the reference, {panel.reference}, is client-limited."
        return
    if all(row.withheld for row in references):
        yield f"No ratios: {panel.reference}, the reference: {references[0].withheld}."
        return
    ratios = [ratio for row in rest if not row.is_control and (ratio := panel.ratio_of(row))]
    if ratios:
        level = levels(ratios)
        each = f", one interval each ({level}, not adjusted for their number)" if level else ""
        what = "" if panel.load.compares_throughput else " of CPU per request"
        yield f"{plural(len(ratios), 'comparison')}{what} with {panel.reference}{each}."
    yield from _on_missing_ratios(panel, rest)
    compared = (one for row in rest if (one := panel.ratios.get(row.cell.contender)) and one.ratio)
    if dropped := [one for one in compared if one.dropped]:
        counted = (f"{one.cell.contender} {one.dropped} of {one.pairs + one.dropped}" for one in dropped)
        why = "one of the two was void, missing or without a verified response"
        yield f"Sweeps that are not in a ratio, as {why}: {', '.join(counted)}."


def _on_missing_ratios(panel: Panel, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        comparison = panel.ratios.get(row.cell.contender)
        if comparison is None:
            yield f"No ratio for {row.cell.contender}: its reference was not measured here."
        elif comparison.withheld:
            yield f"No ratio for {row.cell.contender}: {comparison.withheld}."
        elif comparison.ratio is None:
            yield _without_pairs(panel, row)


def _on_verdicts(panel: Panel) -> Iterator[str]:
    judged = [one for row in panel.contenders if (one := panel.ratios.get(row.cell.contender)) and one.ratio]
    by: dict[str, list[str]] = {}
    for comparison in judged:
        if comparison.verdict != "invalid":
            by.setdefault(comparison.verdict, []).append(_judged(panel, comparison))
    if by:
        verdicts = "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in by.items())
        what = "throughput" if panel.load.compares_throughput else "CPU per request"
        yield f"Verdicts against {panel.reference}, {what} by more than {panel.margin * 100:g} %: {verdicts}."
    if held := [comparison.cell.contender for comparison in judged if comparison.blocked]:
        yield f"No verdict for {', '.join(held)}: the noise floor shows as much between equals."


def _judged(panel: Panel, comparison: Comparison) -> str:
    name = comparison.cell.contender
    if comparison.verdict != "inconclusive" or comparison.blocked or comparison.ratio is None:
        return name
    more = more_rounds(comparison.ratio, comparison.rounds, panel.margin)
    return f"{name} (about {plural(more, 'more round')} would settle it)" if more else name


def _without_pairs(panel: Panel, row: Row) -> str:
    what = "answered correctly" if panel.load.compares_throughput else "have CPU per request"
    return f"No ratio for {row.cell.contender}: no sweep in which both it and {panel.reference} {what}."


def _on_noise(panel: Panel, floor: Comparison) -> str:
    cell = floor.cell
    here = (cell.scenario, cell.load) == (panel.scenario, panel.load)
    where = "" if here else f", in {cell.scenario}, {cell.load.title}"
    what = ", CPU per request" if floor.metric == "service_demand_us" else ""
    return f"Noise floor{where}: {floor.reference} against itself{what} {both(floor.ratio, of_ratio=True)}."
