"""Bars from zero, a row per contender: throughput with its interval, and CPU per request in two parts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis import Estimate, Row
from bench.loads import spoken
from bench.report.looks import FAINT, GRID, INK, Look
from bench.report.panels import Panel
from bench.report.wording import at_least, both, levels, plural, point

NAME_PT, STACK_PT = 10.0, 7.5
WIDTH_IN, ROW_IN, FRAME_IN = 8.0, 0.5, 1.25
BAR = 0.62  # of a row's height
LETTER = 0.6  # the width of a letter, of its size
NEGLIGIBLE = 0.005  # of a bar: what the database does when nobody asks it anything
DATABASE: dict[str, Any] = {"color": "#c9c9c9", "edgecolor": INK, "hatch": "\\\\\\\\", "linewidth": 0.6}

Reach = Callable[[Row], float]


def throughput_chart(panel: Panel, looks: Mapping[str, Look]) -> Figure:
    """Return requests per second of *panel*: fastest on top, controls left out."""
    labels = [
        f"{at_least(row.throughput_rps)} req/s, client-limited"
        if row.client_limit
        else f"{point(row.throughput_rps)} req/s"
        for row in panel.contenders
    ]
    figure, axes = _sheet(panel, "throughput", _on_throughput(panel))
    for place, row in enumerate(panel.contenders):
        rate = row.throughput_rps or Estimate(estimate=0.0)
        axes.barh(place, rate.estimate, height=BAR, **_fill(looks[row.cell.contender]))
        if rate.low is not None and rate.high is not None and not row.client_limit:
            whisker = [[rate.estimate - rate.low], [rate.high - rate.estimate]]
            axes.errorbar(rate.estimate, place, xerr=whisker, color=INK, capsize=3, linewidth=1.2)
    _frame(axes, panel.contenders, labels, _fastest)
    return figure


def demand_chart(panel: Panel, looks: Mapping[str, Look]) -> Figure:
    """Return CPU per request of *panel*, the server's then the database's, in the order of throughput."""
    figure, axes = _sheet(panel, "CPU per request", _on_demand(panel))
    labels = []
    for place, row in enumerate(panel.contenders):
        server, database = _parts(row)
        axes.barh(place, server, height=BAR, **_fill(looks[row.cell.contender]))
        if database:
            axes.barh(place, database, left=server, height=BAR, **DATABASE)
        of_database = f" + {point(row.database_us)}" if database else ""
        labels.append(f"{both(row.service_demand_us)}{of_database} µs")
    _frame(axes, panel.contenders, labels, lambda row: sum(_parts(row)))
    return figure


def headed(figure: Figure, title: str, what: str, subtitle: str) -> None:
    """Write what a chart is about above it."""
    height_in = figure.get_size_inches()[1]
    figure.text(0.02, 1 - 0.3 / height_in, f"{title} · {what}", size=14, weight="bold", color=INK)
    figure.text(0.02, 1 - 0.55 / height_in, subtitle, size=9, color=FAINT)


def _sheet(panel: Panel, what: str, subtitle: str) -> tuple[Figure, Axes]:
    rows = panel.contenders
    height_in = FRAME_IN + ROW_IN * max(len(rows), 1)
    figure = Figure(figsize=(WIDTH_IN, height_in), facecolor="white")
    left = _gutter_in(rows) / WIDTH_IN
    axes = figure.add_axes((left, 0.42 / height_in, 0.96 - left, 1 - FRAME_IN / height_in))
    headed(figure, panel.scenario, what, subtitle)
    return figure, axes


def _frame(axes: Axes, rows: Sequence[Row], labels: Sequence[str], reach: Reach) -> None:
    """Put a label behind each bar, names and stacks before it."""
    width_pt = axes.get_position().width * WIDTH_IN * 72
    room_pt = max((len(label) * NAME_PT * LETTER + 14 for label in labels), default=0.0)
    longest = max(map(reach, rows), default=0.0)
    axes.set_xlim(0, longest / max(1 - room_pt / width_pt, 0.3) or 1.0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="x", colors=FAINT, labelsize=8, length=0)
    axes.xaxis.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(FAINT)
    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right"}
    behind: dict[str, Any] = {"textcoords": "offset points", "va": "center", "size": 9.5, "color": INK}
    behind["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
        axes.annotate(label, (reach(row), place), (6, 0), **behind)
        axes.text(-0.02, place - 0.03, row.cell.contender, va="bottom", size=NAME_PT, color=INK, **beside)
        axes.text(-0.02, place + 0.06, row.stack, va="top", size=STACK_PT, color=FAINT, **beside)


def _gutter_in(rows: Sequence[Row]) -> float:
    """Return the room that names and stacks need left of the bars."""
    widest_pt = max(
        (max(len(row.cell.contender) * NAME_PT, len(row.stack) * STACK_PT) * LETTER for row in rows),
        default=0.0,
    )
    return min(0.3 + widest_pt / 72, WIDTH_IN / 2)


def _fill(look: Look) -> dict[str, Any]:
    return {"color": look.fill, "edgecolor": look.colour, "hatch": look.hatch, "linewidth": 0.8}


def _fastest(row: Row) -> float:
    """Return how far to the right the row's bar and whisker go."""
    rate = row.throughput_rps
    return (rate.high or rate.estimate) if rate else 0.0


def _parts(row: Row) -> tuple[float, float]:
    server, database = (part.estimate if part else 0.0 for part in (row.service_demand_us, row.database_us))
    return server, database if database > NEGLIGIBLE * server else 0.0


def _on_throughput(panel: Panel) -> str:
    level = levels(row.throughput_rps for row in panel.contenders)
    rounds = plural(max((row.rounds for row in panel.contenders), default=0), "round")
    whiskers = f"whiskers: {level} interval over {rounds}" if level else f"{rounds}, too few for intervals"
    return f"{spoken(panel.load)} · verified responses per second, longer is better · {whiskers}"


def _on_demand(panel: Panel) -> str:
    asked = any(_parts(row)[1] for row in panel.contenders)
    parts = "server + database (hatched grey)" if asked else "server; next to nothing in the database"
    return f"{spoken(panel.load)} · µs of CPU per verified response, shorter is better · {parts}"
