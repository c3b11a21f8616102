"""Contenders over many runs: a table, and a chart for each scenario."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.compare.history import Track, Trend
from bench.model import name_of
from bench.report.charts.figures import FILE, headed, style
from bench.report.charts.style import FAINT, GRID, INK, Look, looks_of
from bench.report.terminal import table_of
from bench.report.wording import NOTHING, figure, plural, ratio

HEIGHT_IN = 4.2
SEPARATE = 60  # up to so many points of a line, each has a mark of its own


def print_trends(trends: Sequence[Trend], console: Console) -> None:
    for place, group in _grouped(trends).items():
        console.print()
        console.print(_table(place, group))


def _table(title: str, group: Sequence[Trend]) -> Table:
    table = table_of(Text(title, style="bold"))
    table.add_column("contender", overflow="fold")
    for heading in ("runs", "of", "usually", "last", "change"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trend in group:
        write = ratio if trend.anchor else figure
        usual, latest = trend.usual, trend.latest
        moved = f"{(latest / usual - 1) * 100:+.1f} %" if usual and latest else NOTHING
        what = f"× {trend.anchor}" if trend.anchor else "req/s"
        table.add_row(trend.track.contender, str(len(trend.points)), what, write(usual), write(latest), moved)
    return table


def write_trend_charts(trends: Sequence[Trend], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    looks = looks_of(dict.fromkeys(trend.track.contender for trend in trends))
    with style(text="path", salt="bench"):
        return [_written(title, group, looks, folder) for title, group in _grouped(trends).items()]


def _written(title: str, group: Sequence[Trend], looks: Mapping[str, Look], folder: Path) -> Path:
    drawn = FILE.figure(HEIGHT_IN)
    shown = [trend for trend in group if trend.anchor] or list(group)
    anchor = shown[0].anchor
    runs = plural(max(len(trend.points) for trend in shown), "run")
    what = f"Throughput relative to {anchor} in the same rounds" if anchor else "Requests per second"
    headed(drawn, FILE, title, f"{what}; {runs}")
    axes = drawn.add_axes((0.08, 0.12, 0.74, 0.68))
    for trend in shown:
        _line(axes, trend, looks[trend.track.contender])
    _labels(axes, shown, looks)
    axes.set_ylim(bottom=0)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    file = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', title)}.svg"
    drawn.savefig(file, metadata={"Date": None})
    return file


def _line(axes: Axes, trend: Trend, look: Look) -> None:
    known = [(point.at, value) for point, value in zip(trend.points, trend.values, strict=True) if value]
    if known:
        times, values = zip(*known, strict=True)
        marker = look.marker if len(known) <= SEPARATE else ""
        axes.plot(
            times, values, color=look.colour, linestyle=look.line, linewidth=1.2, marker=marker, markersize=4
        )


def _labels(axes: Axes, shown: Sequence[Trend], looks: Mapping[str, Look]) -> None:
    """Write each contender beside the end of its line, moved apart where lines end close together."""
    ends = sorted(
        ((trend.usual or trend.latest or 0.0, trend.track.contender) for trend in shown if trend.latest),
        key=lambda end: end[0],
    )
    apart = max((value for value, _ in ends), default=1.0) * 0.06
    at = float("-inf")
    for value, name in ends:
        at = max(value, at + apart)
        axes.annotate(
            name,
            (1.01, at),
            xycoords=("axes fraction", "data"),
            va="center",
            color=looks[name].colour,
            annotation_clip=False,
        )


def _grouped(trends: Iterable[Trend]) -> Mapping[str, list[Trend]]:
    """Return the trends by title (machine, plan and scenario), without A/A twins."""
    groups: dict[str, list[Trend]] = {}
    for trend in trends:
        if not name_of(trend.track.contender).is_twin:
            groups.setdefault(_title(trend.track), []).append(trend)
    return groups


def _title(track: Track) -> str:
    return f"{track.scenario}, {track.load}: {track.plan}, {track.runtime}, {track.machine}"
