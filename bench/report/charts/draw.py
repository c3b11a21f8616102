"""The charts of a report, as files and as parts of a page.

Importing Matplotlib takes most of a second: import this module only where a chart is drawn.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Generic, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.report.by_workers import WorkerTable
from bench.report.charts import bars, lines, percentiles
from bench.report.charts.style import FILE, SCREEN, Look, Sheet
from bench.report.charts.svg import Drawing, inlined
from bench.report.panels import Panel
from bench.report.series import Series

Shown = TypeVar("Shown", Panel, Series, WorkerTable)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartKind(Generic[Shown]):
    """One kind of chart of a panel or a series."""

    what: str
    ending: str  # part of its file name
    draw: Callable[[Shown, Mapping[str, Look], Sheet], Figure]
    caption: Callable[[Shown], str]
    told: Callable[[Shown], Iterable[str]]  # its numbers as text


THROUGHPUT: ChartKind[Panel] = ChartKind(
    what="Throughput",
    ending="",
    draw=bars.throughput_chart,
    caption=bars.throughput_caption,
    told=lambda panel: (f"{row.cell.contender} {bars.throughput_label(row)}" for row in panel.contenders),
)
LATENCY: ChartKind[Panel] = ChartKind(
    what="Latency",
    ending="-latency",
    draw=percentiles.latency_chart,
    caption=percentiles.latency_caption,
    told=lambda panel: (f"{percentiles.latency_label(row)} ms (p50 / p99)" for row in panel.contenders),
)
DEMAND: ChartKind[Panel] = ChartKind(
    what="CPU per request",
    ending="-cpu",
    draw=bars.demand_chart,
    caption=bars.demand_caption,
    told=lambda panel: (f"{row.cell.contender} {bars.demand_label(row)}" for row in panel.contenders),
)
THROUGHPUTS: ChartKind[Series] = ChartKind(
    what="Throughput",
    ending="",
    draw=lines.throughput_lines,
    caption=lines.throughput_lines_caption,
    told=lambda series: _first_to_last(series, "req/s"),
)
LATENCIES: ChartKind[Series] = ChartKind(
    what="Latency",
    ending="-latency",
    draw=lines.latency_lines,
    caption=lines.latency_lines_caption,
    told=lambda series: _first_to_last(series, "p99 ms"),
)
BY_WORKERS: ChartKind[WorkerTable] = ChartKind(
    what="Throughput",
    ending="",
    draw=lines.scaling_lines,
    caption=lines.scaling_caption,
    told=lambda workers: (
        f"{name} {', '.join(f'{line[1].text} req/s with {line[0].text}' for line in told)}"
        for name, told in workers.lines.items()
    ),
)


def kinds_of(panel: Panel) -> tuple[ChartKind[Panel], ...]:
    """Return the charts of *panel*. With a given rate there is no throughput chart."""
    return (LATENCY, DEMAND) if panel.is_open else (THROUGHPUT, LATENCY, DEMAND)


def kinds_of_series(series: Series) -> tuple[ChartKind[Series], ...]:
    return (LATENCIES,) if series.is_open else (THROUGHPUTS, LATENCIES)


def write_charts(panel: Panel, looks: Mapping[str, Look], folder: Path) -> Mapping[str, str]:
    """Draw *panel* into *folder*. Return what a chart shows → its file name without ending."""
    return _written(panel, kinds_of(panel), looks, folder, panel.slug)


def write_series_charts(series: Series, looks: Mapping[str, Look], folder: Path) -> Mapping[str, str]:
    """Draw *series* into *folder*. Return what a chart shows → its file name without ending."""
    return _written(series, kinds_of_series(series), looks, folder, series.slug)


def write_scaling_chart(workers: WorkerTable, looks: Mapping[str, Look], folder: Path) -> Mapping[str, str]:
    """Draw *workers* into *folder*. Return what a chart shows → its file name without ending."""
    return _written(workers, (BY_WORKERS,), looks, folder, workers.slug)


def panel_drawings(panel: Panel, looks: Mapping[str, Look]) -> tuple[Drawing, ...]:
    return tuple(map(partial(_drawing, panel, looks), kinds_of(panel)))


def series_drawings(series: Series, looks: Mapping[str, Look]) -> tuple[Drawing, ...]:
    return tuple(map(partial(_drawing, series, looks), kinds_of_series(series)))


def scaling_drawings(workers: WorkerTable, looks: Mapping[str, Look]) -> tuple[Drawing, ...]:
    return (_drawing(workers, looks, BY_WORKERS),)


def _written(
    shown: Shown, kinds: Iterable[ChartKind[Shown]], looks: Mapping[str, Look], folder: Path, name: str
) -> Mapping[str, str]:
    stems = {}
    with _style(text="path", salt="bench"):  # a viewer without the font would draw overlapping labels
        for kind in kinds:
            figure = kind.draw(shown, looks, FILE)
            stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{name}{kind.ending}")
            figure.savefig(folder / f"{stem}.svg", metadata={"Date": None})
            stems[kind.what] = stem
    return stems


def _drawing(shown: Shown, looks: Mapping[str, Look], kind: ChartKind[Shown]) -> Drawing:
    drawn = StringIO()
    # Text stays text: it has the page's font, and can be searched, copied and read aloud.
    with _style(text="none", salt=f"{shown.title}{kind.what}"):
        kind.draw(shown, looks, SCREEN).savefig(drawn, format="svg", metadata={"Date": None})
    caption = kind.caption(shown)
    return Drawing(
        what=kind.what,
        caption=caption,
        alternative=f"{kind.what} of {shown.title}. {caption}. {'; '.join(kind.told(shown))}.",
        svg=inlined(drawn.getvalue(), looks.values()),
    )


def _first_to_last(series: Series, heading: str) -> Iterator[str]:
    headings = [column.heading for column in series.columns]
    place, level = headings.index(heading), headings[0]
    for name, told in series.lines.items():
        ends = (f"{line[place].text} {heading} at {line[0].text} {level}" for line in (told[0], told[-1]))
        yield f"{name} {' to '.join(ends)}"


@contextmanager
def _style(text: str, salt: str) -> Iterator[None]:
    with mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],  # part of Matplotlib, so every machine draws the same
            "svg.fonttype": text,
            "svg.hashsalt": salt,  # the source of ids, which must differ within a page
            "text.parse_math": False,  # a dollar sign in a name starts no formula
            "hatch.linewidth": 0.8,
        }
    ):
        yield
