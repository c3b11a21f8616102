"""Contenders over many runs: a table, a chart for each scenario, and one for each track that changed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.compare.change_points import ChangePoint
from bench.compare.change_points_report import WORDS, commit_text, place_text, size_text
from bench.compare.history import CellTrack, Trend
from bench.model.contender import name_of
from bench.report.charts.sheet import FILE, headed, style
from bench.report.charts.style import FAINT, GRID, INK, Look, looks_of
from bench.report.terminal import table_of
from bench.report.wording import NOTHING, figure, percent_more, plural, ratio

HEIGHT_IN = 4.2
UNITS = {"throughput_rps": "requests per second", "service_demand_us": "µs of CPU per request"}
BETTER, WORSE = "#009e73", "#b22222"
NEAR_EDGE = 0.15  # share of the width: words there are aligned with the edge
ABOVE = 1.04  # times the highest value: its marker is drawn whole
OUTSIDE = 0.08  # of the levels' range: room above and below them
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
        moved = percent_more(latest / usual) if usual and latest else NOTHING
        what = f"× {trend.anchor}" if trend.anchor else "req/s"
        table.add_row(trend.track.contender, str(len(trend.points)), what, write(usual), write(latest), moved)
    return table


def write_trend_charts(trends: Sequence[Trend], points: Sequence[ChangePoint], folder: Path) -> list[Path]:
    """Draw every scenario from 0, and each track with a change point close up."""
    folder.mkdir(parents=True, exist_ok=True)
    looks = looks_of(dict.fromkeys(trend.track.contender for trend in trends))
    by_track: dict[CellTrack, list[ChangePoint]] = {}
    for point in points:
        by_track.setdefault(point.track, []).append(point)
    with style(text="path", salt="bench"):
        scenarios = [
            _written(title, group, points, looks, folder) for title, group in _grouped(trends).items()
        ]
        tracks = [
            _close_up(trend, by_track[trend.track], looks[trend.track.contender], folder)
            for trend in trends
            if trend.track in by_track
        ]
    return [*scenarios, *tracks]


def _written(
    title: str,
    group: Sequence[Trend],
    points: Sequence[ChangePoint],
    looks: Mapping[str, Look],
    folder: Path,
) -> Path:
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
    axes.set_ylim(0, axes.get_ylim()[1] * ABOVE)
    tracks = {trend.track for trend in shown}
    for point in points:
        if point.track in tracks:
            axes.axvline(_day(point.likely.at), color=_colour(point), linewidth=0.8, linestyle=":", zorder=0)
    _frame(axes)
    return _saved(drawn, title, folder)


def _close_up(trend: Trend, points: Sequence[ChangePoint], look: Look, folder: Path) -> Path:
    """Draw one track near its levels: its runs, and each change point with the commits around it."""
    drawn = FILE.figure(HEIGHT_IN)
    track = trend.track
    title = f"{track.contender}: {WORDS[track.metric]}, {place_text(track)}"
    reference = points[-1].reference
    what = f"relative to {reference} in the same rounds" if reference else UNITS.get(track.metric, "")
    where = f"{track.plan}, {track.runtime}, {track.machine}"
    headed(drawn, FILE, title, "; ".join(filter(None, (what, plural(len(trend.points), "run"), where))))
    axes = drawn.add_axes((0.09, 0.12, 0.87, 0.56))
    known = [(point.at, point.judged) for point in trend.points if point.judged is not None]
    times, values = [at for at, _ in known], [value for _, value in known]
    axes.plot(
        [*map(_day, times)],
        values,
        color=look.colour,
        linestyle="",
        marker=look.marker,
        markersize=4,
        alpha=0.6,
    )
    _levels(axes, points, times)
    edges = sorted(values)
    far = max(1, len(edges) // 50)  # a spike must not flatten the steps
    low = min(edges[far - 1], *(min(one.before, one.now) for one in points))
    high = max(edges[-far], *(max(one.before, one.now) for one in points))
    room = (high - low) * OUTSIDE or abs(high) * OUTSIDE
    axes.set_ylim(low - room, high + room)
    _frame(axes)
    return _saved(drawn, f"{title}: {where}", folder)


def _levels(axes: Axes, points: Sequence[ChangePoint], times: Sequence[datetime]) -> None:
    ordered = sorted(points, key=lambda point: point.likely.at)
    begins = [times[0], *(point.likely.at for point in ordered)]
    ends = [*(point.likely.at for point in ordered), times[-1]]
    for number, (begun, ended) in enumerate(zip(begins, ends, strict=True)):
        level = ordered[number - 1].now if number else ordered[0].before
        axes.hlines(level, _day(begun), _day(ended), color=INK, linewidth=1.4)
    for point in ordered:
        at = _day(point.likely.at)
        axes.axvspan(_day(point.after.at), _day(point.by.at), color=_colour(point), alpha=0.2, linewidth=0)
        text = f"{size_text(point)}\n{commit_text(point.after)} … {commit_text(point.by)}"
        share = (at - _day(times[0])) / ((_day(times[-1]) - _day(times[0])) or 1)
        axes.annotate(
            text,
            (at, 1.02),
            xycoords=("data", "axes fraction"),
            ha="left" if share < NEAR_EDGE else "right" if share > 1 - NEAR_EDGE else "center",
            va="bottom",
            size=8,
            color=_colour(point),
            annotation_clip=False,
        )


def _day(at: datetime) -> float:
    return float(date2num(at))  # type: ignore[no-untyped-call]


def _colour(point: ChangePoint) -> str:
    return WORSE if point.worse else BETTER


def _frame(axes: Axes) -> None:
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g} M" if value >= 1e6 else f"{value:,.6g}")
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(colors=FAINT, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INK)


def _saved(drawn: Figure, title: str, folder: Path) -> Path:
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
    """Return the trends of throughput by title (machine, plan and scenario), without A/A twins."""
    groups: dict[str, list[Trend]] = {}
    for trend in trends:
        if trend.track.metric == "throughput_rps" and not name_of(trend.track.contender).is_twin:
            groups.setdefault(_title(trend.track), []).append(trend)
    return groups


def _title(track: CellTrack) -> str:
    return f"{track.scenario}, {track.load}: {track.plan}, {track.runtime}, {track.machine}"
