"""Lines as every chart of lines draws them: patterns, rings, and a name at each end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.ends import LABEL_IN, LABEL_PT, LEADER, spread_out
from bench.report.looks import FAINT, GRID, INK, PAPER, Look
from bench.report.sheets import Sheet
from bench.report.wording import figure as number

HEIGHT_IN, HEAD_IN, FOOT_IN = 4.8, 0.85, 0.62
LEFT_IN = 0.84
RING: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 13, "markerfacecolor": "none"}

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one contender shows at each load; NaN where there is nothing to tell, and the line has a gap."""

    label: str  # what it is; the value at its end is added
    look: Look
    points: tuple[Point, ...]
    ringed: tuple[Point, ...]  # of these the client may have been the limit
    thin: bool = False

    @property
    def told(self) -> tuple[Point, ...]:
        """The points that there are."""
        return tuple(point for point in self.points if not math.isnan(point[1]))


def drawn(sheet: Sheet, lines: Sequence[Line]) -> tuple[Figure, Axes]:
    """Return *lines* on axes without limits, with room for a title and for names at their ends."""
    lines_in = max(HEIGHT_IN - HEAD_IN - FOOT_IN, len(lines) * LABEL_IN)
    height_in = sheet.head_in(HEAD_IN) + lines_in + FOOT_IN
    figure = sheet.figure(height_in)
    right_in = sheet.room_in(max((len(_said(line, sheet)) for line in lines), default=0), LABEL_PT)
    left, width = LEFT_IN / sheet.width_in, 1 - (LEFT_IN + right_in) / sheet.width_in
    axes = figure.add_axes((left, FOOT_IN / height_in, width, lines_in / height_in))
    for line in lines:
        _draw(axes, line)
    axes.tick_params(colors=FAINT, labelsize=8.5, length=0, pad=7)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    return figure, axes


def name_ends(figure: Figure, axes: Axes, sheet: Sheet, lines: Sequence[Line]) -> None:
    """Name each line at its end, none upon another that ends under the same load."""
    gap = LABEL_IN * figure.dpi / axes.bbox.height
    within = axes.transData + axes.transAxes.inverted()
    ends: dict[float, dict[str, tuple[float, Line]]] = {}
    for line in lines:
        if line.told:
            x, y = (float(part) for part in within.transform(line.told[-1]))
            ends.setdefault(x, {})[line.label] = y, line
    for x, ending in ends.items():
        for label, y in spread_out({label: y for label, (y, _) in ending.items()}, gap).items():
            _name(axes, sheet, ending[label][1], (x + 0.03, y))


def _name(axes: Axes, sheet: Sheet, line: Line, place: Point) -> None:
    at: dict[str, Any] = {"xycoords": "axes fraction"}
    leader = LEADER | {"color": line.look.colour}
    axes.annotate("", place, line.told[-1], textcoords="data", arrowprops=leader, **at)
    behind = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
    x, y = place
    axes.annotate(
        _said(line, sheet), (x + 0.005, y), va="center", size=LABEL_PT, color=INK, bbox=behind, zorder=4, **at
    )


def _said(line: Line, sheet: Sheet) -> str:
    said = f"{line.label}  {number(line.told[-1][1])}" if line.told and sheet.whole else line.label
    return sheet.fitted(said, LABEL_PT)


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
