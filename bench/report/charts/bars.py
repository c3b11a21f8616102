"""Bar charts from zero, a row per contender: throughput with its interval, CPU per request in two parts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.report.charts.sheet import FILE, LETTER, Sheet, frame_bars, headed
from bench.report.charts.style import DATABASE_GREY, FAINT, INK, PAPER, Look
from bench.report.panels import Panel
from bench.report.wording import at_least, both, levels, plural, point

NAME_PT, STACK_PT = 10.0, 7.5
ROW_IN, HEAD_IN, FOOT_IN = 0.5, 0.83, 0.42
BAR = 0.62  # of a row's height
NARROW_BAR = 0.4  # if names are above the bars
NEGLIGIBLE = 0.005  # share of a bar: CPU of an idle database
DATABASE: dict[str, Any] = {"color": DATABASE_GREY, "edgecolor": INK, "hatch": "\\\\\\\\", "linewidth": 0.6}

Reach = Callable[[Row], float]


def throughput_chart(panel: Panel, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    """Return requests per second of *panel*, fastest on top, without controls."""
    figure, axes = _drawing(panel, sheet, "throughput", throughput_caption(panel))
    for place, row in enumerate(panel.contenders):
        rate = row.throughput_rps or Estimate(estimate=0.0)
        axes.barh(place, rate.estimate, height=_bar(sheet), **_fill(looks[row.cell.contender]))
        if rate.low is not None and rate.high is not None and not row.client_limit:
            whisker = [[rate.estimate - rate.low], [rate.high - rate.estimate]]
            axes.errorbar(rate.estimate, place, xerr=whisker, color=INK, capsize=3, linewidth=1.2)
    _frame(axes, sheet, panel.contenders, throughput_label, _fastest)
    return figure


def demand_chart(panel: Panel, looks: Mapping[str, Look], sheet: Sheet = FILE) -> Figure:
    """Return CPU per request of *panel*: the server's, then the database's, in the order of throughput."""
    figure, axes = _drawing(panel, sheet, "CPU per request", demand_caption(panel))
    for place, row in enumerate(panel.contenders):
        server, database = _parts(row)
        axes.barh(place, server, height=_bar(sheet), **_fill(looks[row.cell.contender]))
        if database:
            axes.barh(place, database, left=server, height=_bar(sheet), **DATABASE)
        demand = row.service_demand_us
        if demand and demand.low is not None and demand.high is not None:
            whisker = [[demand.estimate - demand.low], [demand.high - demand.estimate]]
            axes.errorbar(demand.estimate, place, xerr=whisker, color=INK, capsize=3, linewidth=1.2)
    _frame(axes, sheet, panel.contenders, demand_label, _longest)
    return figure


def throughput_label(row: Row) -> str:
    if row.client_limit and not row.withheld:
        return f"{at_least(row.throughput_rps)} req/s, client-limited"
    if row.withheld:
        return f"{point(row.throughput_rps)} req/s, not ranked: wrong answers"
    return f"{point(row.throughput_rps)} req/s"


def demand_label(row: Row) -> str:
    of_database = f" + {point(row.database_us)}" if _parts(row)[1] else ""
    return f"{both(row.service_demand_us)}{of_database} µs"


def throughput_caption(panel: Panel) -> str:
    level = levels(row.throughput_rps for row in panel.contenders)
    rounds = plural(max((row.rounds for row in panel.contenders), default=0), "round")
    whiskers = f"whiskers: {level} interval over {rounds}" if level else f"{rounds}, too few for intervals"
    return f"{panel.load.title} · verified responses per second, longer is better · {whiskers}"


def demand_caption(panel: Panel) -> str:
    shown = any(_parts(row)[1] for row in panel.contenders)
    parts = "server + database (hatched grey)" if shown else "server; next to nothing in the database"
    return f"{panel.load.title} · µs of CPU per verified response, shorter is better · {parts}"


def _drawing(panel: Panel, sheet: Sheet, what: str, subtitle: str) -> tuple[Figure, Axes]:
    rows = panel.contenders
    bars_in = ROW_IN * max(len(rows), 1)
    height_in = sheet.head_in(HEAD_IN) + bars_in + FOOT_IN
    figure = sheet.figure(height_in)
    left = (_gutter_in(rows, sheet) if sheet.whole else 0.08) / sheet.width_in
    axes = figure.add_axes((left, FOOT_IN / height_in, 0.96 - left, bars_in / height_in))
    headed(figure, sheet, f"{panel.scenario} · {what}", subtitle)
    return figure, axes


def _frame(axes: Axes, sheet: Sheet, rows: Sequence[Row], label: Callable[[Row], str], reach: Reach) -> None:
    """Put a label after each bar, and name and stack before it, or above it if there is no room."""
    width_pt = axes.get_position().width * sheet.width_in * 72
    room_pt = max((len(label(row)) * NAME_PT * LETTER + 14 for row in rows), default=0.0)
    longest = max(map(reach, rows), default=0.0)
    axes.set_xlim(0, longest / max(1 - room_pt / width_pt, 0.3) or 1.0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    frame_bars(axes)
    behind: dict[str, Any] = {"textcoords": "offset points", "va": "center", "size": 9.5, "color": INK}
    behind["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0}
    for place, row in enumerate(rows):
        axes.annotate(label(row), (reach(row), place), (6, 0), **behind)
        _name(axes, sheet, place, row)


def _name(axes: Axes, sheet: Sheet, place: int, row: Row) -> None:
    at: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "color": INK}
    if not sheet.whole:
        above = place - NARROW_BAR / 2 - 0.06
        axes.text(0.008, above, row.cell.contender, va="bottom", size=NAME_PT, **at)
        return
    beside = at | {"ha": "right"}
    axes.text(-0.02, place - 0.03, row.cell.contender, va="bottom", size=NAME_PT, **beside)
    axes.text(-0.02, place + 0.06, row.stack, va="top", size=STACK_PT, **beside | {"color": FAINT})


def _gutter_in(rows: Sequence[Row], sheet: Sheet) -> float:
    widest_pt = max(
        (max(len(row.cell.contender) * NAME_PT, len(row.stack) * STACK_PT) * LETTER for row in rows),
        default=0.0,
    )
    return min(0.3 + widest_pt / 72, sheet.width_in / 2)


def _bar(sheet: Sheet) -> float:
    return BAR if sheet.whole else NARROW_BAR


def _fill(look: Look) -> dict[str, Any]:
    return {"color": look.fill, "edgecolor": look.colour, "hatch": look.hatch, "linewidth": 0.8}


def _fastest(row: Row) -> float:
    rate = row.throughput_rps
    return (rate.high or rate.estimate) if rate else 0.0


def _longest(row: Row) -> float:
    demand = row.service_demand_us
    return max(sum(_parts(row)), (demand.high or 0.0) if demand else 0.0)


def _parts(row: Row) -> tuple[float, float]:
    server, database = (part.estimate if part else 0.0 for part in (row.service_demand_us, row.database_us))
    return server, database if database > NEGLIGIBLE * server else 0.0
