"""The columns of a panel's table, for the page and for terminals of two widths."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.analysis import Arrivals, Estimate, Latency, Row
from bench.report.panels import Panel
from bench.report.wording import NOTHING, at_least, figure, interval, mebibytes, percent, point

Cell = tuple[str, str]  # what it says, and the detail that stands below or behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading (lines of it on a terminal) and what a row has there."""

    heading: str
    cell: Callable[[Row], Cell]


def page_columns(panel: Panel) -> tuple[Column, ...]:
    """Return everything that is known of the rows of *panel*."""
    return (
        *(_open_page() if panel.is_open else _closed(panel)),
        _estimate("server CPU µs/req", lambda row: row.service_demand_us),
        *([_ratio(panel, f"CPU × {panel.reference}")] if panel.is_open else []),
        _plain("database CPU µs/req", lambda row: point(row.database_us)),
        _plain("client CPU µs/req", lambda row: point(row.client_us)),
        _plain("client's core busy", lambda row: percent(row.utilisation.client_core)),
        _plain("memory MiB", _memory),
        _plain("bound by", lambda row: row.bound_by or NOTHING),
        *_failed(panel),
    )


def terminal_columns(panel: Panel, *, narrow: bool) -> tuple[Column, ...]:
    """Return what fits 80 columns; on a narrow terminal CPU and memory give way."""
    first = _open() if panel.is_open else _closed(panel)
    rest: list[Column] = []
    if not narrow:
        demand = Column(
            heading="CPU\nµs/req\nbound by",
            cell=lambda row: (point(row.service_demand_us), row.bound_by or ""),
        )
        last = _ratio(panel, f"CPU\n× {panel.reference}") if panel.is_open else _plain("MiB", _memory)
        rest = [demand, last]
    return *first, *rest, *_failed(panel)


def _closed(panel: Panel) -> Iterator[Column]:
    yield Column(heading="req/s", cell=_throughput)
    yield _ratio(panel, f"× {panel.reference}")
    yield _latency("p50\nms", lambda latency: latency.p50_ms)
    yield _latency("p99\nms", lambda latency: latency.p99_ms)


def _open() -> Iterator[Column]:
    yield _asked("req/s\ndue", lambda asked: figure(asked.rate_rps))
    yield from _percentiles()
    yield _asked("lag\np99\nms", lambda asked: figure(asked.lag.p99_ms))


def _open_page() -> Iterator[Column]:
    yield _asked("req/s due", lambda asked: figure(asked.rate_rps))
    yield Column(heading="req/s answered", cell=_throughput)
    yield from _percentiles()
    yield _latency("max ms", lambda latency: latency.max_ms)
    yield _asked("service p50 ms", lambda asked: figure(asked.service.p50_ms))
    yield _asked("service p99 ms", lambda asked: figure(asked.service.p99_ms))
    yield _asked("lag p99 ms", lambda asked: figure(asked.lag.p99_ms))
    yield _asked("queued", lambda asked: f"{asked.queued:,}")
    yield _plain("no answer", lambda row: f"{row.unfinished:,}")


def _percentiles() -> Iterator[Column]:
    yield _latency("p50\nms", lambda latency: latency.p50_ms)
    yield _latency("p90\nms", lambda latency: latency.p90_ms)
    yield _latency("p99\nms", lambda latency: latency.p99_ms)
    yield _latency("p99.9\nms", lambda latency: latency.p99_9_ms)


def _throughput(row: Row) -> Cell:
    if row.client_limit:
        return at_least(row.throughput_rps), ""
    return point(row.throughput_rps), interval(row.throughput_rps)


def _latency(heading: str, told: Callable[[Latency], float | None]) -> Column:
    def text(row: Row) -> str:
        value = told(row.latency)
        # What the client was late with is in it.
        return f"{'≤ ' * bool(row.client_limit and row.arrivals and value)}{figure(value)}"

    return _plain(heading, text)


def _ratio(panel: Panel, heading: str) -> Column:
    def cell(row: Row) -> Cell:
        ratio = panel.ratio_of(row)
        return point(ratio, of_ratio=True), interval(ratio, of_ratio=True)

    return Column(heading=heading, cell=cell)


def _estimate(heading: str, told: Callable[[Row], Estimate | None]) -> Column:
    return Column(heading=heading, cell=lambda row: (point(told(row)), interval(told(row))))


def _asked(heading: str, told: Callable[[Arrivals], str]) -> Column:
    return _plain(heading, lambda row: told(row.arrivals) if row.arrivals else NOTHING)


def _plain(heading: str, told: Callable[[Row], str]) -> Column:
    return Column(heading=heading, cell=lambda row: (told(row), ""))


def _memory(row: Row) -> str:
    return mebibytes(row.memory_peak_bytes)


def _failed(panel: Panel) -> tuple[Column, ...]:
    return (_plain("failed", lambda row: f"{row.failed:,}"),) if panel.any_failed else ()
