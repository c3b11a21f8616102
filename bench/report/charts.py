"""Throughput as bars from zero with intervals as whiskers: one chart per scenario and load, SVG and PNG.

Importing Matplotlib takes most of a second: import this module where a chart is drawn.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis import Estimate, Row
from bench.report.panels import Panel
from bench.report.wording import connections, levels, plural, point

# Okabe & Ito, "Color Universal Design" (2008), without black and yellow: told apart by colour-blind readers.
COLOURS = {"stdlib": "#8c8c8c", "django": "#009e73", "flask": "#0072b2", "fastapi": "#d55e00"}
OTHERS = ("#e69f00", "#cc79a7", "#56b4e9")

NAME_PT, STACK_PT = 10.0, 7.5
INK, FAINT = "#222222", "#6a6a6a"
WIDTH_IN, ROW_IN, FRAME_IN = 8.0, 0.5, 1.25
LABEL_ROOM = 1.25  # the axis goes on beyond the longest bar, for its label


def colour_of(contender: str) -> str:
    """Return the colour of a contender's framework: the same in every chart of every run."""
    family = re.split(r"[-:@~]", contender, maxsplit=1)[0]
    return COLOURS.get(family) or OTHERS[crc32(family.encode()) % len(OTHERS)]


def write_charts(panel: Panel, folder: Path) -> str:
    """Draw *panel* into *folder* as SVG and PNG; return the files' name without suffix."""
    name = f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', panel.scenario)}-{panel.load.connections}"
    with mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],  # comes with Matplotlib: every machine draws the same
            "svg.fonttype": "path",  # a viewer without that font would lay labels over each other
            "svg.hashsalt": "bench",
            "text.parse_math": False,  # a dollar in a name is a dollar
        }
    ):
        figure = throughput_chart(panel)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})
    return name


def throughput_chart(panel: Panel) -> Figure:
    """Return the chart of *panel*: fastest on top, controls left out."""
    rows = panel.contenders
    height_in = FRAME_IN + ROW_IN * max(len(rows), 1)
    figure = Figure(figsize=(WIDTH_IN, height_in), facecolor="white")
    left = _gutter_in(rows) / WIDTH_IN
    axes = figure.add_axes((left, 0.42 / height_in, 0.96 - left, 1 - FRAME_IN / height_in))
    _bars(axes, rows)
    _frame(axes, rows)
    figure.text(0.02, 1 - 0.3 / height_in, panel.scenario, size=14, weight="bold", color=INK)
    figure.text(0.02, 1 - 0.55 / height_in, _subtitle(panel), size=9, color=FAINT)
    return figure


def _bars(axes: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        rate = row.throughput_rps or Estimate(estimate=0.0)
        axes.barh(place, rate.estimate, height=0.62, color=colour_of(row.cell.contender))
        if rate.low is not None and rate.high is not None:
            whisker = [[rate.estimate - rate.low], [rate.high - rate.estimate]]
            axes.errorbar(rate.estimate, place, xerr=whisker, color=INK, capsize=3, linewidth=1.2)
        end = (_reach(row), place)
        label = f"{point(row.throughput_rps)} req/s"
        axes.annotate(
            label,
            end,
            (6, 0),
            textcoords="offset points",
            va="center",
            size=9.5,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )


def _frame(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_xlim(0, max(map(_reach, rows), default=0.0) * LABEL_ROOM or 1.0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="x", colors=FAINT, labelsize=8, length=0)
    axes.xaxis.grid(visible=True, color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(FAINT)
    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right"}
    for place, row in enumerate(rows):
        axes.text(-0.02, place - 0.03, row.cell.contender, va="bottom", size=NAME_PT, color=INK, **beside)
        axes.text(-0.02, place + 0.06, row.stack, va="top", size=STACK_PT, color=FAINT, **beside)


def _gutter_in(rows: Sequence[Row]) -> float:
    """Return the room that names and stacks need left of the bars; a letter is about 0.6 of its size wide."""
    widest_pt = max(
        (max(len(row.cell.contender) * NAME_PT, len(row.stack) * STACK_PT) * 0.6 for row in rows), default=0.0
    )
    return min(0.3 + widest_pt / 72, WIDTH_IN / 2)


def _reach(row: Row) -> float:
    """Return how far to the right the row's bar and whisker go."""
    rate = row.throughput_rps
    return (rate.high or rate.estimate) if rate else 0.0


def _subtitle(panel: Panel) -> str:
    level = levels(row.throughput_rps for row in panel.contenders)
    rounds = plural(max((row.rounds for row in panel.contenders), default=0), "round")
    whiskers = f"whiskers: {level} interval over {rounds}" if level else f"{rounds}, too few for intervals"
    return f"{connections(panel.load)} · verified responses per second, longer is better · {whiskers}"
