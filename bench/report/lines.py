"""Lines over loads: throughput and latency against connections, latency against rate."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from bench.analysis.rows import Row
from bench.report.curves import ticks
from bench.report.linework import Line, drawn, name_ends
from bench.report.looks import FAINT, Look
from bench.report.series import Series, level_of
from bench.report.sheets import FILE, Sheet, headed


def throughput_lines(series: Series, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    """Return requests per second of *series* against connections."""
    lines = [
        _line(
            name, looks[name], rows, lambda row: row.throughput_rps.estimate if row.throughput_rps else None
        )
        for name, rows in series.rows.items()
    ]
    figure, axes = _drawn(series, sheet, lines, "throughput", throughput_lines_caption(series))
    axes.set_ylim(0, max((y for line in lines for _, y in line.told), default=1.0) * 1.08 or 1.0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    name_ends(figure, axes, sheet, lines)
    return figure


def latency_lines(series: Series, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    """Return p50 and p99 of *series* against connections or rate, on a log axis."""
    lines = list(_percentiles(series, looks))
    figure, axes = _drawn(series, sheet, lines, "latency", latency_lines_caption(series))
    seen = [y for line in lines for _, y in line.told]
    low, high = min(seen, default=1.0) / 1.25, max(seen, default=1.0) * 1.25
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} ms")
    name_ends(figure, axes, sheet, lines)
    return figure


def throughput_lines_caption(series: Series) -> str:
    """Return under which loads, what is good, and what a ring means where there is one."""
    return f"{series.spoken} · verified responses per second, higher is better{_ringed(series)}"


def latency_lines_caption(series: Series) -> str:
    """Return under which loads, from when to when, and which line is which percentile."""
    start = "due" if series.is_open else "send"
    return f"{series.spoken} · ms from {start} to last byte · thick: p99, thin: p50{_ringed(series)}"


def _ringed(series: Series) -> str:
    limited = any(row.client_limit for rows in series.rows.values() for row in rows)
    return " · ringed: client-limited" if limited else ""


def _percentiles(series: Series, looks: Mapping[str, Look]) -> Iterator[Line]:
    for name, rows in series.rows.items():
        yield _line(f"{name} p99", looks[name], rows, lambda row: row.latency.p99_ms)
        yield _line(f"{name} p50", looks[name], rows, lambda row: row.latency.p50_ms, thin=True)


def _line(
    label: str,
    look: Look,
    rows: Iterable[Row],
    told: Callable[[Row], float | None],
    *,
    thin: bool = False,
) -> Line:
    values = [(row, told(row)) for row in rows]
    points = [(row, (level_of(row), math.nan if value is None else value)) for row, value in values]
    return Line(
        label=label,
        look=look,
        points=tuple(point for _, point in points),
        ringed=tuple(point for row, point in points if row.client_limit),
        thin=thin,
    )


def _drawn(
    series: Series, sheet: Sheet, lines: Sequence[Line], what: str, subtitle: str
) -> tuple[Figure, Axes]:
    figure, axes = drawn(sheet, lines)
    _loads(axes, series, [x for line in lines for x, _ in line.points])
    headed(figure, sheet, f"{series.scenario} · {what}", subtitle)
    return figure, axes


def _loads(axes: Axes, series: Series, seen: Sequence[float]) -> None:
    axes.set_xlabel("requests per second" if series.is_open else "connections", color=FAINT, size=8.5)
    if series.is_open:
        axes.set_xlim(0, max(seen, default=1.0) * 1.02)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        return
    marked = sorted(set(seen)) or [1.0]
    axes.set_xscale("log", base=2)
    axes.set_xlim(marked[0] / 1.1, marked[-1] * 1.1)
    axes.set_xticks(marked, [f"{x:,.0f}" for x in marked])
    axes.xaxis.set_minor_locator(NullLocator())
