"""Line charts over loads and over workers: patterns, rings, and a name at the end of each line."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from bench.analysis.rows import Row
from bench.report.by_workers import WorkerTable
from bench.report.charts.labels import told_apart
from bench.report.charts.percentiles import ticks
from bench.report.charts.sheet import FILE, LABEL_IN, LABEL_PT, LABEL_WIDTH, Sheet, frame_lines, headed
from bench.report.charts.style import FAINT, INK, LEADER, PAPER, Look, spread_out
from bench.report.load_kinds import level_of, shown
from bench.report.series import Series
from bench.report.wording import figure as number

HEIGHT_IN, HEAD_IN, FOOT_IN = 4.8, 0.85, 0.62
LEFT_IN = 0.84
RING: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 13, "markerfacecolor": "none"}

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The values of one contender by load. A value of NaN leaves a gap."""

    label: str  # the name; the value at its end is added
    look: Look
    points: tuple[Point, ...]
    ringed: tuple[Point, ...]  # points for which the client may be the limit
    thin: bool = False

    @property
    def known(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if not math.isnan(point[1]))


def drawn(sheet: Sheet, lines: Sequence[Line]) -> tuple[Figure, Axes]:
    """Return *lines* on axes without limits, with room for a title and for names at their ends."""
    lines_in = max(HEIGHT_IN - HEAD_IN - FOOT_IN, len(lines) * LABEL_IN)
    height_in = sheet.head_in(HEAD_IN) + lines_in + FOOT_IN
    figure = sheet.figure(height_in)
    right_in = sheet.room_in(max(map(len, _labels(lines, sheet)), default=0), LABEL_PT)
    left, width = LEFT_IN / sheet.width_in, 1 - (LEFT_IN + right_in) / sheet.width_in
    axes = figure.add_axes((left, FOOT_IN / height_in, width, lines_in / height_in))
    for line in lines:
        _draw(axes, line)
    frame_lines(axes)
    return figure, axes


def name_ends(figure: Figure, axes: Axes, sheet: Sheet, lines: Sequence[Line]) -> None:
    """Name each line at its end. Labels of lines that end at about the same load do not overlap."""
    gap = LABEL_IN * figure.dpi / axes.bbox.height
    within = axes.transData + axes.transAxes.inverted()
    ends: list[tuple[float, float, int]] = []
    for place, line in enumerate(lines):
        if line.known:
            x, y = within.transform(line.known[-1])
            ends.append((float(x), float(y), place))
    ends.sort()
    labels = _labels(lines, sheet)
    while ends:
        beside = [end for end in ends if end[0] < ends[0][0] + LABEL_WIDTH]
        ends = ends[len(beside) :]
        heights = spread_out({lines[place].label: y for _, y, place in beside}, gap)
        for _, _, place in beside:
            _name(axes, lines[place], labels[place], (beside[-1][0] + 0.03, heights[lines[place].label]))


def _name(axes: Axes, line: Line, label: str, place: Point) -> None:
    at: dict[str, Any] = {"xycoords": "axes fraction"}
    leader = LEADER | {"color": line.look.colour}
    axes.annotate("", place, line.known[-1], textcoords="data", arrowprops=leader, **at)
    behind = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
    x, y = place
    axes.annotate(
        label,
        (x + 0.005, y),
        va="center",
        size=LABEL_PT,
        color=INK,
        bbox=behind,
        zorder=4,
        **at,
    )


def _labels(lines: Sequence[Line], sheet: Sheet) -> Sequence[str]:
    whole = [
        f"{line.label}  {number(line.known[-1][1])}" if line.known and sheet.whole else line.label
        for line in lines
    ]
    short = told_apart(whole, sheet.letters(LABEL_PT))
    return [short[label] for label in whole]


def _draw(axes: Axes, line: Line) -> None:
    look = line.look
    axes.plot(
        [x for x, _ in line.points],
        [y for _, y in line.points],
        color=look.colour,
        linestyle=look.line,
        linewidth=1.0 if line.thin else 2.0,
        marker=look.marker,
        markersize=4 if line.thin else 7,
        markerfacecolor=PAPER if look.hollow else look.colour,
        clip_on=False,
        zorder=3,
    )
    axes.plot(
        [x for x, _ in line.ringed],
        [y for _, y in line.ringed],
        markeredgecolor=FAINT,
        clip_on=False,
        **RING,
    )


def throughput_lines(series: Series, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    lines = [
        _line(
            name, looks[name], rows, lambda row: row.throughput_rps.estimate if row.throughput_rps else None
        )
        for name, rows in series.rows.items()
    ]
    figure, axes = _drawn(series, sheet, lines, "throughput", throughput_lines_caption(series))
    axes.set_ylim(0, max((y for line in lines for _, y in line.known), default=1.0) * 1.08 or 1.0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    name_ends(figure, axes, sheet, lines)
    return figure


def latency_lines(series: Series, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    """Return p50 and p99 of *series* by connections or rate, on a log axis."""
    lines = list(_percentiles(series, looks))
    figure, axes = _drawn(series, sheet, lines, "latency", latency_lines_caption(series))
    values = [y for line in lines for _, y in line.known]
    low, high = min(values, default=1.0) / 1.25, max(values, default=1.0) * 1.25
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} ms")
    name_ends(figure, axes, sheet, lines)
    return figure


def throughput_lines_caption(series: Series) -> str:
    return f"{series.load_text} · verified responses per second, higher is better{_ringed(series)}"


def latency_lines_caption(series: Series) -> str:
    start = shown(series.load).starts
    return f"{series.load_text} · ms from {start} to last byte · thick: p99, thin: p50{_ringed(series)}"


def _ringed(series: Series) -> str:
    limited = any(row.client_limit for rows in series.rows.values() for row in rows)
    return " · ringed: client-limited" if limited else ""


def _percentiles(series: Series, looks: Mapping[str, Look]) -> Iterator[Line]:
    for name, rows in series.rows.items():
        yield _line(f"{name} p99", looks[name], rows, lambda row: row.latency.p99_ms)
        yield _line(f"{name} p50", looks[name], rows, lambda row: row.latency.p50_ms, thin=True)


def _line(
    label: str,
    look: Look,
    rows: Iterable[Row],
    value_of: Callable[[Row], float | None],
    *,
    thin: bool = False,
) -> Line:
    values = [(row, value_of(row)) for row in rows]
    points = [(row, (level_of(row), math.nan if value is None else value)) for row, value in values]
    return Line(
        label=label,
        look=look,
        points=tuple(point for _, point in points),
        ringed=tuple(point for row, point in points if row.client_limit),
        thin=thin,
    )


def _drawn(
    series: Series, sheet: Sheet, lines: Sequence[Line], what: str, subtitle: str
) -> tuple[Figure, Axes]:
    figure, axes = drawn(sheet, lines)
    _loads(axes, series, [x for line in lines for x, _ in line.points])
    headed(figure, sheet, f"{series.scenario} · {what}", subtitle)
    return figure, axes


def _loads(axes: Axes, series: Series, levels: Sequence[float]) -> None:
    how = shown(series.load)
    axes.set_xlabel(how.axis, color=FAINT, size=8.5)
    if not how.doubles:
        axes.set_xlim(0, max(levels, default=1.0) * 1.02)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        return
    marked = sorted(set(levels)) or [1.0]
    axes.set_xscale("log", base=2)
    axes.set_xlim(marked[0] / 1.1, marked[-1] * 1.1)
    axes.set_xticks(marked, [f"{x:,.0f}" for x in marked])
    axes.xaxis.set_minor_locator(NullLocator())


def scaling_lines(workers: WorkerTable, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    """Return requests per second by workers, both on log axes: equal gains are equal slopes."""
    lines = _lines(workers, looks)
    figure, axes = drawn(sheet, lines)
    for line in lines:
        _draw_ideal(axes, line)
    _frame(axes, [point for line in lines for point in line.points])
    headed(figure, sheet, f"{workers.scenario} · throughput by workers", scaling_caption(workers))
    name_ends(figure, axes, sheet, lines)
    return figure


def scaling_caption(workers: WorkerTable) -> str:
    limited = any(one.row.client_limit for one in workers.scaling.all)
    ringed = " · ringed: client-limited" if limited else ""
    return f"{workers.load_text} · verified responses per second · dotted: efficiency 1{ringed}"


def _lines(workers: WorkerTable, looks: Mapping[str, Look]) -> list[Line]:
    lines = []
    for name, scaled in workers.contenders.items():
        rates = [one.row.throughput_rps for one in scaled]
        points = tuple(
            (float(one.workers), rate.estimate if rate and rate.estimate else math.nan)
            for one, rate in zip(scaled, rates, strict=True)
        )
        ringed = tuple(point for one, point in zip(scaled, points, strict=True) if one.row.client_limit)
        lines.append(Line(label=name, look=looks[name], points=points, ringed=ringed))
    return lines


def _draw_ideal(axes: Axes, line: Line) -> None:
    (first, rate), (last, _) = line.points[0], line.points[-1]
    axes.plot(
        [first, last],
        [rate, rate * last / first],
        color=line.look.colour,
        linestyle=(0, (1, 2.5)),
        linewidth=1.2,
        zorder=2,
    )


def _frame(axes: Axes, points: Sequence[Point]) -> None:
    marked = sorted({workers for workers, _ in points})
    rates = [rate for _, rate in points if not math.isnan(rate)]
    factor = marked[-1] / marked[0]
    low, high = min(rates, default=1.0) / 1.25, max(rates, default=1.0) * factor * 1.05
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(marked[0] / 1.08, marked[-1] * 1.08)
    axes.set_ylim(low, high)
    axes.set_xticks(marked, [f"{workers:g}" for workers in marked])
    axes.yaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("workers", color=FAINT, size=8.5)
