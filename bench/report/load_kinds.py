"""What a report shows of each kind of load: the columns of its tables, its sentences, and its axis."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.analysis.measures import PERCENTS
from bench.analysis.rows import Arrivals, Row
from bench.loads import Closed, Load, Open
from bench.report.columns import RowColumn, due, latency, percentile, plain, throughput
from bench.report.wording import NOTHING, figure
from bench.report.wording import throughput as of_row

# On a terminal, where nothing explains a word.
HALF = latency("half\nin ms", lambda latencies: latencies.p50_ms)
MOST = latency("99 %\nin ms", lambda latencies: latencies.p99_ms)
ANSWERED = (
    latency("half\nin\nms", lambda latencies: latencies.p50_ms),
    latency("90 %\nin\nms", lambda latencies: latencies.p90_ms),
    latency("99 %\nin\nms", lambda latencies: latencies.p99_ms),
    latency("99.9\n% in\nms", lambda latencies: latencies.p99_9_ms),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How one kind of load is shown. Everything that all kinds have in common stands elsewhere."""

    method: str  # how its requests are sent
    latency: Callable[[Any, Sequence[Row]], Iterator[str]]  # what a latency of these rows is
    starts: str  # latency begins when a request is …
    caption: str  # of a chart of latencies
    page: tuple[RowColumn, ...]  # the first columns; ratios, CPU and memory are added
    terminal: tuple[RowColumn, ...]  # the same for 80 characters
    series: tuple[RowColumn, ...]  # of a table over loads; the first one is the level
    axis: str  # the level on a chart over loads
    doubles: bool  # levels double from one load to the next: a log axis


def _us(value_ms: float | None) -> str:
    return figure(None if value_ms is None else value_ms * 1_000)


def _as_drawn(arrivals: Arrivals) -> str:
    """Return whether requests were sent as they were drawn. Nothing where that was not tested."""
    if not arrivals.tested:
        return NOTHING
    return f"bent: {arrivals.bent:,} of {arrivals.tested:,} slices void" if arrivals.bent else "yes"


def _of_closed(load: Closed, rows: Sequence[Row]) -> Iterator[str]:
    yield f"Latency at saturation, {load.connections} in flight: from send to last byte, if verified."
    yield from _read_late(rows)


def _of_open(load: Open, rows: Sequence[Row]) -> Iterator[str]:
    arrivals = "evenly spaced" if load.arrivals == "uniform" else "at random times (Poisson)"
    yield (
        f"Open loop: requests were due {arrivals}, independent of the answers. Latency is from when each was "
        "due to its last byte, if verified. Lag is how late the client sent although a connection was free."
    )
    yield from _as_drawn_or_not([(row.cell.contender, row.arrivals) for row in rows if row.arrivals])
    yield from _read_late(rows)
    found = [one for row in rows for one in row.percentiles.values() if one]
    if any(one.low is None for one in found):
        yield "A percentile has no interval with under six rounds, or if it would end beyond all requests."
    waits = [(row.cell.contender, row.arrivals) for row in rows if row.arrivals and row.arrivals.queued]
    if waits:
        counted = ", ".join(f"{name} {counts.queued:,} of {counts.due:,}" for name, counts in waits)
        yield f"Waited until one of {load.connections} connections was free: {counted}."
    if lost := [f"{row.cell.contender} {row.unfinished:,}" for row in rows if row.unanswered]:
        yield f"Without an answer, so beyond every percentile: {', '.join(lost)}."


def _as_drawn_or_not(rows: Sequence[tuple[str, Arrivals]]) -> Iterator[str]:
    if bent := [f"{name} {_as_drawn(arrivals)}" for name, arrivals in rows if arrivals.bent]:
        yield f"Not all were sent as drawn. {'; '.join(bent)}."
    elif any(arrivals.tested for _, arrivals in rows):
        if any(arrivals.queued for _, arrivals in rows):
            yield "All were taken up as they were drawn. Those that waited for a connection were sent later."
        else:
            yield "All were sent as they were drawn, by a test of the gaps between them."


def _read_late(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the client's own share of the latencies."""
    shares = [
        f"{row.cell.contender} {_us(row.read_late.p50_ms)} and {_us(row.read_late.p99_ms)}"
        for row in rows
        if row.read_late.p50_ms is not None
    ]
    if shares:
        yield f"The client read answers late, which is in latency, by µs (p50 and p99): {', '.join(shares)}."


CLOSED = Shown(
    method="Closed loop: a connection sends its next request when it has its answer.",
    latency=_of_closed,
    starts="send",
    caption=", at saturation · ms from send to last byte",
    page=(throughput("req/s", "throughput"), percentile("p50\nms", 50), percentile("p99\nms", 99)),
    terminal=(throughput("requests\nper second", "throughput"), HALF, MOST),
    series=(
        plain("connections", lambda row: f"{row.cell.load.connections:,}"),
        plain("req/s", lambda row: of_row(row.throughput_rps, row.client_limit)),
        plain("p50 ms", lambda row: figure(row.latency.p50_ms)),
        plain("p99 ms", lambda row: figure(row.latency.p99_ms)),
        plain("bound by", lambda row: row.bound_by or NOTHING),
    ),
    axis="connections",
    doubles=True,
)

OPEN = Shown(
    method=(
        "Open loop: a request is sent when it is due; with no connection free it waits, and that counts."
    ),
    latency=_of_open,
    starts="due",
    caption=", from when each was due to its last byte",
    page=(
        due("req/s due", lambda arrivals: figure(arrivals.rate_rps)),
        throughput("req/s answered", "throughput"),
        *(percentile(f"p{percent:g}\nms", percent) for percent in PERCENTS),
        latency("max ms", lambda latencies: latencies.max_ms),
        due("service p50 ms", lambda arrivals: figure(arrivals.service.p50_ms), "service time"),
        due("service p99 ms", lambda arrivals: figure(arrivals.service.p99_ms), "service time"),
        due("lag p99 ms", lambda arrivals: figure(arrivals.lag.p99_ms), "lag"),
        plain("read late p50 µs", lambda row: _us(row.read_late.p50_ms), "read late"),
        plain("read late p99 µs", lambda row: _us(row.read_late.p99_ms), "read late"),
        due("as drawn", _as_drawn, "as drawn"),
        due("queued", lambda arrivals: f"{arrivals.queued:,}", "queued"),
        plain("no answer", lambda row: f"{row.unfinished:,}"),
    ),
    terminal=(
        due("due\nper s", lambda arrivals: figure(arrivals.rate_rps)),
        *ANSWERED,
        due("99 %\nlag\nms", lambda arrivals: figure(arrivals.lag.p99_ms)),
    ),
    series=(
        plain("req/s due", lambda row: figure(level_of(row))),
        plain("p50 ms", lambda row: figure(row.latency.p50_ms)),
        plain("p99 ms", lambda row: figure(row.latency.p99_ms)),
        plain("p99.9 ms", lambda row: figure(row.latency.p99_9_ms)),
        due("lag p99 ms", lambda arrivals: figure(arrivals.lag.p99_ms)),
        due("queued", lambda arrivals: f"{arrivals.queued:,}"),
        plain("no answer", lambda row: f"{row.unfinished:,}"),
        plain("bound by", lambda row: row.bound_by or NOTHING),
    ),
    axis="requests per second",
    doubles=False,
)

SHOWN: Mapping[type, Shown] = {Closed: CLOSED, Open: OPEN}


def shown(load: Load) -> Shown:
    return SHOWN[type(load)]


def level_of(row: Row) -> float:
    """Return the strength of a row's load: connections, or requests per second."""
    if row.arrivals:
        return row.arrivals.rate_rps or 0.0
    return float(row.cell.load.connections)
