"""Blocks with a reference of their own: a table of each contender relative to it, over all scenarios."""

from collections.abc import Iterator

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison
from bench.analysis.rows import Row
from bench.loads import Load
from bench.model.cell import Cell
from bench.model.plan import Block
from bench.report import upgrades
from bench.report.document import Column, Section, Table, TableCell, contender_cell, name_column
from bench.report.wording import NOTHING, abouts, interval, levels, point, throughput


def section(analysis: Analysis) -> Section | None:
    parts = besides(analysis)
    if not parts:
        return None
    return Section(
        title="Beside its own reference", anchor="beside", parts=parts, notes=tuple(_notes(analysis))
    )


def besides(analysis: Analysis) -> tuple[Section, ...]:
    """Return each block with a reference of its own.

    A block in which only workers differ is in `bench.report.by_workers`; one of versions in `upgrades`.
    """
    by_workers = {one.row.cell.contender for found in analysis.scalings for one in found.all}
    return tuple(
        _beside(analysis, block, block.reference)
        for block in analysis.run.plan.blocks
        if block.reference
        and not by_workers.issuperset(_named(analysis, block))
        and not upgrades.is_upgrade(block)
    )


def _notes(analysis: Analysis) -> Iterator[str]:
    level = levels(one.ratio for one in analysis.comparisons if one.metric == "throughput_rps")
    each = f" One interval each ({level}, not adjusted for their number)." if level else ""
    yield (
        "First the reference's verified responses per second, then the others as multiples of it. Both are "
        f"from the same sweeps. Verdicts use the plan's margin.{each}"
    )


def _named(analysis: Analysis, block: Block) -> list[str]:
    """Return the measured contenders of *block*, its reference first, without controls."""
    measured = {row.cell.contender for row in analysis.rows if not row.is_control}
    named = [name for name in block.contenders if name in measured]
    return sorted(named, key=lambda name: name != block.reference)


def _beside(analysis: Analysis, block: Block, reference: str) -> Section:
    rows = {row.cell: row for row in analysis.rows}
    ratios = {one.cell: one for one in analysis.comparisons if one.metric == "throughput_rps"}
    stacks = {one.name: one.stack for one in analysis.run.contenders}
    words = abouts(analysis.run)
    loads = [load for load in block.loads if load.compares_throughput]
    places = [(scenario, load) for scenario in block.scenarios for load in loads]

    def cell_of(name: str, scenario: str, load: Load) -> TableCell:
        cell = Cell(contender=name, scenario=scenario, load=load)
        return _cell(rows.get(cell), ratios.get(cell), valid=analysis.valid)

    stack = stacks.get(reference, reference)
    headings = (
        words.get(scenario, scenario) + (f", {load.title}" if len(loads) > 1 else "")
        for scenario, load in places
    )
    table = Table(
        caption=f"Relative to {stack}. Below a ratio: its interval over rounds, and the verdict",
        columns=(
            name_column("contender", detail="stack", term="contender"),
            *(Column(heading=heading) for heading in headings),
        ),
        rows=tuple(
            (contender_cell(name, stacks[name]), *(cell_of(name, *place) for place in places))
            for name in _named(analysis, block)
        ),
    )
    return Section(title=f"{stack} ({reference})", tables=(table,))


def _cell(row: Row | None, comparison: Comparison | None, *, valid: bool) -> TableCell:
    if row is None:
        return TableCell(NOTHING)
    if comparison is None:
        rate = throughput(row.throughput_rps, row.client_limit)
        return TableCell(f"{rate} req/s", interval(row.throughput_rps))
    if comparison.ratio is None:
        return TableCell(NOTHING, comparison.withheld)
    verdict = comparison.verdict if valid else "cannot tell"
    detail = ", ".join(filter(None, (interval(comparison.ratio, of_ratio=True), verdict)))
    return TableCell(f"{point(comparison.ratio, of_ratio=True)} ×", detail)
