"""CPU per request at the measured rates: a line per contender, its intervals as bars."""

import math
from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.report.charts.lines import Line, drawn, name_ends
from bench.report.charts.percentiles import ticks
from bench.report.charts.sheet import FILE, Sheet, headed
from bench.report.charts.style import FAINT, Look
from bench.report.cost_tables import CostPicture
from bench.report.load_kinds import level_of
from bench.report.wording import figure, interval


def cost_lines(picture: CostPicture, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    lines = [
        Line(
            label=label,
            look=looks[cost.contender],
            points=tuple((level_of(row), _value(row)) for row in cost.rows),
            ringed=(),
            thin=True,  # so that an interval shows beside its marker
        )
        for label, cost in picture.costs.items()
    ]
    figure, axes = drawn(sheet, lines)
    ends = [y for row in picture.rows if (one := row.service_demand_us) for y in _span(one)]
    low, high = min(ends, default=1.0) / 1.25, max(ends, default=1.0) * 1.25
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:,g} µs")
    _rates(axes, sorted({x for line in lines for x, _ in line.points}))
    for line, cost in zip(lines, picture.costs.values(), strict=True):
        _draw_intervals(axes, line.look, cost.rows)
    headed(figure, sheet, picture.title, caption(picture))
    name_ends(figure, axes, sheet, lines)
    return figure


def caption(picture: CostPicture) -> str:
    return "server CPU per request by the rate of requests · both axes logarithmic · bars: intervals"


def numbers(picture: CostPicture) -> Iterator[str]:
    for label, cost in picture.costs.items():
        found = (
            f"{figure(one.estimate)} µs{f' ({between})' * bool(between)} at {figure(level_of(row))}/s"
            for row in cost.rows
            if (one := row.service_demand_us) and (between := interval(one)) is not None
        )
        yield f"{label} {', '.join(found)}"


def _value(row: Row) -> float:
    return row.service_demand_us.estimate if row.service_demand_us else math.nan


def _span(one: Estimate) -> tuple[float, float]:
    return one.low or one.estimate, one.high or one.estimate


def _draw_intervals(axes: Axes, look: Look, rows: Sequence[Row]) -> None:
    for row in rows:
        if (one := row.service_demand_us) and one.low and one.high:
            axes.vlines(level_of(row), one.low, one.high, color=look.colour, linewidth=5, alpha=0.4, zorder=2)


def _rates(axes: Axes, rates: Sequence[float]) -> None:
    low, high = min(rates, default=1.0) / 1.2, max(rates, default=1.0) * 1.2
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel("requests per second", color=FAINT, size=8.5)
