"""What a chart is drawn on: a file of its own, or a part of a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.charts.style import FAINT, GRID, INK, PAPER

LETTER = 0.6  # the width of a letter, of its size
BESIDE_IN = 0.4  # between a chart and its labels, and outside them


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The width of a chart, and whether it contains its own title."""

    width_in: float
    whole: bool  # it contains title, stacks and every number; otherwise the page shows them

    def figure(self, height_in: float) -> Figure:
        return Figure(figsize=(self.width_in, height_in), facecolor=PAPER)

    def head_in(self, height_in: float) -> float:
        """Return *height_in*, the room for a title in inches, or little if the chart has no title."""
        return height_in if self.whole else 0.14

    def room_in(self, letters: int, size_pt: float) -> float:
        """Return the room for labels of *letters* letters beside a chart, in inches.

        At most half the width.
        """
        return min(BESIDE_IN + letters * size_pt * LETTER / 72, self.width_in / 2)

    def letters(self, size_pt: float) -> int:
        """Return how many letters a label has room for beside a chart."""
        return int((self.width_in / 2 - BESIDE_IN) * 72 / (size_pt * LETTER))


FILE = Sheet(width_in=8.0, whole=True)
SCREEN = Sheet(width_in=4.4, whole=False)  # 422 CSS pixels: text stays legible on a phone
WIDE_FILE = Sheet(width_in=10.0, whole=True)
WIDE_SCREEN = Sheet(width_in=10.0, whole=False)


@contextmanager
def style(text: str, salt: str, *, hatch_pt: float = 0.8) -> Iterator[None]:
    """Draw with *text* as "path", or as "none": then it stays text. Ids depend on *salt*."""
    with mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],  # part of Matplotlib, so every machine draws the same
            "svg.fonttype": text,
            "svg.hashsalt": salt,  # the source of ids, which must differ within a page
            "text.parse_math": False,  # a dollar sign in a name starts no formula
            "hatch.linewidth": hatch_pt,
        }
    ):
        yield


def frame_bars(axes: Axes) -> None:
    axes.set_yticks([])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="x", colors=FAINT, labelsize=8, length=0)
    axes.xaxis.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(FAINT)


def frame_lines(axes: Axes) -> None:
    axes.tick_params(colors=FAINT, labelsize=8.5, length=0, pad=7)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)


def headed(figure: Figure, sheet: Sheet, title: str, subtitle: str) -> None:
    if not sheet.whole:
        return
    height_in = figure.get_size_inches()[1]
    figure.text(0.02, 1 - 0.3 / height_in, title, size=14, weight="bold", color=INK)
    figure.text(0.02, 1 - 0.55 / height_in, subtitle, size=9, color=FAINT)


LABEL_IN, LABEL_PT = 0.21, 9.0  # distance between labels; their font size
LABEL_WIDTH = 0.15  # of a long one, as a share of the axis
