"""Ratios as marks on a line of text: the picture of a report, for a wide terminal."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.report.forest import Mark, marked
from bench.report.panels import Panel

REFERENCE, PROVEN, OPEN, LINE = "│", "●", "○", "─"
LEGEND = (
    f"{REFERENCE} the reference, {PROVEN} a proven difference, {OPEN} none proven, {LINE} interval; "
    "logarithmic, the same in all tables"
)
TICKS = (1, 2, 5, 3, 1.5, 4, 7)  # of a decade; first those that are shown first
SPACE = 2  # between two of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A logarithmic axis of so many characters that has 1 on it."""

    low: float
    high: float
    width: int

    def place(self, value: float) -> int:
        """Return the character of a *value*. What lies outside is at the end."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return min(max(round(share * (self.width - 1)), 0), self.width - 1)

    @property
    def ticks(self) -> str:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        line = [" "] * self.width
        for value in (1.0, *(step * 10.0**decade for step in TICKS for decade in decades)):
            label = f"{value:,.4g}"
            start = min(max(self.place(value) - len(label) // 2, 0), self.width - len(label))
            around = line[max(start - SPACE, 0) : start + len(label) + SPACE]
            if self.low <= value <= self.high and set(around) == {" "}:
                line[start : start + len(label)] = label
        return "".join(line)

    def strip(self, mark: Mark) -> str:
        """Return the line of *mark*. Without a ratio it has the reference alone."""
        line = [" "] * self.width
        ratio = mark.ratio
        if ratio and ratio.low and ratio.high:
            first, last = self.place(ratio.low), self.place(ratio.high)
            line[first : last + 1] = LINE * (last + 1 - first)
        line[self.place(1)] = REFERENCE
        if ratio and mark.standing in ("proven", "open"):
            line[self.place(ratio.estimate)] = PROVEN if mark.standing == "proven" else OPEN
        return "".join(line)

    @property
    def bare(self) -> str:
        return " " * self.place(1) + REFERENCE


def axis_of(panels: Iterable[Panel], width: int) -> Axis | None:
    """Return an axis for the ratios of *panels*. None without any but the reference's."""
    marks = [marked(panel, row) for panel in panels for row in panel.rows]
    ratios = [mark.ratio for mark in marks if mark.ratio and mark.standing != "reference"]
    ends = [end for ratio in ratios for end in (ratio.low, ratio.estimate, ratio.high) if end]
    if not ends:
        return None
    low, high = min(*ends, 1 / 1.1), max(*ends, 1.1)
    return Axis(low=low, high=high, width=width)
