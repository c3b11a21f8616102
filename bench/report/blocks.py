"""Blocks with a reference of their own: a table of each contender relative to it, over all scenarios."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison
from bench.analysis.rows import Row
from bench.model import Block, Cell, Load
from bench.project.loads import spoken
from bench.report.answer import abouts
from bench.report.wording import NOTHING, at_least, interval, levels, point

Told = tuple[str, str]  # the text of a table cell, and its detail


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRow:
    contender: str
    stack: str
    told: tuple[Told, ...]  # by scenario and load


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A block: the throughput of its reference, and the others relative to it."""

    reference: str
    stack: str  # of the reference
    headings: tuple[str, ...]  # scenarios, with their loads where there are several
    lines: tuple[BlockRow, ...]  # the reference first, then in the plan's order


def besides(analysis: Analysis) -> tuple[Beside, ...]:
    """Return each block with a reference of its own.

    A block in which only workers differ is in `bench.report.by_workers`.
    """
    by_workers = {one.row.cell.contender for found in analysis.scalings for one in found.all}
    return tuple(
        _beside(analysis, block, block.reference)
        for block in analysis.run.plan.blocks
        if block.reference and not by_workers.issuperset(_named(analysis, block))
    )


def notes(analysis: Analysis, told: tuple[Beside, ...]) -> Iterator[str]:
    if told:
        level = levels(one.ratio for one in analysis.comparisons if one.metric == "throughput_rps")
        each = f" One interval each ({level}, not adjusted for their number)." if level else ""
        yield (
            "First the reference's verified responses per second, then the others as multiples of it, both "
            f"from the same sweeps, with their verdicts by the plan's margin.{each}"
        )


def _named(analysis: Analysis, block: Block) -> list[str]:
    """Return the measured contenders of *block*, its reference first, without controls."""
    measured = {row.cell.contender for row in analysis.rows if not row.is_control}
    named = [name for name in block.contenders if name in measured]
    return sorted(named, key=lambda name: name != block.reference)


def _beside(analysis: Analysis, block: Block, reference: str) -> Beside:
    rows = {row.cell: row for row in analysis.rows}
    ratios = {one.cell: one for one in analysis.comparisons if one.metric == "throughput_rps"}
    stacks = {one.name: one.stack for one in analysis.run.contenders}
    said = abouts(analysis.run)
    loads = [load for load in block.loads if load.kind == "closed"]  # an open load has a given throughput
    asked = [(scenario, load) for scenario in block.scenarios for load in loads]

    def told(name: str, scenario: str, load: Load) -> Told:
        cell = Cell(contender=name, scenario=scenario, load=load)
        return _told(rows.get(cell), ratios.get(cell), valid=analysis.valid)

    return Beside(
        reference=reference,
        stack=stacks.get(reference, reference),
        headings=tuple(
            said.get(scenario, scenario) + (f", {spoken(load)}" if len(loads) > 1 else "")
            for scenario, load in asked
        ),
        lines=tuple(
            BlockRow(contender=name, stack=stacks[name], told=tuple(told(name, *place) for place in asked))
            for name in _named(analysis, block)
        ),
    )


def _told(row: Row | None, comparison: Comparison | None, *, valid: bool) -> Told:
    if row is None:
        return NOTHING, ""
    if comparison is None:
        rate = at_least(row.throughput_rps) if row.client_limit else point(row.throughput_rps)
        return f"{rate} req/s", interval(row.throughput_rps)
    if comparison.ratio is None:
        return NOTHING, comparison.withheld
    verdict = comparison.verdict if valid else "cannot tell"
    detail = ", ".join(filter(None, (interval(comparison.ratio, of_ratio=True), verdict)))
    return f"{point(comparison.ratio, of_ratio=True)} ×", detail
