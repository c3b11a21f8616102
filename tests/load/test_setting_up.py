"""What connections need is fetched before a slice, once for as long as the server has it."""

import json
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from bench.load.driver import LocustLoad, Workers
from bench.loads import Closed, Load, Open
from bench.model.cell import Cell, Slice
from bench.model.scenario import Exchange, Expect, Scenario
from tests.support.servers import Talk, server

LOGIN = Exchange(name="login", method="POST", path="/login", save={"token": "user.token"})
ME = Exchange(
    name="me",
    method="GET",
    path="/me",
    headers={"Authorization": "Bearer {token}"},
    expect=Expect(json={"ok": True}),
)
RARELY = Scenario(name="me", exchanges=(ME, LOGIN), weights=(1_000_000, 1))


class Shop:
    """Users log in, which takes a while, and are known by their token until all are forgotten."""

    def __init__(self, login_s: float = 0.0, login_status: int = 200) -> None:
        self.known: set[str] = set()
        self.logins: list[float] = []  # when
        self.wrong = 0  # requests without a token that is known
        self.login_s = login_s
        self.login_status = login_status
        self._numbers = count(1)

    def __call__(self, talk: Talk) -> None:
        while line := talk.request():
            if line.startswith(b"POST /login"):
                time.sleep(self.login_s)
                self.logins.append(time.perf_counter())
                token = f"t{next(self._numbers)}"
                self.known.add(token)
                self._answer(talk, self.login_status, {"user": {"token": token}})
            else:
                token = talk.fields.get("authorization", "").removeprefix("Bearer ")
                self.wrong += token not in self.known
                self._answer(talk, 200 if token in self.known else 401, {"ok": True})

    @staticmethod
    def _answer(talk: Talk, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        talk.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))


def step(load: Load, *, scenario: str = "me", window_s: float = 0.2, seed: int = 1) -> Slice:
    cell = Cell(contender="t", scenario=scenario, load=load)
    rate_rps = load.rate_rps(())
    return Slice(
        cell=cell,
        role="measure",
        round=1,
        sweep=1,
        seed=seed,
        lead_in_s=0.05,
        window_s=window_s,
        rate_rps=rate_rps,
    )


def closed(connections: int, **more) -> Slice:
    return step(Closed(connections=connections), **more)


def opened(connections: int, **more) -> Slice:
    return step(Open(connections=connections, rate=100, arrivals="uniform"), **more)


def carried_out(load: LocustLoad, one: Slice):
    opens_ns, _ = load.begin(one)
    return load.finish(), opens_ns


def test_every_connection_logs_in_once_before_its_first_slice(load):
    shop = Shop(login_s=0.1)
    with server(shop) as target:
        load.prepare({"t": target.address}, [RARELY])
        first, opens_ns = carried_out(load, closed(10))
        again, _ = carried_out(load, closed(10, seed=2))
        more, _ = carried_out(load, closed(12, seed=3))
        load.prepare({}, [])
    assert len(shop.logins) == 12
    assert max(shop.logins[:10]) < opens_ns / 1e9 - 0.04  # before the lead-in, too
    assert (first.setup_requests, again.setup_requests, more.setup_requests) == (10, 0, 2)
    assert first.setup_s > 0.1
    assert again.setup_s == 0.0
    assert first.requests > 0
    assert first.failed == again.failed == more.failed == shop.wrong == 0


def test_an_open_loop_has_what_its_requests_need_and_connections_share_it(load):
    shop = Shop(login_s=0.02)
    with server(shop) as target:
        load.prepare({"t": target.address}, [RARELY])
        first, opens_ns = carried_out(load, opened(200))
        again, _ = carried_out(load, opened(200, seed=2))
        load.prepare({}, [])
    assert len(shop.logins) == first.setup_requests == 32
    assert max(shop.logins) < opens_ns / 1e9
    assert again.setup_requests == 0
    assert first.requests + first.unfinished == first.due
    assert first.failed == again.failed == shop.wrong == 0


def test_load_workers_do_it_each_for_their_own_connections():
    shop = Shop()
    with server(shop) as target, LocustLoad(workers=Workers(count=2)) as load:
        load.prepare({"t": target.address}, [RARELY])
        first, _ = carried_out(load, closed(5))
        again, _ = carried_out(load, closed(5, seed=2))
        load.forget("t")
        shop.known.clear()
        after, _ = carried_out(load, closed(5, seed=3))
    assert [first.setup_requests, again.setup_requests, after.setup_requests] == [5, 0, 5]
    assert first.failed == again.failed == after.failed == shop.wrong == 0


def test_after_data_were_put_back_all_of_it_is_fetched_anew(load):
    shop = Shop()
    with server(shop) as target:
        load.prepare({"t": target.address}, [RARELY])
        carried_out(load, closed(3))
        shop.known.clear()
        load.forget("t")
        after, _ = carried_out(load, closed(3, seed=2))
        load.prepare({}, [])
    assert (after.setup_requests, after.failed, shop.wrong) == (3, 0, 0)


def test_what_turns_out_to_be_no_longer_known_is_fetched_anew_for_the_next_slice(load):
    shop = Shop()
    with server(shop) as target:
        load.prepare({"t": target.address}, [RARELY])
        carried_out(load, closed(2))
        shop.known.clear()  # and nobody says so
        during, _ = carried_out(load, closed(2, seed=2))
        after, _ = carried_out(load, closed(2, seed=3))
        load.prepare({}, [])
    assert (during.setup_requests, during.requests) == (0, 0)
    assert during.failures.keys() == {"status 401"}
    assert (after.setup_requests, after.failed) == (2, 0)


def test_a_server_that_closes_each_connection_can_be_set_up(load):
    class Closing(Shop):
        @staticmethod
        def _answer(talk: Talk, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            head = b"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            talk.send(head + body)

    shop = Closing()
    with server(shop) as target:
        load.prepare({"t": target.address}, [RARELY])
        sample, _ = carried_out(load, closed(4))
        load.prepare({}, [])
    assert (sample.setup_requests, sample.failed) == (4, 0)
    assert sample.requests > 0


def test_a_log_in_that_fails_is_tried_a_few_times_and_then_shows_in_the_slice(load):
    shop = Shop(login_status=503)
    with server(shop) as target:
        load.prepare({"t": target.address}, [RARELY])
        sample, _ = carried_out(load, closed(2))
        load.prepare({}, [])
    assert (sample.setup_requests, sample.setup_failed) == (6, 6)
    assert sample.failures.keys() == {"status 503"}
    assert not sample.broken


def test_the_weight_of_what_saves_still_holds(load):
    even = Scenario(name="even", exchanges=(ME, LOGIN), weights=(1, 1))
    shop = Shop()
    with server(shop) as target:
        load.prepare({"t": target.address}, [even])
        sample, _ = carried_out(load, closed(2, scenario="even"))
        load.prepare({}, [])
    counted = sample.slice_requests + sample.unfinished
    assert len(shop.logins) - sample.setup_requests == pytest.approx(counted / 2, rel=0.4)


def test_a_log_in_that_never_answers_is_waited_for_once_and_then_shows_in_the_slice(impatient):
    shop = Shop(login_s=0.5)
    with server(shop) as target:
        impatient.prepare({"t": target.address}, [RARELY])
        began = time.monotonic()
        sample, _ = carried_out(impatient, closed(2, window_s=0.5))
        assert time.monotonic() - began < 5
        impatient.prepare({}, [])
    assert (sample.setup_requests, sample.setup_failed) == (2, 2)
    assert sample.requests == 0
    assert sample.failures.keys() == {"timeout"}


PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from bench.load.child.connections import Connection
from bench.load.child.setting_up import SettingUp
from bench.load.child.connections import Target
from bench.load.mix import Mix
from tests.support.servers import server
from tests.load.test_setting_up import RARELY, Shop

with server(Shop(login_s=0.2)) as there:
    target = Target(address=there.address)
    connections = target.take(20)
    setting_up = SettingUp(
        target, dict(zip(connections, range(20))), Mix(RARELY, "h"), 1, timeout_s=5.0
    )
    setting_up.run(limit_s=0.3)
    target.close()
print(json.dumps(setting_up.books.broken))
"""


def test_it_is_bounded_in_time_and_says_how_far_it_came():
    root = str(Path(__file__).parents[2])
    broken = json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM, root]))
    assert broken.startswith(
        "setting up took over 0.3 s: 8 of 20 connections have what their requests need: "
    )
