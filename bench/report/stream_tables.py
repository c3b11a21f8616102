"""Streams at once: how many each contender holds within the objective, and when their events come."""

from collections.abc import Iterator, Sequence

from bench.analysis import Analysis
from bench.analysis.streams import StreamLadder, StreamsHeld
from bench.report.document import Column, Section, Table, TableCell, contender_cell, name_column
from bench.report.wording import NOTHING, figure, measured, point

TITLE, ANCHOR = "Streams", "streams"
HEADINGS = (
    *("streams", "first event p50 ms", "p99 ms", "late p50 ms", "p99 ms", "gap p1 ms", "p99 ms"),
    *("events/s", "CPU µs/event", "CPU, % of a core", "client, % of a core", "wrong"),
)
HOW = (
    "An event is late by the time since it was due, counted from the request of its stream. So a stream that "
    "waits for its turn is late with all of its events.",
    "The gap is from one event of a stream to the next; its spread is the jitter.",
    "An event that had not come when a window closed is late by the time since it was due, at least. It "
    "counts if that is later than 99 % of those that came: otherwise it may be on its way.",
    "A percentile has an interval with six rounds or more.",
    "Wrong streams ended early, repeated or skipped an event, were buffered, or did not end.",
)


def section(analysis: Analysis) -> Section | None:
    """Return its section; None for a run without streams."""
    found = analysis.stream_ladders
    if not found:
        return None
    slo_ms = analysis.run.plan.slo_ms
    held = () if slo_ms is None else (_held_table(found, slo_ms),)
    return Section(
        title=TITLE,
        anchor=ANCHOR,
        tables=(*held, _steps_table(found)),
        notes=(*HOW, *warnings(analysis)),
    )


def _held_table(found: Sequence[StreamLadder], slo_ms: float) -> Table:
    headings = ("streams held", "CPU then, % of a core", "not held")
    columns = (*_first_columns(), *(Column(heading=heading, kind="text") for heading in headings))
    caption = f"How many it holds: 99 % of events are no later than {slo_ms:g} ms"
    rows = tuple((*_first_cells(one), *_held_cells(one)) for one in found)
    return Table(caption=caption, captioned=True, columns=columns, rows=rows)


def short_table(found: Sequence[StreamLadder]) -> Table:
    """Return how many streams are held, for a terminal."""
    columns = (
        name_column("contender"),
        Column(heading="streams\nheld", kind="text"),
        Column(heading="CPU then, %\nof a core", kind="text"),
        Column(heading="not held", kind="text"),
    )
    rows = tuple((TableCell(one.contender, one.scenario), *_held_cells(one)) for one in found)
    return Table(columns=columns, rows=rows)


def _held_cells(one: StreamLadder) -> tuple[TableCell, ...]:
    most, more = one.most, one.next
    held = "none that was tried" if most is None else f"{'≥ ' * one.may_hold_more}{most.streams:,}"
    then = NOTHING if most is None else _percent(most.server_cores)
    return TableCell(held), TableCell(then), TableCell(NOTHING if more is None else _why(more))


def _why(step: StreamsHeld) -> str:
    if step.client_limit:
        return f"{step.streams:,}: {step.client_limit}"
    if step.failed:
        return f"{step.streams:,}: {step.failed:,} streams were wrong"
    late_ms = step.late_ms(99)
    late = f"late by {point(late_ms)} ms (p99)" if late_ms else "late"
    return f"{step.streams:,}: {late}, CPU {_percent(step.server_cores)} % of a core"


def _steps_table(found: Sequence[StreamLadder]) -> Table:
    columns = (*_first_columns(), *(Column(heading=heading) for heading in HEADINGS))
    rows = tuple((*_first_cells(one), *_figures(step)) for one in found for step in one.steps)
    return Table(caption="When events come", captioned=True, columns=columns, rows=rows)


def _figures(step: StreamsHeld) -> Iterator[TableCell]:
    yield TableCell(f"{step.streams:,}")
    yield from map(measured, (step.first_ms(50), step.first_ms(99)))
    yield from map(measured, (step.late_ms(50), step.late_ms(99)))
    yield from map(measured, (step.gap_ms(1), step.gap_ms(99)))
    yield from map(measured, (step.events_per_s, step.server_us))
    yield from map(TableCell, (_percent(step.server_cores), _percent(step.client_cores)))
    yield TableCell(f"{step.failed:,}")


def _percent(cores: float | None) -> str:
    return NOTHING if cores is None else figure(cores * 100)


def _first_columns() -> tuple[Column, ...]:
    return name_column("contender", term="contender"), Column(
        heading="scenario", kind="text", term="scenario"
    )


def _first_cells(one: StreamLadder) -> tuple[TableCell, ...]:
    return contender_cell(one.contender), TableCell(one.scenario)


def warnings(analysis: Analysis) -> Iterator[str]:
    """Yield what makes figures of streams doubtful."""
    for one in analysis.stream_ladders:
        if limited := [f"{step.streams:,}" for step in one.steps if step.client_limit]:
            yield (
                f"{one.contender}: the client was the limit at {', '.join(limited)} streams at once. Events "
                "may be late there because of the client."
            )
        if hurried := [step for step in one.steps if step.hurries]:
            yield (
                f"{one.contender}: events come every {point(hurried[0].gap_ms(50))} ms, and are due every "
                f"{hurried[0].every_ms:g} ms. So hardly any can be late: correct every_ms of the exchange."
            )
