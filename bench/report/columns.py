"""Columns of a row's numbers, and how each is written."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.analysis.measures import Latency, fewest_for
from bench.analysis.rows import Arrivals, Row
from bench.analysis.statistics import Estimate
from bench.loads import Metric
from bench.report.document import Column, TableCell
from bench.report.wording import NOTHING, at_least, figure, measured, mebibytes, point, scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class RowColumn(Column):
    """A column with the function that gives a row's text."""

    cell: Callable[[Row], TableCell]
    metric: Metric | None = None  # its ratio stands beside it, if it is the main metric


def plain(heading: str, text_of: Callable[[Row], str], term: str = "") -> RowColumn:
    return RowColumn(heading=heading, cell=lambda row: TableCell(text_of(row)), term=term)


def throughput(heading: str, term: str = "") -> RowColumn:
    def cell(row: Row) -> TableCell:
        return TableCell(at_least(row.throughput_rps)) if row.client_limit else measured(row.throughput_rps)

    return RowColumn(heading=heading, cell=cell, term=term, metric="throughput_rps")


def service_demand(heading: str, term: str = "") -> RowColumn:
    return RowColumn(
        heading=heading,
        cell=lambda row: measured(row.service_demand_us),
        term=term,
        metric="service_demand_us",
    )


def demand_alone(heading: str) -> RowColumn:
    """Return the column of CPU per request without intervals."""
    return RowColumn(
        heading=heading,
        cell=lambda row: TableCell(point(row.service_demand_us)),
        metric="service_demand_us",
    )


def cores(whose: str, value_of: Callable[[Row], Estimate | None]) -> RowColumn:
    """Return the cores in use at 1,000 requests per second: CPU per request in µs, divided by 1,000."""

    def cell(row: Row) -> TableCell:
        return measured(scaled(value_of(row), 1e-3), of_ratio=True)  # shown with three decimals

    return RowColumn(heading=f"{whose} cores per 1,000 req/s", cell=cell, term="service demand")


def latency(heading: str, value_of: Callable[[Latency], float | None]) -> RowColumn:
    def text(row: Row) -> str:
        value = value_of(row.latency)
        # It includes the client's lag.
        return f"{'≤ ' * bool(row.client_limit and row.arrivals and value)}{figure(value)}"

    return plain(heading, text, "latency")


def percentile(heading: str, percent: float) -> RowColumn:
    """Return a percentile of requests, with its interval over rounds."""
    return RowColumn(heading=heading, cell=lambda row: percentile_cell(row, percent), term="latency")


def percentile_cell(row: Row, percent: float) -> TableCell:
    found = row.percentiles.get(percent)
    if found is None:
        fewest = fewest_for(percent)
        few = row.requests + row.unanswered < fewest
        return TableCell(NOTHING, f"needs {fewest:,} requests" if few else "beyond all answers")
    cell = measured(found)
    # At a rate it includes the client's lag.
    return TableCell(f"≤ {cell.text}", "") if row.client_limit and row.arrivals else cell


def due(heading: str, text_of: Callable[[Arrivals], str], term: str = "") -> RowColumn:
    """Return a column of what is known only of requests that are due at times of their own."""
    return plain(heading, lambda row: text_of(row.arrivals) if row.arrivals else NOTHING, term)


def memory(heading: str) -> RowColumn:
    return plain(heading, lambda row: mebibytes(row.memory_peak_bytes))
