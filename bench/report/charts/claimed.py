"""Claimed figures beside what was measured here: two bars for each, the claimed one hollow."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.audit import Audit, Bar
from bench.report.charts.sheet import LETTER, Sheet, frame_bars, headed
from bench.report.charts.style import FAINT, INK, PAPER, Look
from bench.report.wording import NOTHING, at_least, figure, point

ROW_IN, HEAD_IN, FOOT_IN = 0.92, 0.83, 0.42
NAME_PT, LABEL_PT = 10.0, 9.0
BAR = 0.26  # of a row's height
NAME_AT, CLAIMED_AT, FOUND_AT = -0.34, -0.06, 0.24  # from the middle of a row
CAPTION = "hollow: as claimed, of another machine · filled: as found on this one"
SHORTEST = 0.3  # of the width: the least that bars have beside their labels


def rate_chart(audit: Audit, looks: Mapping[str, Look], sheet: Sheet) -> Figure:
    """Return requests per second, as claimed and as found here."""
    values = [(bar, bar.claimed_rps, bar.found_rps.estimate if bar.found_rps else None) for bar in audit.bars]
    return _drawn(values, looks, sheet, "requests per second", _rate_label)


def latency_chart(audit: Audit, looks: Mapping[str, Look], sheet: Sheet) -> Figure:
    """Return the mean latency, as claimed and as found here."""
    values = [(bar, bar.claimed_ms, bar.found_ms) for bar in audit.bars if bar.claimed_ms]
    return _drawn(values, looks, sheet, "mean latency", _latency_label, " ms")


def caption(audit: Audit) -> str:
    return CAPTION


def rates(audit: Audit) -> Iterator[str]:
    for bar in audit.bars:
        yield f"{bar.subject} {_number(bar.claimed_rps)} claimed, {_rate_label(bar)} here"


def latencies(audit: Audit) -> Iterator[str]:
    for bar in audit.bars:
        if bar.claimed_ms:
            yield f"{bar.subject} {bar.claimed_ms:g} ms claimed, {_latency_label(bar)} here"


def _drawn(
    values: Sequence[tuple[Bar, float | None, float | None]],
    looks: Mapping[str, Look],
    sheet: Sheet,
    what: str,
    label: Callable[[Bar], str],
    unit: str = "",
) -> Figure:
    rows_in = ROW_IN * len(values)
    height_in = sheet.head_in(HEAD_IN) + rows_in + FOOT_IN
    drawn = sheet.figure(height_in)
    left = 0.2 / sheet.width_in if sheet.whole else 0.02
    axes = drawn.add_axes((left, FOOT_IN / height_in, 0.97 - left, rows_in / height_in))
    for place, (bar, said, found) in enumerate(values):
        look = looks[bar.contender]
        axes.barh(place + CLAIMED_AT, said or 0.0, height=BAR, facecolor=PAPER, edgecolor=look.colour)
        axes.barh(place + FOUND_AT, found or 0.0, height=BAR, facecolor=look.colour, edgecolor=look.colour)
    longest = max(max(said or 0.0, found or 0.0) for _, said, found in values)
    texts = [(f"{_number(said)}{unit} claimed", f"{label(bar)} here") for bar, said, _ in values]
    room_pt = max(len(text) for both in texts for text in both) * LABEL_PT * LETTER + 14
    axes.set_xlim(0, longest / max(1 - room_pt / (sheet.width_in * 0.95 * 72), SHORTEST))
    axes.set_ylim(len(values) - 0.5, -0.5)
    frame_bars(axes)
    for place, ((bar, said, found), words) in enumerate(zip(values, texts, strict=True)):
        _label(axes, place, bar, (said or 0.0, words[0]), (found or 0.0, words[1]))
    headed(drawn, sheet, f"Claimed, and found here · {what}", CAPTION)
    return drawn


def _label(axes: Axes, place: int, bar: Bar, said: tuple[float, str], found: tuple[float, str]) -> None:
    beside: dict[str, Any] = {"textcoords": "offset points", "va": "center", "size": LABEL_PT}
    beside["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5}
    axes.text(0, place + NAME_AT, bar.subject, va="center", size=NAME_PT, weight="bold", color=INK)
    axes.annotate(said[1], (said[0], place + CLAIMED_AT), (6, 0), color=FAINT, **beside)
    axes.annotate(found[1], (found[0], place + FOUND_AT), (6, 0), color=INK, **beside)


def _rate_label(bar: Bar) -> str:
    return at_least(bar.found_rps) if bar.is_bound else point(bar.found_rps)


def _latency_label(bar: Bar) -> str:
    return NOTHING if bar.found_ms is None else f"{figure(bar.found_ms)} ms"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.10g}"
