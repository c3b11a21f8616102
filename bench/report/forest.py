"""The first picture of a report: every ratio with its interval, by scenario, on one axis (a forest plot)."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.analysis import Analysis
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.model.plan import ITSELF, PREVIOUS, Plan
from bench.report.document import Column, Heading, Section, Table, TableCell, contender_cell, name_column
from bench.report.panels import Panel, panels
from bench.report.series import apart
from bench.report.wording import NOTHING, abouts, at_least, both, levels

MOST = 60  # marks; with more it is no picture any more
BOUND = "a bound"
OWN: Mapping[str, str] = {
    ITSELF: "the same contender without its switches",
    PREVIOUS: "the step before it",
}

# "proven": the whole interval is on one side of 1. "open": no difference was proven. "none": no ratio.
Standing = Literal["reference", "proven", "open", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A contender in a group: its ratio, and whether that shows a difference."""

    row: Row
    rank: str
    ratio: Estimate | None
    standing: Standing
    against: str = ""  # what it is relative to, where that differs within its group

    @property
    def beside(self) -> str:
        """What stands beside its name."""
        return f"relative to {self.against}" if self.against else self.row.stack

    @property
    def contender(self) -> str:
        return self.row.cell.contender

    @property
    def text(self) -> str:
        """The ratio with its interval, or the reason why there is none."""
        if self.standing == "reference":
            return "1, the reference"
        if self.ratio:
            return both(self.ratio, of_ratio=True)
        bound = f": {at_least(self.row.throughput_rps)} req/s" if self.why == BOUND else ""
        return f"{self.why}{bound}"

    @property
    def why(self) -> str:
        if self.row.withheld:
            return "withheld"
        if self.row.client_limit:
            return BOUND
        return "too coarse" if self.row.coarse else "no ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestGroup:
    """The marks of one scenario under one load, best first."""

    about: str
    title: str
    marks: tuple[Mark, ...]
    noise_floor: Estimate | None  # of the reference against itself, measured here

    @property
    def ties(self) -> tuple[tuple[Mark, ...], ...]:
        """The marks that share a place, with a ratio each."""
        shared = dict.fromkeys(mark.rank for mark in self.marks if mark.rank.endswith("="))
        found = (tuple(mark for mark in self.marks if mark.rank == rank and mark.ratio) for rank in shared)
        return tuple(tied for tied in found if len(tied) > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    groups: tuple[ForestGroup, ...]
    reference: str  # in a sentence
    of_throughput: bool  # else of CPU per request
    left_out: tuple[str, ...]  # contenders without a mark here, as there are too many

    slug = "answer"

    @property
    def marks(self) -> tuple[Mark, ...]:
        return tuple(mark for group in self.groups for mark in group.marks)

    @property
    def title(self) -> str:
        what = "Throughput" if self.of_throughput else "CPU per request"
        return f"{what} relative to {self.reference}"


def forest(analysis: Analysis) -> Forest | None:
    """Return the picture of *analysis*. None without a usable ratio."""
    chosen = _chosen(panels(analysis)) if analysis.valid else ()
    plan = analysis.run.plan
    named, left_out = _named(plan, chosen)
    groups = tuple(filter(None, (_group(analysis, panel, named, chosen) for panel in chosen)))
    if not any(mark.ratio and mark.standing != "reference" for group in groups for mark in group.marks):
        return None
    return Forest(
        groups=groups,
        reference=_reference(plan, chosen),
        of_throughput=chosen[0].load.compares_throughput,
        left_out=left_out,
    )


def section(analysis: Analysis) -> Section | None:
    found = forest(analysis)
    if found is None:
        return None
    return Section(
        title=found.title,
        charts=found.title,
        tables=(numbers(found),),
        notes=tuple(notes(found)),
    )


def numbers(found: Forest) -> Table:
    """Return the picture as a table."""
    rows: list[tuple[TableCell, ...]] = []
    headings: dict[int, Heading] = {}
    for group in found.groups:
        headings[len(rows)] = Heading(title=group.about, details=(group.title,))
        rows += [
            (
                TableCell(mark.rank),
                contender_cell(mark.contender, mark.beside),
                TableCell(mark.text),
                TableCell(SHOWS[mark.standing]),
            )
            for mark in group.marks
        ]
    return Table(
        caption=f"{found.title}, with its interval over rounds",
        columns=(
            Column(heading="rank", term="rank", kind="rank"),
            name_column("contender", detail="stack", term="contender"),
            Column(heading="ratio", term="reference"),
            Column(heading="difference", kind="text"),
        ),
        rows=tuple(rows),
        headings=headings,
    )


SHOWS: Mapping[Standing, str] = {
    "reference": "",
    "proven": "proven",
    "open": "not proven",
    "none": NOTHING,
}


def notes(found: Forest) -> Iterator[str]:
    level = levels(mark.ratio for mark in found.marks)
    line = f"lines are {level} intervals" if level else "there are too few rounds for intervals"
    better = "right is faster" if found.of_throughput else "left needs less CPU"
    yield f"How to read it: the vertical line is the reference, {better}, and {line}."
    if any(mark.standing == "open" for mark in found.marks):
        yield "Hollow: no difference from the reference was proven."
    if any(group.ties for group in found.groups):
        yield "Joined by a grey line: contenders that share a place, as none was proven faster."
    if any(group.noise_floor for group in found.groups):
        yield "Grey band: the reference against itself, which is noise alone."
    if found.left_out:
        yield f"In the tables below only: {', '.join(found.left_out)}."


def alternatives(found: Forest) -> Iterator[str]:
    """Yield the picture in words, a sentence part for each group."""
    for group in found.groups:
        yield f"{group.about}: {', '.join(f'{mark.contender} {mark.text}' for mark in group.marks)}"


def _chosen(shown: Sequence[Panel]) -> tuple[Panel, ...]:
    """Return the panels that one axis can show: of throughput where there are some."""
    there = [panel for panel in shown if panel.contenders]
    for some in (apart(there), there):
        if closed := tuple(panel for panel in some if panel.load.compares_throughput):
            return closed
    return tuple(apart(there) or there)


def _named(plan: Plan, chosen: Sequence[Panel]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the contenders to show, and the others: those of fewest panels are left out first."""
    counts = Counter(row.cell.contender for panel in chosen for row in _shown(plan, panel))
    needed = {panel.reference for panel in chosen}
    kept: list[str] = []
    total = 0
    for name in sorted(counts, key=lambda name: (name not in needed, -counts[name])):
        if kept and total + counts[name] > MOST:
            break
        kept.append(name)
        total += counts[name]
    return frozenset(kept), tuple(name for name in counts if name not in kept)


def _references(plan: Plan, panels: Iterable[Panel]) -> frozenset[str]:
    """Return what the contenders of *panels* are relative to."""
    return frozenset(plan.reference_of(row.cell.contender) for panel in panels for row in panel.contenders)


def _shown(plan: Plan, panel: Panel) -> tuple[Row, ...]:
    """Return the rows to mark: without references, and in the plan's order, if there are several of them."""
    if len(_references(plan, (panel,))) == 1:
        return panel.contenders
    named = dict.fromkeys(name for block in plan.blocks for name in block.contenders)
    places = {name: place for place, name in enumerate(named)}
    others = (row for row in panel.contenders if row.cell.contender not in panel.references)
    return tuple(sorted(others, key=lambda row: places.get(row.cell.contender, len(places))))


def _group(
    analysis: Analysis, panel: Panel, named: frozenset[str], chosen: Sequence[Panel]
) -> ForestGroup | None:
    plan = analysis.run.plan
    marks = [marked(panel, row) for row in _shown(plan, panel) if row.cell.contender in named]
    if not marks:
        return None
    about = _about(analysis, panel, chosen)
    if len(_references(plan, (panel,))) > 1:
        # Ranks compare throughput itself: beside these ratios they would mislead.
        alone = (replace(mark, rank="", against=plan.reference_of(mark.contender)) for mark in marks)
        return ForestGroup(about=about, title=panel.title, marks=tuple(alone), noise_floor=None)
    return ForestGroup(
        about=about, title=panel.title, marks=_in_order(panel, marks), noise_floor=_noise(panel)
    )


def _noise(panel: Panel) -> Estimate | None:
    """Return the noise floor of the reference, if it was measured in *panel*."""
    cells = {row.cell for row in panel.rows}
    floors = (one for one in panel.noise_floors if one.reference in panel.references and one.cell in cells)
    return next((one.ratio for one in floors), None)


def _in_order(panel: Panel, marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Return the *marks* best first. Rows are in that order where throughput is compared."""
    if panel.load.compares_throughput:
        return tuple(marks)
    return tuple(sorted(marks, key=lambda mark: mark.ratio.estimate if mark.ratio else math.inf))


def _about(analysis: Analysis, panel: Panel, chosen: Iterable[Panel]) -> str:
    """Return the scenario in words, with its load if the groups differ in it."""
    words = abouts(analysis.run).get(panel.scenario, panel.scenario)
    several = len({one.load for one in chosen}) > 1
    return f"{words}, {panel.load.title}" if several else words


def marked(panel: Panel, row: Row) -> Mark:
    name = row.cell.contender
    ratio, comparison = panel.ratio_of(row), panel.ratios.get(name)
    standing: Standing = "open"
    if ratio is None:
        standing = "none"
    elif name in panel.references:
        standing = "reference"
    elif ratio.low and ratio.high and not panel.is_tie(name) and not (comparison and comparison.blocked):
        standing = "proven"
    return Mark(row=row, rank=panel.rank_of(row), ratio=ratio, standing=standing)


def _reference(plan: Plan, chosen: Sequence[Panel]) -> str:
    names = _references(plan, chosen)
    if len(names) != 1 and plan.baseline:
        return f"itself at {plan.baseline}"
    if len(names) != 1:
        return OWN.get(plan.reference, "a reference of its own")
    (name,) = names
    stacks = (row.stack for panel in chosen for row in panel.rows if row.cell.contender == name)
    return f"{next(stacks)} ({name})"
