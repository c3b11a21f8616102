"""A chart as a part of a page: its SVG with the page's font and colours."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.report.charts.style import DATABASE_GREY, FAINT, GRID, INK, PAPER, Look

COLOUR = re.compile(r"(?<=[: \"])#[0-9a-f]{6}(?=[;\"])")  # of a style or an attribute

# Parts that a page does not need, or already has. Ids like "axes_1" are in every chart.
REPLACED = (
    (re.compile(r"^.*?(?=<svg)|<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL), ""),
    (re.compile(r"(?<=<g) id=\"[^\"]*\"| xmlns(:xlink)?=\"[^\"]*\"| transform=\"rotate\(-0 [^\"]*\""), ""),
    (re.compile(r" font-family: [^;\"]*;"), ""),
    (re.compile(r"<g/>"), ""),
    (re.compile(r"(?<=<svg) width=\"[^\"]*\" height=\"[^\"]*\""), ' aria-hidden="true" focusable="false"'),
    (re.compile(r"fill=\"((var|color-mix)\([^\"]*)\""), r'style="fill: \1"'),
    (re.compile(r"\s*\n\s*"), " "),
)

PAGE: Mapping[str, str] = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    DATABASE_GREY: "var(--database)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart and the text for readers who cannot see it."""

    what: str
    caption: str
    alternative: str
    svg: str
    narrow: str = ""  # the same for a narrow page; "": it is the same


def inlined(svg: str, looks: Iterable[Look]) -> str:
    """Return *svg* without a size, with the page's variables in place of its colours."""
    variables = dict(PAGE)
    for look in looks:
        variables |= {look.colour: css(look), look.fill: css(look, look.white)}
    part = COLOUR.sub(lambda found: variables.get(found[0], found[0]), svg)
    for pattern, instead in REPLACED:
        part = pattern.sub(instead, part)
    return part


def css(look: Look, white: float = 0.0) -> str:
    """Return a look's colour as CSS. *white*: the share of the page's paper colour mixed in, 0 to 1."""
    variable = variable_of(look.colour)
    if not white:
        return f"var({variable})"
    return f"color-mix(in srgb, var({variable}), var(--paper) {white * 100:g}%)"


def variable_of(colour: str) -> str:
    return f"--c{colour.removeprefix('#')}"
