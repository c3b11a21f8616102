"""Lines over workers: throughput as it is, and as it would be if each brought as much as the first."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from bench.report.curves import ticks
from bench.report.linework import Line, Point, drawn, name_ends
from bench.report.looks import FAINT, Look
from bench.report.scaling import Workers
from bench.report.sheets import FILE, Sheet, headed


def scaling_lines(workers: Workers, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    """Return requests per second against workers, both on log axes: equal gains are equal slopes."""
    lines = _lines(workers, looks)
    figure, axes = drawn(sheet, lines)
    for line in lines:
        _draw_ideal(axes, line)
    _frame(axes, [point for line in lines for point in line.points])
    headed(figure, sheet, f"{workers.scenario} · throughput by workers", scaling_caption(workers))
    name_ends(figure, axes, sheet, lines)
    return figure


def scaling_caption(workers: Workers) -> str:
    """Return under which load, and what the dotted lines are."""
    limited = any(one.row.client_limit for one in workers.scaling.all)
    ringed = " · ringed: client-limited" if limited else ""
    return f"{workers.spoken} · verified responses per second · dotted: efficiency 1{ringed}"


def _lines(workers: Workers, looks: Mapping[str, Look]) -> list[Line]:
    lines = []
    for name, told in workers.contenders.items():
        rates = [one.row.throughput_rps for one in told]
        points = tuple(
            (float(one.workers), rate.estimate if rate and rate.estimate else math.nan)
            for one, rate in zip(told, rates, strict=True)
        )
        ringed = tuple(point for one, point in zip(told, points, strict=True) if one.row.client_limit)
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
