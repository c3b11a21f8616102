"""Values of fields that are queried from the seeded database, before anything is requested.

Every contender has to have the same values: what is requested of one is requested of all.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.model.scenario import Exchange, Scenario
from bench.project.fields import MOST_ROWS
from bench.runtime import Runtime, Server

BEFORE = "this run so far"
SAME = "write fixed values in its schema or in what prepares it"
Values = dict[str, list[Any]]  # query → its values
Found = dict[str, tuple[str, list[Any]]]  # query → whose its values are, and they


class UnusableValues(CannotMeasure):
    """A query of *contender* failed, or its rows are no values to draw, or others than were there before."""

    def __init__(self, contender: str, what: str) -> None:
        super().__init__(what)
        self.contender = contender


def are_queried(scenarios: Sequence[Scenario]) -> bool:
    return any(_queries(scenarios))


def queried(
    wanted: Sequence[tuple[Contender, Sequence[Scenario]]], scenarios: Sequence[Scenario], runtime: Runtime
) -> tuple[Scenario, ...]:
    """Return *scenarios* with the values that each contender's database has for those *wanted* of it.

    Contenders whose servers do not start are left out, which the requests after this report. Raises
    CannotMeasure if no server starts, UnusableValues if values differ.
    """
    found: Found = {
        field["query"]: (BEFORE, field["values"]) for _, field in _queries(scenarios) if "values" in field
    }
    failed: CannotMeasure | None = None
    for contender, own in wanted:
        if not are_queried(own):
            continue
        try:
            with runtime.serve([contender], hash_seed=0, timed=False) as up:
                values = _values_on(up[contender.name], own)
        except UnusableValues:
            runtime.check()  # the cause may be a service that died
            raise
        except CannotMeasure as error:
            failed = error
            runtime.check()
            continue
        _agree(found, contender.name, values)
    if failed and not found:
        raise failed
    return _with_values(scenarios, found)


def queried_on(servers: Iterable[Server], scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Return *scenarios* with values that they lack, of *servers* that run already. Raises UnusableValues."""
    found: Found = {}
    lacking = [one for one in scenarios if any("values" not in field for _, field in _queries([one]))]
    for server in servers:
        serves = server.contender.scenarios
        own = [one for one in lacking if serves is None or one.name in serves]
        _agree(found, server.contender.name, _values_on(server, own))
    return _with_values(scenarios, found)


def _agree(found: Found, name: str, values: Values) -> None:
    """Add *values* of a contender to *found*. Raises UnusableValues if another one has other values."""
    for query, rows in values.items():
        whose, others = found.setdefault(query, (name, rows))
        here, there = Counter(map(repr, rows)), Counter(map(repr, others))
        if here != there:
            one = next(iter((here - there) or (there - here)))
            raise UnusableValues(
                name,
                f"the query {query!r} has other values in the database of {name} than in that of {whose} "
                f"({len(rows):,} and {len(others):,} rows; {one} is not in both): {SAME}",
            )


def _with_values(scenarios: Sequence[Scenario], found: Found) -> tuple[Scenario, ...]:
    return tuple(
        replace(one, exchanges=tuple(_filled(exchange, found) for exchange in one.exchanges))
        for one in scenarios
    )


def _filled(exchange: Exchange, found: Found) -> Exchange:
    fields = {
        name: {**field, "values": found[field["query"]][1]} if field.get("query") in found else field
        for name, field in exchange.fields.items()
    }
    return replace(exchange, fields=fields)


def _queries(scenarios: Sequence[Scenario]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for scenario in scenarios:
        for exchange in scenario.exchanges:
            for name, field in exchange.fields.items():
                if "query" in field:
                    yield f"exchanges.{exchange.name}.fields.{name}", field


def _values_on(server: Server, scenarios: Sequence[Scenario]) -> Values:
    found: Values = {}
    for where, field in _queries(scenarios):
        query: str = field["query"]
        if query in found:
            continue
        try:
            found[query] = [*_values(server.query(query, MOST_ROWS + 1))]
        except CannotMeasure as error:
            name = server.contender.name
            raise UnusableValues(name, f"{where}, {name}: {error}") from error
    return found


def _values(rows: Sequence[Sequence[object]]) -> Iterator[Any]:
    if not rows:
        raise CannotMeasure("the query has no rows: there is nothing to draw")
    if len(rows) > MOST_ROWS:
        raise CannotMeasure(f"the query has more than {MOST_ROWS:,} rows: add a LIMIT, with an ORDER BY")
    for row in rows:
        if len(row) != 1:
            raise CannotMeasure(f"the query has {len(row)} columns: select one")
        yield _value(row[0])


def _value(value: object) -> Any:
    match value:
        case Decimal() if value.is_finite():
            return int(value) if value == value.to_integral_value() else float(value)
        case UUID():
            return str(value)
        case date():  # a datetime is one
            return value.isoformat()
        case float() if not math.isfinite(value):
            pass
        case str() | int() | float():
            return value
    shown = "NULL" if value is None else repr(value)
    raise CannotMeasure(f"the query has {shown} in a row, which cannot be drawn: leave it out, or cast it")
