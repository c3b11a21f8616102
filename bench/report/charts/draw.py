"""The charts of a report, as files and as parts of a page.

Importing Matplotlib takes most of a second: import this module only where a chart is drawn.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.report.audit import Audit
from bench.report.by_workers import WorkerTable
from bench.report.charts import bars, claimed, cost_lines, lines, percentiles
from bench.report.charts.ratio_chart import ratio_caption, ratio_chart
from bench.report.charts.sheet import FILE, SCREEN, WIDE_FILE, WIDE_SCREEN, Sheet, style
from bench.report.charts.style import Look
from bench.report.charts.svg import Drawing, inlined
from bench.report.cost_tables import CostPicture
from bench.report.forest import Forest, alternatives
from bench.report.panels import Panel
from bench.report.series import Series

Shown = Panel | Series | WorkerTable | Forest | Audit | CostPicture
PNG_DPI = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartKind:
    """One kind of chart. Its functions take what it shows."""

    what: str
    ending: str  # part of its file name
    draw: Callable[[Any, Mapping[str, Look], Sheet], Figure]
    caption: Callable[[Any], str]
    numbers: Callable[[Any], Iterable[str]]  # as text
    file: Sheet = FILE
    screen: Sheet = SCREEN
    narrow: Sheet | None = None  # of a narrow page, if that has another one
    png: bool = False  # a file of this kind too: for slides, and where no SVG is shown


THROUGHPUT = ChartKind(
    what="Throughput",
    ending="",
    draw=bars.throughput_chart,
    caption=bars.throughput_caption,
    numbers=lambda panel: (f"{row.cell.contender} {bars.throughput_label(row)}" for row in panel.contenders),
)
LATENCY = ChartKind(
    what="Latency",
    ending="-latency",
    draw=percentiles.latency_chart,
    caption=percentiles.latency_caption,
    numbers=lambda panel: (f"{percentiles.latency_label(row)} ms (p50 / p99)" for row in panel.contenders),
)
DEMAND = ChartKind(
    what="CPU per request",
    ending="-cpu",
    draw=bars.demand_chart,
    caption=bars.demand_caption,
    numbers=lambda panel: (f"{row.cell.contender} {bars.demand_label(row)}" for row in panel.contenders),
)
THROUGHPUTS = ChartKind(
    what="Throughput",
    ending="",
    draw=lines.throughput_lines,
    caption=lines.throughput_lines_caption,
    numbers=lambda series: _first_to_last(series, "req/s"),
)
LATENCIES = ChartKind(
    what="Latency",
    ending="-latency",
    draw=lines.latency_lines,
    caption=lines.latency_lines_caption,
    numbers=lambda series: _first_to_last(series, "p99 ms"),
)
BY_WORKERS = ChartKind(
    what="Throughput",
    ending="",
    draw=lines.scaling_lines,
    caption=lines.scaling_caption,
    numbers=lambda workers: (
        f"{name} {', '.join(f'{line[1].text} req/s with {line[0].text}' for line in values)}"
        for name, values in workers.lines.items()
    ),
)
RATIOS = ChartKind(
    what="Ratios",
    ending="",
    draw=ratio_chart,
    caption=ratio_caption,
    numbers=alternatives,
    file=WIDE_FILE,
    screen=WIDE_SCREEN,
    narrow=SCREEN,
    png=True,
)
CLAIMED_RATES = ChartKind(
    what="Requests per second",
    ending="",
    draw=claimed.rate_chart,
    caption=claimed.caption,
    numbers=claimed.rates,
)
CLAIMED_LATENCIES = ChartKind(
    what="Mean latency",
    ending="-latency",
    draw=claimed.latency_chart,
    caption=claimed.caption,
    numbers=claimed.latencies,
)


COSTS = ChartKind(
    what="CPU per request by rate",
    ending="-cpu",
    draw=cost_lines.cost_lines,
    caption=cost_lines.caption,
    numbers=cost_lines.numbers,
)


def kinds_of(shown: Shown) -> tuple[ChartKind, ...]:
    """Return the charts of *shown*. With a given rate there is no throughput chart."""
    match shown:
        case Panel():
            throughput = (THROUGHPUT,) if shown.load.compares_throughput else ()
            return (*throughput, *((LATENCY,) if percentiles.has_curve(shown) else ()), DEMAND)
        case Series():
            return (THROUGHPUTS, LATENCIES) if shown.load.compares_throughput else (LATENCIES,)
        case WorkerTable():
            return (BY_WORKERS,)
        case Forest():
            return (RATIOS,)
        case CostPicture():
            return (COSTS,)
        case Audit():
            kept = [bar for bar in shown.bars if bar.claimed_ms]
            return ((CLAIMED_RATES,) if shown.bars else ()) + ((CLAIMED_LATENCIES,) if kept else ())


def write_charts(shown: Shown, looks: Mapping[str, Look], folder: Path) -> Mapping[str, str]:
    """Draw *shown* into *folder*. Return what a chart shows → its file name without ending."""
    stems = {}
    with style(text="path", salt="bench"):  # a viewer without the font would draw overlapping labels
        for kind in kinds_of(shown):
            figure = kind.draw(shown, looks, kind.file)
            stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{shown.slug}{kind.ending}")
            figure.savefig(folder / f"{stem}.svg", metadata={"Date": None})
            if kind.png:
                figure.savefig(folder / f"{stem}.png", dpi=PNG_DPI, metadata={"Software": None})
            stems[kind.what] = stem
    return stems


def drawings(shown: Shown, looks: Mapping[str, Look]) -> tuple[Drawing, ...]:
    return tuple(_drawing(shown, looks, kind) for kind in kinds_of(shown))


def _drawing(shown: Shown, looks: Mapping[str, Look], kind: ChartKind) -> Drawing:
    caption = kind.caption(shown)
    return Drawing(
        what=kind.what,
        caption=caption,
        alternative=f"{kind.what} of {shown.title}. {caption}. {'; '.join(kind.numbers(shown))}.",
        svg=_part(shown, looks, kind, kind.screen),
        narrow=_part(shown, looks, kind, kind.narrow) if kind.narrow else "",
    )


def _part(shown: Shown, looks: Mapping[str, Look], kind: ChartKind, sheet: Sheet) -> str:
    drawn = StringIO()
    # Text stays text: it has the page's font, and can be searched, copied and read aloud.
    with style(text="none", salt=f"{shown.title}{kind.what}{'' if sheet == kind.screen else ' narrow'}"):
        kind.draw(shown, looks, sheet).savefig(drawn, format="svg", metadata={"Date": None})
    return inlined(drawn.getvalue(), looks.values())


def _first_to_last(series: Series, heading: str) -> Iterator[str]:
    headings = [column.heading for column in series.columns]
    place, level = headings.index(heading), headings[0]
    for name, values in series.lines.items():
        ends = (f"{line[place].text} {heading} at {line[0].text} {level}" for line in (values[0], values[-1]))
        yield f"{name} {' to '.join(ends)}"
