"""Fields whose values are queried from the database of each contender, before anything is requested."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.load.mix import Mix
from bench.model.scenario import Exchange, Scenario
from bench.project.fields import MOST_ROWS
from bench.run.field_queries import are_queried, queried, queried_on
from tests.support.fakes import FakeRuntime, FakeServer
from tests.support.synthetic import contender

IDS = "SELECT id FROM notes ORDER BY id"
NOTE = Exchange(name="note", method="GET", path="/notes/{id}", fields={"id": {"query": IDS}})
HELLO = Exchange(name="hello", method="GET", path="/")
NOTES = Scenario(name="notes", exchanges=(NOTE,), weights=(1,))
HELLOS = Scenario(name="hellos", exchanges=(HELLO,), weights=(1,))
SIDES = ("shop@base", "shop@head", "shop@base~aa")


def served(rows, names=SIDES):
    everyone = [replace(contender(name), name=name) for name in names]
    runtime = FakeRuntime([], rows=rows if isinstance(rows, Mapping) else dict.fromkeys(names, rows))
    return [(one, (NOTES, HELLOS)) for one in everyone], runtime


def values_of(scenarios):
    return scenarios[0].exchanges[0].fields["id"]["values"]


def test_every_side_is_queried_once_and_all_are_requested_with_the_same_values():
    wanted, runtime = served(((7,), (9,)))
    found = queried(wanted, (NOTES, HELLOS), runtime)
    assert values_of(found) == [7, 9]
    assert found[1] == HELLOS
    assert [entry for entry in runtime.diary if entry.startswith("query")] == [
        f"query {one}" for one in SIDES
    ]
    assert requests_of(found[0]) == {"GET /notes/7", "GET /notes/9"}


def requests_of(scenario):
    requests = Mix(scenario, "host").requests(0, 0, {})
    return {next(requests).line for _ in range(40)}


def test_another_order_is_the_same_and_other_values_are_refused():
    same, runtime = served(
        {"shop@base": ((1,), (2,)), "shop@head": ((2,), (1,)), "shop@base~aa": ((1,), (2,))}
    )
    assert values_of(queried(same, (NOTES,), runtime)) == [1, 2]
    other, runtime = served(
        {"shop@base": ((1,), (2,)), "shop@head": ((1,), (3,)), "shop@base~aa": ((1,), (2,))}
    )
    words = (
        r"'SELECT id.*' has other values in the database of shop@head than in that of shop@base .*3 is not"
    )
    with pytest.raises(CannotMeasure, match=words):
        queried(other, (NOTES,), runtime)


def test_a_server_that_does_not_start_is_left_to_the_requests_that_follow():
    wanted, runtime = served(((1,),))
    runtime.down = frozenset({"shop@head"})
    assert values_of(queried(wanted, (NOTES,), runtime)) == [1]
    runtime.down = frozenset(SIDES)
    with pytest.raises(CannotMeasure, match="ended before it was ready"):
        queried(wanted, (NOTES,), runtime)


def test_a_run_taken_up_again_has_to_find_the_same_values():
    wanted, runtime = served(((1,), (2,)))
    kept = queried(wanted, (NOTES,), runtime)
    assert queried([(one, kept) for one, _ in wanted], kept, runtime) == kept
    wanted, runtime = served(((1,), (4,)))
    with pytest.raises(CannotMeasure, match="than in that of this run so far"):
        queried([(one, kept) for one, _ in wanted], kept, runtime)


@pytest.mark.parametrize(
    ("value", "drawn"),
    [
        ("a b", "a b"),
        (True, True),
        (2.5, 2.5),
        (Decimal("12"), 12),
        (Decimal("1.5"), 1.5),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (date(2026, 11, 2), "2026-11-02"),
    ],
)
def test_values_are_those_that_a_request_can_send(value, drawn):
    (found,) = queried_on([FakeServer(contender("shop"), [], rows=((value,),))], (NOTES,))
    (kept,) = found.exchanges[0].fields["id"]["values"]
    assert (kept, type(kept)) == (drawn, type(drawn))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((), "the query has no rows"),
        (((1, 2),), "the query has 2 columns: select one"),
        (((None,),), "the query has NULL in a row"),
        (((float("nan"),),), "the query has nan in a row"),
        (((b"x",),), "the query has b'x' in a row"),
        (((1,),) * (MOST_ROWS + 5), "more than 10,000 rows: add a LIMIT"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_place(rows, words):
    with pytest.raises(CannotMeasure, match=rf"exchanges.note.fields.id, shop: .*{words}"):
        queried_on([FakeServer(contender("shop"), [], rows=rows)], (NOTES,))
    wanted, runtime = served(rows)
    with pytest.raises(CannotMeasure, match=rf"exchanges.note.fields.id, shop@base: .*{words}"):
        queried(wanted, (NOTES,), runtime)


def test_servers_that_run_already_have_to_agree_and_known_values_are_not_queried_again():
    one, other = (
        FakeServer(contender(name), [], rows=((n,),)) for name, n in (("flask", 1), ("starlette", 2))
    )
    with pytest.raises(CannotMeasure, match="of starlette than in that of flask"):
        queried_on([one, other], (NOTES,))
    found = queried_on([one], (NOTES,))
    assert queried_on([other], found) == found
    assert other.diary == ["query starlette"]


def test_without_a_query_nothing_is_done_and_without_values_nothing_is_sent():
    assert not are_queried((HELLOS,))
    with pytest.raises(UsageError, match="exchange note, field id: its values are those of a query"):
        next(Mix(NOTES, "host").requests(0, 0, {}))
