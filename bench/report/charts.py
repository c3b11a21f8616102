"""The charts of a panel as SVG and PNG: throughput, latency, CPU per request.

Importing Matplotlib takes most of a second: import this module where a chart is drawn.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

from bench.report.bars import demand_chart, throughput_chart
from bench.report.curves import latency_chart
from bench.report.looks import Look
from bench.report.panels import Panel

KINDS = {"": throughput_chart, "-latency": latency_chart, "-cpu": demand_chart}  # by the end of their names


def write_charts(panel: Panel, looks: Mapping[str, Look], folder: Path) -> str:
    """Draw *panel* into *folder*; return what the files' names begin with."""
    name = f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', panel.scenario)}-{panel.load.connections}"
    with mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],  # comes with Matplotlib: every machine draws the same
            "svg.fonttype": "path",  # a viewer without that font would lay labels over each other
            "svg.hashsalt": "bench",
            "text.parse_math": False,  # a dollar in a name is a dollar
            "hatch.linewidth": 0.8,
        }
    ):
        for ending, draw in KINDS.items():
            figure = draw(panel, looks)
            figure.savefig(folder / f"{name}{ending}.svg", metadata={"Date": None})
            figure.savefig(folder / f"{name}{ending}.png", dpi=160, metadata={"Software": None})
    return name
