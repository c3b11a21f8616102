"""The look of charts: a colour per framework, distinct without colour too."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zlib import crc32

from bench.model.contender import name_of

INK, FAINT, GRID, PAPER = "#222222", "#6a6a6a", "#e4e4e4", "#ffffff"
DATABASE_GREY = "#c9c9c9"

# Okabe & Ito, "Color Universal Design" (2008), without black and yellow: distinct for colour-blind readers.
COLOURS = {"stdlib": "#8c8c8c", "django": "#009e73", "flask": "#0072b2", "fastapi": "#d55e00"}
OTHERS = ("#e69f00", "#cc79a7", "#56b4e9")
MARKERS = {"stdlib": "X", "django": "s", "flask": "o", "fastapi": "^"}
OTHER_MARKERS = ("D", "v", "P")

# The same markers in a table: outlines in a square of 12.
MARKS = {
    "o": "M6 1.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9z",
    "s": "M2 2h8v8h-8z",
    "^": "M6 1.5l5 9h-10z",
    "v": "M6 10.5l5-9h-10z",
    "D": "M6 1l5 5l-5 5l-5-5z",
    "X": "M3 1l3 3l3-3l2 2l-3 3l3 3l-2 2l-3-3l-3 3l-2-2l3-3l-3-3z",
    "P": "M4 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
}

Line = str | tuple[float, tuple[float, ...]]  # Matplotlib's name of a pattern, or offset and dashes

# One entry per contender of a framework, in the run's order: share of white in its bar, hatch, line, sign
# inside its mark. If there are more contenders, entries repeat from the second on: the first is the framework
# without changes.
VARIANTS: tuple[tuple[float, str, Line, str], ...] = (
    (0.0, "", "-", ""),
    (0.45, "////", "--", "o"),
    (0.65, "....", ":", "_"),
    (0.8, "xxxx", "-.", "x"),
    (0.55, "||||", (0, (6, 1.5, 1, 1.5, 1, 1.5)), "|"),
    (0.75, "----", (0, (10, 3)), "+"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The colour, and the features that distinguish contenders of one colour."""

    colour: str
    white: float  # share of white in its bars
    hatch: str
    line: Line
    marker: str
    hollow: bool  # its markers are rings
    inner: str = ""  # the sign inside its markers where a ring has another meaning

    @property
    def fill(self) -> str:
        return _tint(self.colour, self.white)


def looks_of(contenders: Iterable[str]) -> Mapping[str, Look]:
    """Return the look of each of *contenders*. Pass all of a run, so that its charts agree."""
    looks: dict[str, Look] = {}
    numbers: dict[str, int] = {}
    for name in contenders:
        family = family_of(name)
        number = numbers.setdefault(family, 0)
        numbers[family] += not name_of(name).is_twin
        looks[name] = _look(family, number)
    return looks


def family_of(contender: str) -> str:
    return name_of(contender).base.partition("-")[0]


def _look(family: str, number: int) -> Look:
    other = crc32(family.encode()) % len(OTHERS)
    colour = COLOURS.get(family) or OTHERS[other]
    white, hatch, line, inner = VARIANTS[number and 1 + (number - 1) % (len(VARIANTS) - 1)]
    return Look(
        colour=colour,
        white=white,
        hatch=hatch,
        line=line,
        marker=MARKERS.get(family) or OTHER_MARKERS[other],
        hollow=number > 0,
        inner=inner,
    )


def _tint(colour: str, white: float) -> str:
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * white):02x}" for part in parts)


LEADER = {"arrowstyle": "-", "linestyle": ":", "linewidth": 1.2, "shrinkA": 4, "shrinkB": 0}


def spread_out(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """Return *heights* moved apart to at least *gap*, in their order, within 0 to 1 if that fits."""
    placed: dict[str, float] = {}
    below = -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        below = placed[name] = max(height, below + gap)
    above = max(1.0, (len(placed) - 1) * gap) + gap
    for name in reversed(placed):
        above = placed[name] = min(placed[name], above - gap)
    return placed
