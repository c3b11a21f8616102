"""Instructions per request of each contender and scenario, beside CPU time and throughput."""

from collections.abc import Iterator, Sequence

from bench.analysis import Analysis
from bench.analysis.rows import Row
from bench.model.contender import name_of
from bench.records import Instructions
from bench.report.document import Column, Section, Table, TableCell, contender_cell, name_column
from bench.report.wording import figure, percent_more, ratio

SHORT = 5  # columns that fit a terminal
TITLE, ANCHOR = "Instructions per request", "instructions"
HOW = (
    "Counted in user space, of the whole server, on servers that were never timed. A count has no noise of "
    "the machine. It does not show the kernel, waiting, cache misses or lock contention: a server can count "
    "the same and be slower."
)


def section(analysis: Analysis) -> Section | None:
    """Return its section; None for a run that was not to count them."""
    run = analysis.run
    if not run.instructions:
        return None
    counted = [one for one in run.instructions if one.windows]
    notes = tuple(uncounted(run.instructions))
    if not counted:
        return Section(title=TITLE, anchor=ANCHOR, intro="None was counted.", caveats=notes)
    columns = (
        name_column("contender", term="contender"),
        Column(heading="scenario", kind="text", term="scenario"),
        *map(_column, ("instructions", "ratio", "in collections", "CPU µs/req", "ratio", "req/s", "ratio")),
    )
    by_place = {(one.contender, one.scenario): one for one in counted}
    rows = tuple(
        _row(analysis, one, by_place.get((run.plan.reference_of(one.contender), one.scenario)))
        for one in counted
    )
    counters = ", ".join(sorted({one.counter for one in counted}))
    table = Table(caption=HOW, columns=columns, rows=rows)
    return Section(title=TITLE, anchor=ANCHOR, tables=(table,), notes=(f"{HOW} By {counters}.", *notes))


def _column(heading: str) -> Column:
    return Column(heading=heading)


def _row(analysis: Analysis, one: Instructions, reference: Instructions | None) -> tuple[TableCell, ...]:
    own = _busiest(analysis, one.contender, one.scenario)
    other = _busiest(analysis, reference.contender, reference.scenario) if reference else None
    usual, everything = one.per_request or 0.0, one.with_collections
    base = reference.per_request if reference else None
    return (
        contender_cell(one.contender),
        TableCell(one.scenario),
        TableCell(f"{usual:,.0f}"),
        TableCell(ratio(usual / base) if base else "–"),
        TableCell(percent_more(everything / usual) if usual and everything is not None else "–"),
        *_beside(own, other, "service_demand_us"),
        *_beside(own, other, "throughput_rps"),
    )


def _beside(own: Row | None, other: Row | None, metric: str) -> Iterator[TableCell]:
    values = [getattr(getattr(row, metric, None), "estimate", None) for row in (own, other)]
    yield TableCell(figure(values[0]))
    yield TableCell(ratio(values[0] / values[1]) if values[0] and values[1] else "–")


def _busiest(analysis: Analysis, contender: str, scenario: str) -> Row | None:
    """Return the row of the most connections under a closed load: what its CPU time is at saturation."""
    rows = [
        row
        for row in analysis.rows
        if (row.cell.contender, row.cell.scenario) == (contender, scenario)
        and row.cell.load.compares_throughput
        and not row.withheld
    ]
    return max(rows, key=lambda row: row.cell.load.connections, default=None)


def uncounted(found: Sequence[Instructions]) -> Iterator[str]:
    """Yield where nothing was counted, and why: once for each reason."""
    places: dict[str, list[str]] = {}
    for one in found:
        if one.why:
            places.setdefault(one.why, []).append(f"{name_of(one.contender).original} in {one.scenario}")
    for why, of in places.items():
        where = "" if len(of) == len(found) else f" for {', '.join(of)}"
        yield f"Instructions were not counted{where}: {why}."
    yield from limits(found)


def limits(found: Sequence[Instructions]) -> Iterator[str]:
    """Yield what counts lack or contain: exchanges that no window has, and collections of garbage."""
    stripped = dict.fromkeys(one.contender for one in found if not one.tells_collections)
    if stripped:
        yield (
            f"Garbage collections are in the instructions of {', '.join(stripped)}: "
            "a stripped Python does not name its collector."
        )
    places = dict.fromkeys((one.scenario, one.requests, one.too_rare) for one in found if one.too_rare)
    for scenario, requests, names in places:
        which = ", ".join(names)
        yield f"Not in the instructions of {scenario}: {which}, too rare for a window of {requests} requests."
