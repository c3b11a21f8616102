"""The columns of a panel's table, for the pages and for terminals of two widths."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from bench.analysis.measures import Latency
from bench.analysis.rows import Arrivals, Row
from bench.analysis.statistics import Estimate
from bench.report.panels import Panel
from bench.report.wording import NOTHING, at_least, figure, interval, mebibytes, percent, point, scaled

Cell = tuple[str, str]  # what it says, and the detail that stands below or behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading (lines of it on a terminal) and what a row has there."""

    heading: str
    cell: Callable[[Row], Cell]
    term: str = ""  # the glossary's word for it


def page_columns(panel: Panel) -> tuple[Column, ...]:
    """Return everything that is known of the rows of *panel*."""
    return (
        *(_open_page() if panel.is_open else _closed(panel)),
        _estimate("server CPU µs/req", lambda row: row.service_demand_us, "service demand"),
        *([_ratio(panel, f"CPU × {panel.reference}")] if panel.is_open else []),
        _plain("database CPU µs/req", lambda row: point(row.database_us)),
        _plain("client CPU µs/req", lambda row: point(row.client_us)),
        _plain("client's core busy", lambda row: percent(row.utilisation.client_core), "utilisation"),
        _plain("memory MiB", _memory),
        _plain("bound by", lambda row: row.bound_by or NOTHING, "bound by"),
        *_failed(panel),
    )


def overview_columns(
    panel: Panel, at_rate: Mapping[str, Row], workers: Mapping[str, int]
) -> tuple[Column, ...]:
    """Return what an architect pays for, of the rows of a closed *panel*.

    By contender, *at_rate*: rows of the same scenario at one rate for all; *workers*: its processes.
    """
    times = _ratio(panel, f"× {panel.reference}")
    p99 = _latency("p99 ms", lambda latency: latency.p99_ms)

    def ratio(row: Row) -> Cell:
        main, detail = times.cell(row)
        return main, f"tie, {detail}" if panel.is_tie(row.cell.contender) else detail

    def latency(row: Row) -> Cell:
        asked = at_rate.get(row.cell.contender)
        if asked is None or asked.arrivals is None:
            return p99.cell(row)[0], "at saturation"
        return p99.cell(asked)[0], f"at {figure(asked.arrivals.rate_rps)}/s"

    def memory(row: Row) -> str:
        size = row.memory_peak_bytes
        return mebibytes(None if size is None else size // workers[row.cell.contender])

    return (
        Column(heading="req/s", cell=_throughput, term="throughput"),
        replace(times, cell=ratio),
        replace(p99, cell=latency),
        _cores("app", lambda row: row.service_demand_us),
        _cores("database", lambda row: row.database_us),
        _plain("MiB per worker", memory),
    )


def quoted_columns(panel: Panel) -> tuple[Column, ...]:
    """Return the few that a README has room for."""
    return (
        Column(heading="req/s", cell=_throughput),
        _ratio(panel, f"× {panel.reference}"),
        _latency("p99 ms", lambda latency: latency.p99_ms),
        _estimate("CPU µs/req", lambda row: row.service_demand_us),
        _plain("MiB", _memory),
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
    yield Column(heading="req/s", cell=_throughput, term="throughput")
    yield _ratio(panel, f"× {panel.reference}")
    yield _latency("p50\nms", lambda latency: latency.p50_ms)
    yield _latency("p99\nms", lambda latency: latency.p99_ms)


def _open() -> Iterator[Column]:
    yield _asked("req/s\ndue", lambda asked: figure(asked.rate_rps))
    yield from _percentiles()
    yield _asked("lag\np99\nms", lambda asked: figure(asked.lag.p99_ms))


def _open_page() -> Iterator[Column]:
    yield _asked("req/s due", lambda asked: figure(asked.rate_rps))
    yield Column(heading="req/s answered", cell=_throughput, term="throughput")
    yield from _percentiles()
    yield _latency("max ms", lambda latency: latency.max_ms)
    yield _asked("service p50 ms", lambda asked: figure(asked.service.p50_ms), "service time")
    yield _asked("service p99 ms", lambda asked: figure(asked.service.p99_ms), "service time")
    yield _asked("lag p99 ms", lambda asked: figure(asked.lag.p99_ms), "lag")
    yield _asked("queued", lambda asked: f"{asked.queued:,}", "queued")
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

    return _plain(heading, text, "latency")


def _ratio(panel: Panel, heading: str) -> Column:
    def cell(row: Row) -> Cell:
        ratio = panel.ratio_of(row)
        return point(ratio, of_ratio=True), interval(ratio, of_ratio=True)

    return Column(heading=heading, cell=cell, term="reference")


def _estimate(heading: str, told: Callable[[Row], Estimate | None], term: str = "") -> Column:
    return Column(heading=heading, cell=lambda row: (point(told(row)), interval(told(row))), term=term)


def _cores(whose: str, told: Callable[[Row], Estimate | None]) -> Column:
    """Return the cores that 1,000 requests per second keep busy: CPU in µs per request, over 1,000."""

    def cell(row: Row) -> Cell:
        needed = scaled(told(row), 1e-3)
        return point(needed, of_ratio=True), interval(needed, of_ratio=True)  # three decimals count

    return Column(heading=f"{whose} cores per 1,000 req/s", cell=cell, term="service demand")


def _asked(heading: str, told: Callable[[Arrivals], str], term: str = "") -> Column:
    return _plain(heading, lambda row: told(row.arrivals) if row.arrivals else NOTHING, term)


def _plain(heading: str, told: Callable[[Row], str], term: str = "") -> Column:
    return Column(heading=heading, cell=lambda row: (told(row), ""), term=term)


def _memory(row: Row) -> str:
    return mebibytes(row.memory_peak_bytes)


def _failed(panel: Panel) -> tuple[Column, ...]:
    return (_plain("failed", lambda row: f"{row.failed:,}", "failure"),) if panel.any_failed else ()
