"""SQL statements per request: contenders against exchanges, and what a reader must know of the counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.model import SAME_AGAIN, Exchange
from bench.records import Queries, Run
from bench.report.wording import NOTHING

BY_POSTGRESQL = "by PostgreSQL itself (pg_stat_statements)"
ON_OTHERS = "transaction statements included, on servers that were not timed."


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTable:
    """Counts by contender and exchange; those of which no statement was seen, and controls, are not in it."""

    exchanges: tuple[str, ...]
    counts: dict[str, tuple[Queries | None, ...]]  # contender → one per exchange
    notes: tuple[str, ...]
    how: str  # who counted


def statement_table(run: Run) -> StatementTable:
    """Return what was counted for *run*, in the plan's order."""
    every = [queries for queries in run.queries if not queries.contender.endswith(SAME_AGAIN)]
    shown = [queries for queries in every if queries.counted_by and not queries.unseen]
    uncounted = {queries.contender: queries.why for queries in every if not queries.counted_by}
    counted = {(queries.contender, queries.exchange): queries for queries in shown}
    asked = {exchange.name: exchange for scenario in run.scenarios for exchange in scenario.exchanges}
    exchanges = tuple(name for name in asked if any(name == exchange for _, exchange in counted))
    contenders = dict.fromkeys(queries.contender for queries in shown)
    return StatementTable(
        exchanges=exchanges,
        counts={name: tuple(counted.get((name, asked)) for asked in exchanges) for name in contenders},
        notes=(
            *(f"{name}: not counted: {why}." for name, why in uncounted.items()),
            *(note for queries in shown for note in _notes(queries, asked.get(queries.exchange))),
        ),
        how=f"Counted {' or '.join(_ways(shown))}, {ON_OTHERS}",
    )


def _ways(shown: Sequence[Queries]) -> Iterator[str]:
    drivers = dict.fromkeys(driver for queries in shown for driver in queries.drivers)
    if not drivers or any(queries.counted_by == "PostgreSQL" for queries in shown):
        yield BY_POSTGRESQL
    if drivers:
        yield f"in the server as its driver runs them ({', '.join(drivers)})"


def per_request(count: float | None) -> str:
    """Return a count: a whole number where it is one for every request."""
    if count is None:
        return NOTHING
    return f"{count:.0f}" if count.is_integer() else f"{count:.2f}"


def _notes(queries: Queries, exchange: Exchange | None) -> Iterator[str]:
    who, count = f"{queries.contender}, {queries.exchange}", queries.per_request
    if queries.failed:
        yield f"{who}: no count, as {queries.failed:,} requests failed meanwhile."
    elif count is None:
        yield f"{who}: no count, as no request was answered in time."
    elif exchange and exchange.expect.items and count > exchange.expect.items:
        items = exchange.expect.items
        yield f"{who}: {per_request(count)} statements for a list of {items}: one for each of its items?"
