"""Latency as a curve over percentiles.

Each further nine has the same width, milliseconds are on a log axis.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from bench.analysis.measures import last_percent
from bench.analysis.rows import Row
from bench.report.charts.labels import told_apart
from bench.report.charts.sheet import FILE, LABEL_IN, LABEL_PT, Sheet, frame_lines, headed
from bench.report.charts.style import INK, LEADER, PAPER, Look, family_of, spread_out
from bench.report.load_kinds import shown
from bench.report.panels import Panel
from bench.report.wording import figure as number

HEIGHT_IN, HEAD_IN, FOOT_IN = 4.6, 0.85, 0.42
MARKED = (50.0, 90.0, 99.0, 99.9)
STEPS = 120
STEPS_OF_AXIS = (1, 1.5, 2, 3, 5, 7)
LEFT_IN = 0.68
CROWD = 10  # curves on one axis; with more, each framework has its own axes
PART_IN = 1.9  # the minimum height of such axes


def latency_chart(panel: Panel, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    """Return the latency of *panel* at percentiles 50 to 99.9, without controls.

    If there are many contenders, each framework has its own axes, one below the other, with the same scales.
    """
    rows = [row for row in panel.contenders if _last(row) >= MARKED[0]]
    whole = {row.cell.contender: latency_label(row) if sheet.whole else row.cell.contender for row in rows}
    short = told_apart(whole.values(), sheet.letters(LABEL_PT))
    labels = {name: short[label] for name, label in whole.items()}
    parts = _parts(rows)
    least_in = HEIGHT_IN - HEAD_IN - FOOT_IN if len(parts) == 1 else PART_IN
    heights_in = [max(least_in, len(part) * LABEL_IN) for part in parts]
    height_in = sheet.head_in(HEAD_IN) + sum(heights_in) + len(parts) * FOOT_IN
    figure = sheet.figure(height_in)
    right_in = sheet.room_in(max(map(len, labels.values()), default=0), LABEL_PT)
    left, width = LEFT_IN / sheet.width_in, 1 - (LEFT_IN + right_in) / sheet.width_in
    tops_in = accumulate((part_in + FOOT_IN for part_in in heights_in), initial=sheet.head_in(HEAD_IN))
    for part, part_in, top_in in zip(parts, heights_in, tops_in, strict=False):
        bottom = 1 - (top_in + part_in) / height_in
        axes = figure.add_axes((left, bottom, width, part_in / height_in))
        for row in part:
            _curve(axes, row, looks[row.cell.contender])
        _frame(axes, rows)
        _labels(axes, part, looks, labels, gap=LABEL_IN / part_in)
    subtitle = f"{latency_caption(panel)} · end of line: p50 / p99"
    headed(figure, sheet, f"{panel.scenario} · latency", subtitle)
    return figure


def has_curve(panel: Panel) -> bool:
    return any(_last(row) >= MARKED[0] for row in panel.contenders)


def latency_caption(panel: Panel) -> str:
    return f"{panel.load.title}{shown(panel.load).caption} · lower is better"


def latency_label(row: Row) -> str:
    return f"{row.cell.contender}  {number(row.latency.p50_ms)} / {number(row.latency.p99_ms)}"


def place_of(percent: float) -> float:
    """Return the position of a percentile on the axis: 90 is at 1, 99 at 2, 99.9 at 3."""
    return -math.log10(1 - percent / 100)


def _parts(rows: Sequence[Row]) -> list[Sequence[Row]]:
    if len(rows) <= CROWD:
        return [rows]
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(family_of(row.cell.contender), []).append(row)
    return list(parts.values())


def _curve(axes: Axes, row: Row, look: Look) -> None:
    last = place_of(_last(row))
    first = place_of(MARKED[0])
    places = [first + (last - first) * step / STEPS for step in range(STEPS + 1)]
    axes.plot(
        places,
        [_at(row, 100 * (1 - 10**-place)) for place in places],
        color=look.colour,
        linestyle=look.line,
        linewidth=2,
        solid_capstyle="round",
    )
    marked = [percent for percent in MARKED if place_of(percent) <= last + 1e-9]
    axes.plot(
        [place_of(percent) for percent in marked],
        [_at(row, percent) for percent in marked],
        linestyle="none",
        marker=look.marker,
        markersize=7,
        color=look.colour,
        markerfacecolor=PAPER if look.hollow else look.colour,
        clip_on=False,
    )


def _frame(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yscale("log")
    values = [_at(row, percent) for row in rows for percent in (50, _last(row))]
    low, high = min(values, default=1.0) / 1.25, max(values, default=1.0) * 1.25
    axes.set_ylim(low, high)
    last = max(map(_last, rows), default=MARKED[1])
    axes.set_xlim(place_of(MARKED[0]), place_of(max(last, MARKED[1])))
    shown = [percent for percent in MARKED if percent <= max(last, MARKED[1])]
    axes.set_xticks([place_of(percent) for percent in shown], [f"p{percent:g}" for percent in shown])
    axes.yaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} ms")
    frame_lines(axes)


def _labels(
    axes: Axes, rows: Sequence[Row], looks: Mapping[str, Look], labels: Mapping[str, str], gap: float
) -> None:
    """Name each curve at its end, without overlaps."""
    low, high = (math.log(limit) for limit in axes.get_ylim())
    ends = {row.cell.contender: _at(row, _last(row)) for row in rows}
    heights = {name: (math.log(end) - low) / (high - low) for name, end in ends.items()}
    spread = spread_out(heights, gap)
    for row in rows:
        name, look = row.cell.contender, looks[row.cell.contender]
        at, end = (1.035, spread[name]), (place_of(_last(row)), ends[name])
        axes.annotate(
            "",
            (1.03, spread[name]),
            end,
            xycoords="axes fraction",
            textcoords="data",
            arrowprops=LEADER | {"color": look.colour},
        )
        axes.annotate(labels[name], at, xycoords="axes fraction", va="center", size=LABEL_PT, color=INK)


def ticks(low: float, high: float) -> list[float]:
    """Return the tick values of a log axis from *low* to *high*. A shorter axis has a finer step."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = STEPS_OF_AXIS if high / low < 20 else (1, 2, 5) if high / low < 1000 else (1,)
    return [step * 10**decade for decade in decades for step in steps if low <= step * 10**decade <= high]


def _at(row: Row, percent: float) -> float:
    return row.latencies.percentile_ms(percent, row.unanswered) or 0.0


def _last(row: Row) -> float:
    """Return the last percentile to draw.

    Enough requests are beyond it, and it is the latency of an answer.
    """
    requests = row.requests + row.unanswered
    answered = 100 * (row.requests - 0.5) / requests if requests else 0.0
    return min(MARKED[-1], last_percent(requests), answered)
