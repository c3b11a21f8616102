"""Ratios with their intervals on one logarithmic axis: a line per contender, grouped by scenario."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from matplotlib.transforms import blended_transform_factory

from bench.report.charts.labels import shortened, told_apart
from bench.report.charts.sheet import LETTER, Sheet, headed
from bench.report.charts.style import FAINT, GRID, INK, PAPER, Look
from bench.report.forest import Forest, ForestGroup, Mark
from bench.report.wording import levels, plural, point

WIDE = 10.0  # inches; a narrower sheet has no stacks and no intervals in figures
HEAD_IN, FOOT_IN = 0.83, 0.52
LINE_IN, TITLE_IN, GAP_IN = 0.235, 0.27, 0.1  # of a mark, of a group's title, between groups
NAME_PT, BESIDE_PT, TITLE_PT = 9.5, 8.0, 10.0
MARK_PT, TIE_PT = 8.0, 5.0
MOST_BESIDE = 42  # letters
MOST_NAME = 30
TICKS = (1, 1.5, 2, 3, 4, 5, 6, 8)  # of a decade; those that have room are shown


@dataclass(frozen=True, slots=True)
class Gutters:
    """Where the columns of text begin, and the axis between them, in inches from the left."""

    edge_in: float
    name_in: float
    beside_in: float
    axis_in: float
    figure_in: float


def ratio_chart(forest: Forest, looks: Mapping[str, Look], sheet: Sheet) -> Figure:
    """Return the picture of *forest*: marks that are hollow show no proven difference."""
    places, groups_in = _places(forest)
    height_in = sheet.head_in(HEAD_IN) + groups_in + FOOT_IN
    figure = sheet.figure(height_in)
    names = _names(forest, sheet)
    gutters = _gutters(forest, sheet, names)
    width_in = gutters.figure_in - 0.08 - gutters.axis_in
    axes = figure.add_axes(
        (
            gutters.axis_in / sheet.width_in,
            FOOT_IN / height_in,
            width_in / sheet.width_in,
            groups_in / height_in,
        )
    )
    _frame(axes, forest, width_in, groups_in)
    for group, (title_in, lines_in) in zip(forest.groups, places, strict=True):
        _title(axes, gutters, sheet, group, title_in)
        _draw(axes, looks, group, lines_in)
        for mark, line_in in zip(group.marks, lines_in, strict=True):
            _texts(axes, gutters, sheet, mark, names[mark.contender], line_in)
    headed(figure, sheet, forest.title, ratio_caption(forest))
    return figure


def ratio_caption(forest: Forest) -> str:
    level = levels(mark.ratio for mark in forest.marks)
    lines = f"lines: {level} intervals over rounds" if level else "too few rounds for intervals"
    hollow = (
        " · hollow: no proven difference" if any(mark.standing == "open" for mark in forest.marks) else ""
    )
    tied = " · joined: shared place" if any(group.ties for group in forest.groups) else ""
    more = f" · {plural(len(forest.left_out), 'more contender')} below" if forest.left_out else ""
    return f"logarithmic axis · {lines}{hollow}{tied}{more}"


def _places(forest: Forest) -> tuple[list[tuple[float, list[float]]], float]:
    """Return where each group's title and lines are, in inches from the top, and the height of all."""
    places, top_in = [], 0.0
    for group in forest.groups:
        first_in = top_in + TITLE_IN
        lines_in = [first_in + (number + 0.5) * LINE_IN for number in range(len(group.marks))]
        places.append((top_in + TITLE_IN / 2, lines_in))
        top_in = first_in + len(group.marks) * LINE_IN + GAP_IN
    return places, top_in


def _gutters(forest: Forest, sheet: Sheet, names: Mapping[str, str]) -> Gutters:
    marks, wide = forest.marks, _is_wide(sheet)
    edge_in = 0.2 if sheet.whole else 0.02  # the title of a file begins there
    ranks_in = _room_in(max(len(mark.rank) for mark in marks), NAME_PT)
    name_in = edge_in + (ranks_in + 0.08 if ranks_in else 0.0)
    beside_in = name_in + _room_in(max(map(len, names.values())), NAME_PT) + 0.12
    stacks = max(min(len(mark.beside), MOST_BESIDE) for mark in marks) if wide else 0
    figures_in = _room_in(max(len(_figure(sheet, mark)) for mark in marks), NAME_PT)
    return Gutters(
        edge_in=edge_in,
        name_in=name_in,
        beside_in=beside_in,
        axis_in=beside_in + _room_in(stacks, BESIDE_PT) + 0.1,
        figure_in=sheet.width_in - edge_in - figures_in,
    )


def _frame(axes: Axes, forest: Forest, width_in: float, height_in: float) -> None:
    low, high = _reach(forest)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(height_in, 0)
    ticks = _ticks(low, high, width_in)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
    axes.set_yticks([])
    axes.tick_params(axis="x", colors=FAINT, labelsize=8, length=0)
    axes.xaxis.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    axes.axvline(1, color=INK, linewidth=1.2, zorder=1.5)
    better = ("slower", "faster") if forest.of_throughput else ("less CPU", "more CPU")
    under: dict[str, Any] = {"textcoords": "offset points", "size": 8, "color": FAINT, "va": "top"}
    bottom = axes.get_xaxis_transform()
    axes.annotate(f"← {better[0]}", (1, 0), (-5, -17), xycoords=bottom, ha="right", **under)
    axes.annotate(f"{better[1]} →", (1, 0), (5, -17), xycoords=bottom, ha="left", **under)


def _reach(forest: Forest) -> tuple[float, float]:
    """Return the ends of the axis: every mark and interval, and room for the words below 1."""
    ratios = [mark.ratio for mark in forest.marks if mark.ratio]
    ends = [end for ratio in ratios for end in (ratio.low, ratio.estimate, ratio.high) if end]
    least, most = min(*ends, 1.0), max(*ends, 1.0)
    room = max(math.log(most / least), math.log(1.2))
    side = 0.22 * room  # the words need that much on either side of 1
    low, high = min(math.log(least) - 0.05 * room, -side), max(math.log(most) + 0.05 * room, side)
    return math.exp(low), math.exp(high)


def _ticks(low: float, high: float, width_in: float) -> list[float]:
    """Return the ticks that have room: 1 first, then whole decades and their parts."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = high / low < 2
    steps = [1 + step / 20 for step in range(20)] if fine else []
    tried = [1.0, *(step * 10.0**decade for step in (1, 2, 5, *TICKS[1:], 7, *steps) for decade in decades)]
    if fine:
        tried += [1 - step / 20 for step in range(1, 12)]
    kept: list[float] = []
    per_in = width_in / math.log(high / low)
    for tick in tried:
        apart = all(abs(math.log(tick / other)) * per_in > 0.34 for other in kept)
        if low <= tick <= high and apart:
            kept.append(tick)
    return sorted(kept)


def _title(axes: Axes, gutters: Gutters, sheet: Sheet, group: ForestGroup, at_in: float) -> None:
    letters = int((sheet.width_in - 2 * gutters.edge_in) * 72 / (TITLE_PT * LETTER))
    place: dict[str, Any] = {"xycoords": _on_sheet(axes), "va": "center", "annotation_clip": False}
    place["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0}  # no line crosses the words
    words = group.about if len(group.about) <= letters else f"{group.about[: letters - 1]}…"
    axes.annotate(words, (gutters.edge_in, at_in), size=TITLE_PT, weight="bold", color=INK, **place)


def _draw(axes: Axes, looks: Mapping[str, Look], group: ForestGroup, lines_in: Sequence[float]) -> None:
    floor = group.noise_floor
    if floor and floor.low and floor.high:
        ends = (lines_in[0] - LINE_IN / 2, lines_in[-1] + LINE_IN / 2)
        axes.fill_betweenx(ends, floor.low, floor.high, color=GRID, linewidth=0, zorder=1)
    at = {mark.contender: line_in for mark, line_in in zip(group.marks, lines_in, strict=True)}
    for tied in group.ties:
        joined = [(mark.ratio.estimate, at[mark.contender]) for mark in tied if mark.ratio]
        axes.plot(*zip(*joined, strict=True), color=FAINT, alpha=0.35, linewidth=TIE_PT, zorder=2)
    for mark in group.marks:
        if mark.ratio:
            _mark(axes, looks[mark.contender], mark, at[mark.contender])


def _mark(axes: Axes, look: Look, mark: Mark, at_in: float) -> None:
    ratio = mark.ratio
    if ratio is None:
        return
    if ratio.low and ratio.high:
        axes.plot([ratio.low, ratio.high], [at_in] * 2, color=look.colour, linewidth=1.8, zorder=3)
        for end in (ratio.low, ratio.high):
            axes.plot([end] * 2, [at_in - 0.04, at_in + 0.04], color=look.colour, linewidth=1.2, zorder=3)
    hollow = mark.standing == "open"
    axes.plot(
        ratio.estimate,
        at_in,
        marker=look.marker,
        markersize=MARK_PT,
        color=look.colour,
        markerfacecolor=PAPER if hollow else look.colour,
        markeredgewidth=1.6,
        zorder=4,
        clip_on=False,
    )
    if look.inner:
        inner = look.colour if hollow else PAPER
        size = MARK_PT * (0.45 if hollow else 0.32)
        axes.plot(
            ratio.estimate,
            at_in,
            marker=look.inner,
            markersize=size,
            color=inner,
            markeredgewidth=1.2,
            zorder=5,
        )


def _texts(axes: Axes, gutters: Gutters, sheet: Sheet, mark: Mark, name: str, at_in: float) -> None:
    place = {"xycoords": _on_sheet(axes), "va": "center", "annotation_clip": False}
    for text, left_in, size, colour in _columns(gutters, sheet, mark, name):
        if text:
            axes.annotate(text, (left_in, at_in), size=size, color=colour, **place)


def _columns(
    gutters: Gutters, sheet: Sheet, mark: Mark, name: str
) -> Iterator[tuple[str, float, float, str]]:
    yield mark.rank, gutters.edge_in, NAME_PT, FAINT
    yield name, gutters.name_in, NAME_PT, INK
    if _is_wide(sheet):
        yield shortened(mark.beside, MOST_BESIDE), gutters.beside_in, BESIDE_PT, FAINT
    yield _figure(sheet, mark), gutters.figure_in, NAME_PT, FAINT if mark.standing == "none" else INK


def _on_sheet(axes: Axes) -> Any:
    """Return coordinates of text: inches from the left of the sheet, and the axis' own from its top."""
    figure = axes.get_figure()
    return blended_transform_factory(figure.dpi_scale_trans, axes.transData) if figure else axes.transData


def _figure(sheet: Sheet, mark: Mark) -> str:
    if _is_wide(sheet):
        return mark.text
    if mark.ratio is None:
        return mark.why
    return "1" if mark.standing == "reference" else point(mark.ratio, of_ratio=True)


def _names(forest: Forest, sheet: Sheet) -> Mapping[str, str]:
    most = MOST_NAME if _is_wide(sheet) else MOST_NAME // 2
    return told_apart((mark.contender for mark in forest.marks), most)


def _is_wide(sheet: Sheet) -> bool:
    return sheet.width_in >= WIDE


def _room_in(letters: int, size_pt: float) -> float:
    return letters * size_pt * LETTER / 72
