"""`GET /events`: server-sent events at a given pace."""

import json
from functools import partial
from itertools import repeat

import pytest
from contract import Api, at_once, differs
from test_list_users import NOT_DECIMAL_DIGITS

pytestmark = pytest.mark.events

COUNTS = {
    "": 20,
    "?n=1": 1,
    "?n=1&every_ms=100": 1,
    "?n=2&every_ms=1": 2,
    "?n=100&every_ms=0": 100,
    "?every_ms=5&n=7&x=": 7,
    "?n=x&n=3": 3,  # the last one wins
}
TOGETHER = 8
SPREAD_MS = 400  # between the first event and the last, in the check of when they come
ATTEMPTS = 3  # a busy machine is not a wrong answer


def expected(number: int) -> str:
    return f'id: {number}\ndata: {{"n": {number}}}'


def fields(event: str) -> list[tuple[str, str]]:
    """Return the fields of an event in one order, the JSON of its data in one form."""
    pairs = [line.partition(":") for line in event.split("\n")]
    values = [(name, text.removeprefix(" ")) for name, _, text in pairs]
    return sorted((name, same(text) if name == "data" else text) for name, text in values)


def same(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text


def expect_counted(api: Api, query: str, count: int) -> None:
    came = [text for text, _ in api.events(f"/events{query}")]
    for number, got in enumerate(came[:count], start=1):
        if fields(got) != fields(expected(number)):
            differs(f"GET /events{query}", f"{expected(number)!r} as event {number}", repr(got))
    if len(came) != count:
        differs(f"GET /events{query}", f"an end after {count} events", f"{len(came)} events")


@pytest.mark.parametrize("query", COUNTS)
def test_each_event_comes_once_in_order_until_the_end(api: Api, query: str):
    expect_counted(api, query, COUNTS[query])


def test_an_event_comes_when_it_is_due_and_not_with_the_last(api: Api):
    query = f"?n=5&every_ms={SPREAD_MS // 4}"
    spreads_ms = []
    for _ in repeat(None, ATTEMPTS):
        times = [ms for _, ms in api.events(f"/events{query}")]
        spreads_ms.append(times[-1] - times[0] if times else 0.0)
        if spreads_ms[-1] >= SPREAD_MS / 2:
            return
    best = f"{max(spreads_ms):.0f} ms"
    differs(f"GET /events{query}", f"{SPREAD_MS} ms from the first event to the last", best)


def test_of_many_streams_each_has_its_own_events(api: Api):
    counts = range(1, TOGETHER + 1)
    at_once(partial(expect_counted, api, f"?n={count}&every_ms=10", count) for count in counts)


@pytest.mark.parametrize("n", [*NOT_DECIMAL_DIGITS, "0", "101", "1000000", str(2**63), "9" * 400])
def test_a_number_out_of_1_to_100_is_422(api: Api, n: str):
    api.get(f"/events?n={n}").expect(422)


@pytest.mark.parametrize("ms", [*NOT_DECIMAL_DIGITS, "101", "1000000", str(2**63), "9" * 400])
def test_a_pace_out_of_0_to_100_is_422(api: Api, ms: str):
    api.get(f"/events?every_ms={ms}").expect(422)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_405(api: Api, method: str):
    api.send(method, "/events").expect(405)


@pytest.mark.parametrize("path", ["/events/", "/events/5", "/Events"])
def test_a_path_beside_it_is_404_and_never_a_redirect(api: Api, path: str):
    api.get(path).expect(404)
