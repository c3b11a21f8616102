"""Requests one at a time: the same in every window, and no wrong answer passes."""

from collections import Counter

import pytest

from bench.load.mix import Mix
from bench.load.serial import Serial, WrongAnswer
from bench.model.scenario import Exchange, Expect, Scenario
from tests.support.servers import GOOD, HELLO_SCENARIO, always, server


def mixed(**weights):
    exchanges = tuple(Exchange(name=name, method="GET", path=f"/{name}") for name in weights)
    return Scenario(name="mixed", exchanges=exchanges, weights=tuple(weights.values()))


def dealt(scenario, requests, seed=1):
    return [one.exchange.name for one in Mix(scenario, "127.0.0.1:1").dealt(seed, requests)]


@pytest.mark.parametrize(
    ("weights", "requests", "counts"),
    [
        ({"a": 70, "b": 20, "c": 10}, 60, {"a": 42, "b": 12, "c": 6}),
        ({"a": 1, "b": 1, "c": 1}, 10, {"a": 4, "b": 3, "c": 3}),
        ({"a": 99, "b": 1}, 10, {"a": 10}),
        ({"a": 1, "b": 0}, 5, {"a": 5}),
    ],
)
def test_each_is_dealt_as_often_as_its_weight_says(weights, requests, counts):
    assert Counter(dealt(mixed(**weights), requests)) == counts


def test_the_seed_and_nothing_else_decides_the_order():
    scenario = mixed(a=1, b=1)
    assert dealt(scenario, 40) == dealt(scenario, 40) != dealt(scenario, 40, seed=2)


def test_every_window_has_the_same_requests_in_the_same_order():
    with server(always(GOOD)) as up:
        with Serial(mixed(a=3, b=1), up.address, requests=8, seed=1, limit_s=5) as serial:
            assert [serial.window() for _ in range(3)] == [8, 8, 8]
        lines = [request.split()[1] for request in up.requests]
    assert lines[:8] == lines[8:16] == lines[16:]
    assert Counter(lines[:8]) == {b"/a": 6, b"/b": 2}


def test_what_a_request_needs_is_sent_first_and_counted():
    save = Exchange(name="login", method="POST", path="/login", save={"token": "message"})
    use = Exchange(name="me", method="GET", path="/me/{token}", consumes="token")
    scenario = Scenario(name="both", exchanges=(save, use), weights=(0, 1))
    with server(always(GOOD)) as up:
        with Serial(scenario, up.address, requests=3, seed=1, limit_s=5) as serial:
            assert serial.window() == 6
        assert [request.split()[0] for request in up.requests] == [b"POST", b"GET"] * 3


def test_a_wrong_answer_ends_it_and_names_the_request():
    wrong = Exchange(name="hello", method="GET", path="/", expect=Expect(json={"message": "Bye"}))
    scenario = Scenario(name="hello", exchanges=(wrong,), weights=(1,))
    with (
        server(always(GOOD)) as up,
        Serial(scenario, up.address, requests=3, seed=1, limit_s=5) as serial,
        pytest.raises(WrongAnswer, match=r"^GET /: expected .*Bye"),
    ):
        serial.window()


def test_no_answer_ends_it_too():
    with (
        Serial(HELLO_SCENARIO, ("127.0.0.1", 9), requests=3, seed=1, limit_s=5) as serial,
        pytest.raises(WrongAnswer, match=r"^GET /: no answer: connection refused"),
    ):
        serial.window()
