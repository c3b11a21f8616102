"""What charts are drawn on: a picture that stands alone, or a part of a page."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from bench.report.looks import FAINT, INK, PAPER

LETTER = 0.6  # the width of a letter, of its size
BESIDE_IN = 0.4  # between a chart and its labels, and beyond them


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """How wide a chart is, and whether it tells by itself what it is about."""

    width_in: float
    whole: bool  # title, stacks and every number are in it; else the page around it tells them

    def figure(self, height_in: float) -> Figure:
        """Return an empty figure so high."""
        return Figure(figsize=(self.width_in, height_in), facecolor=PAPER)

    def head_in(self, height_in: float) -> float:
        """Return what is left of *height_in*, the room for a title: little where there is none."""
        return height_in if self.whole else 0.14

    def room_in(self, letters: int, size_pt: float) -> float:
        """Return the room beside a chart for labels of so many letters; half the width at most."""
        return min(BESIDE_IN + letters * size_pt * LETTER / 72, self.width_in / 2)

    def fitted(self, label: str, size_pt: float) -> str:
        """Return *label*, without its middle where it has more letters than the most room takes."""
        most = int((self.width_in / 2 - BESIDE_IN) * 72 / (size_pt * LETTER))
        if len(label) <= most:
            return label
        begun = 3 * most // 5
        return f"{label[:begun]}…{label[begun + 1 - most :]}"


FILE = Sheet(width_in=8.0, whole=True)
SCREEN = Sheet(width_in=4.4, whole=False)  # 422 CSS pixels: type stays legible on a telephone


def headed(figure: Figure, sheet: Sheet, title: str, subtitle: str) -> None:
    """Write above a chart what it is about, unless the page does."""
    if not sheet.whole:
        return
    height_in = figure.get_size_inches()[1]
    figure.text(0.02, 1 - 0.3 / height_in, title, size=14, weight="bold", color=INK)
    figure.text(0.02, 1 - 0.55 / height_in, subtitle, size=9, color=FAINT)
