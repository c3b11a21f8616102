"""Contenders beside their earlier selves: another lock, or another Python, and what that changed."""

from collections.abc import Iterator, Mapping

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison
from bench.loads import Metric
from bench.model.cell import Cell
from bench.model.contender import name_of
from bench.model.plan import Block
from bench.report import versions
from bench.report.details import per_request, statements_of
from bench.report.document import Column, Section, Table, TableCell, contender_cell, name_column
from bench.report.wording import NOTHING, abouts, measured, ratio

FACTORS = ("lock=", "python=")  # the switches that make another version of a contender
COLUMNS = (
    name_column("contender", detail="stack", term="contender"),
    Column(heading="scenario", kind="text", term="scenario"),
    Column(heading="req/s ×"),
    Column(heading="CPU µs/req ×"),
    Column(heading="instructions ×", term="instructions"),
    Column(heading="SQL per request", term="statement"),
    Column(heading="verdict", kind="verdict"),
)
HOW = (
    "Each version relative to the oldest of its block, which is named above the table, from the same sweeps. "
    "Above 1 in req/s: it is faster than that. Below 1 in CPU and instructions: it needs less"
)


def section(analysis: Analysis) -> Section | None:
    """Return its section; None for a run without versions of one contender."""
    parts = tuple(_part(analysis, block) for block in analysis.run.plan.blocks if is_upgrade(block))
    if not parts:
        return None
    return Section(title="Upgrades", anchor="upgrades", parts=parts, notes=(f"{HOW}.",))


def is_upgrade(block: Block) -> bool:
    """Return whether all contenders of *block* are versions of its own reference."""
    if block.reference is None or len(block.contenders) < 2:
        return False
    return len({_without_versions(name) for name in block.contenders}) == 1


def _without_versions(name: str) -> tuple[str, tuple[str, ...]]:
    parts = name_of(name)
    return parts.base, tuple(one for one in parts.switches if not one.startswith(FACTORS))


def _part(analysis: Analysis, block: Block) -> Section:
    run, reference = analysis.run, str(block.reference)
    stacks = {one.name: one.stack for one in run.contenders}
    words = abouts(run)
    rows, notes = [], []
    for name in block.contenders:
        if name == reference or name not in stacks:
            continue
        for scenario in block.scenarios:
            for load in block.loads:
                cell = Cell(contender=name, scenario=scenario, load=load)
                if found := _row(analysis, cell, reference):
                    rows.append(
                        (contender_cell(name, stacks[name]), TableCell(words.get(scenario, scenario)), *found)
                    )
        if moved := versions.moved(run, name, reference):
            notes.append(f"{name}, beside the oldest: {'; '.join(moved)}.")
    known = ", ".join(f"{package} {version}" for package, version in _known(analysis, reference).items())
    if known:
        notes.insert(0, f"The oldest has {known}.")
    title = f"{stacks.get(reference, reference)} ({reference})"
    table = Table(caption=f"Relative to {title}", columns=COLUMNS, rows=tuple(rows))
    return Section(title=f"Since {title}", tables=(table,), notes=tuple(notes))


def _known(analysis: Analysis, name: str) -> Mapping[str, str]:
    one = next((one for one in analysis.run.contenders if one.name == name), None)
    return versions.versions(analysis.run, one) if one else {}


def _row(analysis: Analysis, cell: Cell, reference: str) -> tuple[TableCell, ...] | None:
    compared = {
        one.metric: one for one in analysis.comparisons if one.cell == cell and one.reference == reference
    }
    if not compared:
        return None
    main = compared.get("throughput_rps") or next(iter(compared.values()))
    verdict = main.verdict if analysis.valid else "cannot tell"
    return (
        _ratio(compared, "throughput_rps"),
        _ratio(compared, "service_demand_us"),
        TableCell(_instructions(analysis, cell, reference)),
        TableCell(
            " → ".join(
                per_request(statements_of(analysis.run, name, cell.scenario))
                for name in (reference, cell.contender)
            )
        ),
        TableCell(verdict),
    )


def _ratio(compared: Mapping[Metric, Comparison], metric: Metric) -> TableCell:
    one = compared.get(metric)
    if one is None:
        return TableCell(NOTHING)
    return measured(one.ratio, of_ratio=True) if one.ratio else TableCell(NOTHING, one.withheld)


def _instructions(analysis: Analysis, cell: Cell, reference: str) -> str:
    counts = {
        one.contender: one.per_request
        for one in analysis.run.instructions
        if one.scenario == cell.scenario and one.per_request
    }
    now, was = counts.get(cell.contender), counts.get(reference)
    return ratio(now / was) if now and was else NOTHING


def sentences(analysis: Analysis) -> Iterator[str]:
    """Yield how many upgrades changed something, and which most. Nothing if none was judged."""
    judged = [
        (block, one)
        for block in analysis.run.plan.blocks
        if is_upgrade(block)
        for one in analysis.comparisons
        if one.metric == "throughput_rps"
        and one.reference == block.reference
        and one.cell.contender in block.contenders
        and one.cell.scenario in block.scenarios
        and one.ratio
    ]
    if not judged or not analysis.valid:
        return
    found = [one for _, one in judged]
    counts = {word: sum(one.verdict == word for one in found) for word in ("faster", "slower", "equivalent")}
    rest = len(found) - sum(counts.values())
    verdicts = ", ".join(f"{count} {word}" for word, count in counts.items())
    yield f"Of {len(found)} comparisons with the oldest version: {verdicts}, {rest} cannot be verdicts."
    for word, chosen in (("Most gained", max), ("Most lost", min)):
        one = chosen(found, key=lambda each: each.ratio.estimate if each.ratio else 1.0)
        if one.verdict == ("faster" if chosen is max else "slower"):
            where = abouts(analysis.run).get(one.cell.scenario, one.cell.scenario)
            times = measured(one.ratio, of_ratio=True).line
            yield f"{word}: {one.cell.contender} at {where}, {times} × {one.reference}."
