"""SQL statements per request: contenders against exchanges, and what a reader must know of the counts."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.model import SAME_AGAIN, Exchange
from bench.records import Queries, Run
from bench.report.wording import NOTHING

COUNTED = (
    "Counted by PostgreSQL itself (pg_stat_statements), transaction statements included, on servers that "
    "were not timed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTable:
    """Counts by contender and exchange; contenders without a database, and controls, are not in it."""

    exchanges: tuple[str, ...]
    counts: dict[str, tuple[Queries | None, ...]]  # contender → one per exchange
    notes: tuple[str, ...]


def statement_table(run: Run) -> StatementTable:
    """Return what the database counted for *run*, in the plan's order."""
    shown = [queries for queries in run.queries if not queries.contender.endswith(SAME_AGAIN)]
    counted = {(queries.contender, queries.exchange): queries for queries in shown}
    asked = {exchange.name: exchange for scenario in run.scenarios for exchange in scenario.exchanges}
    exchanges = tuple(name for name in asked if any(name == exchange for _, exchange in counted))
    contenders = dict.fromkeys(queries.contender for queries in shown)
    return StatementTable(
        exchanges=exchanges,
        counts={name: tuple(counted.get((name, asked)) for asked in exchanges) for name in contenders},
        notes=tuple(note for queries in shown for note in _notes(queries, asked.get(queries.exchange))),
    )


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
