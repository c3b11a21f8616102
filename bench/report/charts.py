"""The charts of a report as SVG and PNG.

Importing Matplotlib takes most of a second: import this module where a chart is drawn.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.loads import slug
from bench.report.bars import demand_chart, throughput_chart
from bench.report.curves import latency_chart
from bench.report.lines import latency_lines, throughput_lines
from bench.report.looks import Look
from bench.report.panels import Panel
from bench.report.series import Series

# By what they show, and the end of their names. At a given rate throughput is given too.
CLOSED = {"Throughput": ("", throughput_chart), "Latency": ("-latency", latency_chart)}
OPEN = {"Latency": ("-latency", latency_chart)}
DEMAND = {"CPU per request": ("-cpu", demand_chart)}
CLOSED_SERIES = {"Throughput": ("", throughput_lines), "Latency": ("-latency", latency_lines)}
OPEN_SERIES = {"Latency": ("-latency", latency_lines)}


def write_charts(panel: Panel, looks: Mapping[str, Look], folder: Path) -> Mapping[str, str]:
    """Draw *panel* into *folder*; return what each chart shows and its file's name without ending."""
    kinds = (OPEN if panel.is_open else CLOSED) | DEMAND
    with _drawing():
        return {
            what: _written(draw(panel, looks), folder, f"{panel.scenario}-{slug(panel.load)}{ending}")
            for what, (ending, draw) in kinds.items()
        }


def write_series_charts(series: Series, looks: Mapping[str, Look], folder: Path) -> Mapping[str, str]:
    """Draw *series* into *folder*; return what each chart shows and its file's name without ending."""
    kinds = OPEN_SERIES if series.is_open else CLOSED_SERIES
    with _drawing():
        return {
            what: _written(draw(series, looks), folder, f"{series.slug}{ending}")
            for what, (ending, draw) in kinds.items()
        }


@contextmanager
def _drawing() -> Iterator[None]:
    with mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],  # comes with Matplotlib: every machine draws the same
            "svg.fonttype": "path",  # a viewer without that font would lay labels over each other
            "svg.hashsalt": "bench",
            "text.parse_math": False,  # a dollar in a name is a dollar
            "hatch.linewidth": 0.8,
        }
    ):
        yield


def _written(figure: Figure, folder: Path, name: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    figure.savefig(folder / f"{stem}.svg", metadata={"Date": None})
    figure.savefig(folder / f"{stem}.png", dpi=160, metadata={"Software": None})
    return stem
