"""The load generator against servers that misbehave, each in its own way."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from bench.errors import CannotMeasure
from bench.load.driver import LocustLoad
from bench.load.null.server import null_server
from bench.load.receipts import SO_TIMESTAMPNS
from bench.loads import Closed
from bench.model.cell import Cell, Slice
from bench.model.scenario import Exchange, Expect, Scenario
from tests.support.servers import CLOSING, GOOD, HELLO, HELLO_SCENARIO, Talk, always, server


def step(
    target: str = "t", scenario: str = "hello", *, connections: int = 2, seed: int = 1, window_s: float = 0.1
) -> Slice:
    load = Closed(connections=connections)
    cell = Cell(contender=target, scenario=scenario, load=load)
    return Slice(cell=cell, role="measure", round=1, sweep=1, seed=seed, lead_in_s=0.05, window_s=window_s)


WINDOWS_S = (0.1, 1.0, 10.0)  # a busy machine needs a longer one for the same requests
SOME = 6  # requests that are enough to show how they are taken


def sample_of_some(load: LocustLoad, behave: Callable[[Talk], None]):
    """Run slices against *behave* until one has some requests; return its sample and what the server saw."""
    for window_s in WINDOWS_S:
        sample, target = sample_of(load, behave, window_s=window_s)
        if sample.slice_requests >= SOME:
            break
    return sample, target


def sample_of(load: LocustLoad, behave: Callable[[Talk], None], scenario: Scenario = HELLO_SCENARIO, **more):
    """Run one slice against *behave*; return the sample and what the server saw."""
    with server(behave) as target:
        load.prepare({"t": target.address}, [scenario])
        load.begin(step(scenario=scenario.name, **more))
        sample = load.finish()
        load.prepare({}, [])  # so that all connections are closed before the server is
        return sample, target


def refused_by_nobody(load: LocustLoad, connections: int):
    """Run a slice against a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    load.prepare({"t": address}, [HELLO_SCENARIO])
    load.begin(step(connections=connections))
    return load.finish()


HEADS = Scenario(
    name="heads",
    exchanges=(Exchange(name="head", method="HEAD", path="/"), Exchange(name="get", method="GET", path="/")),
    weights=(1, 1),
)


def of_either_method(talk: Talk) -> None:
    """Answer GET with a body, and HEAD with its head alone."""
    while request := talk.request():
        talk.send(GOOD.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.startswith(b"HEAD") else GOOD)


def test_an_answer_to_head_ends_with_its_head_whatever_length_it_names(load):
    sample, target = sample_of(load, of_either_method, HEADS, window_s=0.3)
    assert {request.split()[0] for request in target.requests} == {b"HEAD", b"GET"}
    assert (sample.failed, sample.connects, sample.examples) == (0, 2, ())


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%X;x=y\r\n%b\r\n0\r\nX: y\r\n\r\n"
    % (
        HELLO[:5],
        len(HELLO) - 5,
        HELLO[5:],
    )
)


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(always(GOOD), id="whole"),
        pytest.param(always(*(GOOD[at : at + 1] for at in range(len(GOOD)))), id="byte by byte"),
        pytest.param(always(CHUNKED), id="chunked"),
        pytest.param(always(CHUNKED[:50], CHUNKED[50:70], CHUNKED[70:]), id="chunked and split"),
    ],
)
def test_right_answers_are_verified_however_they_arrive(load, behave):
    sample, target = sample_of_some(load, behave)
    assert sample.slice_requests >= SOME
    assert (sample.failed, sample.connects, sample.examples) == (0, 2, ())
    assert len(target.requests) == sample.slice_requests + sample.unfinished
    assert sample.latency.max_ns < 2e9
    assert sample.client_cpu_s > 0


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(always(CLOSING, then="close"), id="Connection: close"),
        pytest.param(always(GOOD.replace(b"1.1", b"1.0", 1), then="close"), id="HTTP/1.0 with a length"),
        pytest.param(always(b"HTTP/1.0 200 OK\r\n\r\n", HELLO, then="close"), id="HTTP/1.0 until it closes"),
        pytest.param(always(b"HTTP/1.1 200 OK\r\n\r\n", HELLO, then="close"), id="HTTP/1.1 until it closes"),
    ],
)
def test_a_server_that_closes_after_each_answer_is_connected_to_again_each_time(load, behave):
    sample, target = sample_of_some(load, behave)
    assert sample.slice_requests >= SOME
    assert sample.failed == 0
    assert sample.connects >= sample.slice_requests
    assert len(target.requests) == sample.slice_requests + sample.unfinished


@pytest.mark.parametrize(
    ("behave", "kind", "said"),
    [
        (always(GOOD.replace(b"200", b"500")), "status 500", "GET /: expected status 200, got 500 {"),
        (
            always(GOOD.replace(b"World", b"Wurst")),
            "body",
            'GET /: expected {"message": "Hello, World!"}, got {',
        ),
        (always(GOOD.replace(b"{", b"[")), "body", "GET /: expected {"),
        (always(GOOD + b"HTTP"), "framing", "GET /: malformed 4 bytes after its end"),
        (always(b"SSH-2.0\r\n"), "framing", "GET /: malformed head 'SSH-2.0"),
        (always(GOOD[:-3], then="close"), "closed", "GET /: connection closed after"),
        (always(b"", then="close"), "closed", "GET /: connection closed after 0 bytes"),
        (always(GOOD[:-3], then="reset"), "reset", "GET /: "),
    ],
    ids=["status", "body", "not JSON", "extra bytes", "not HTTP", "cut short", "no answer", "reset"],
)
def test_each_wrong_answer_is_a_failure_of_its_kind_with_an_example(load, behave, kind, said):
    sample, target = sample_of_some(load, behave)
    assert sample.requests == 0
    assert sample.failures.keys() == {kind}
    assert 0 < len(sample.examples) <= 5
    assert sample.examples[0].startswith(said)
    assert "\n" not in "".join(sample.examples)
    assert len(target.requests) == sample.slice_requests + sample.unfinished


def slow(talk: Talk) -> None:
    while talk.request():
        time.sleep(0.03)
        talk.send(GOOD)


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(always(GOOD), id="right"),
        pytest.param(slow, id="slow"),
        pytest.param(always(GOOD[:20], GOOD[20:]), id="in pieces"),
        pytest.param(always(CLOSING, then="close"), id="closes"),
        pytest.param(always(GOOD, then="close"), id="closes without a word"),
        pytest.param(always(GOOD.replace(b"200", b"500")), id="wrong"),
        pytest.param(always(GOOD + b"HTTP"), id="malformed"),
        pytest.param(always(GOOD[:-3], then="reset"), id="resets"),
        pytest.param(lambda talk: talk.request() and talk.request(), id="no answer"),
    ],
)
@pytest.mark.parametrize("connections", [1, 5])
def test_what_connections_did_adds_up_to_the_window_times_their_number(impatient, behave, connections):
    sample, _ = sample_of(impatient, behave, connections=connections, window_s=0.25)
    assert sample.occupied_s == pytest.approx(connections * 0.25, rel=1e-6)


def test_connections_that_are_refused_are_occupied_too(load):
    sample = refused_by_nobody(load, connections=3)
    assert sample.occupied_s == pytest.approx(3 * sample.window_s, rel=1e-6)


def test_failures_beside_right_answers_are_counted_one_by_one(load):
    numbers = count()

    def behave(talk: Talk) -> None:
        while talk.request():
            talk.send(GOOD if next(numbers) % 10 else GOOD.replace(b"200", b"503"))

    sample, target = sample_of(load, behave, connections=1)
    assert sample.failed == pytest.approx(sample.requests / 9, abs=2)
    assert len(target.requests) == sample.slice_requests + sample.unfinished
    assert sample.locust_requests == sample.slice_requests


def test_a_refused_connection_is_a_failure_and_is_not_hammered(load):
    sample = refused_by_nobody(load, connections=2)
    assert sample.failures.keys() == {"refused"}
    assert 2 <= sample.failed <= 2 * 0.1 / 0.02 + 4
    assert sample.examples[0] == "connect: Connection refused"


def test_no_answer_in_time_is_a_failure_and_the_connection_is_given_up(impatient):
    sample, target = sample_of(impatient, lambda talk: talk.request() and talk.request(), window_s=0.5)
    assert sample.requests == 0
    assert sample.failures["timeout"] in (2, 4)
    assert sample.examples[0] == "GET /: nothing came for 0.2 s"
    assert sample.connects >= 4
    assert len(target.requests) == sample.slice_requests + sample.unfinished


def test_what_is_in_flight_when_the_window_closes_is_unfinished_and_not_counted(load):
    def behave(talk: Talk) -> None:
        while talk.request():
            time.sleep(0.15)
            talk.send(GOOD)

    with server(behave) as target:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        load.begin(step(connections=3))
        first = load.finish()
        assert (first.requests, first.unfinished, first.failed, len(target.requests)) == (0, 3, 0, 3)
        load.begin(step(connections=3))
        assert load.finish().connects == 0  # drained, and so still usable
        load.prepare({}, [])


def test_an_answer_too_late_even_for_draining_costs_its_connection(impatient):
    with server(lambda talk: talk.request() and time.sleep(1) and talk.send(GOOD)) as target:
        impatient.prepare({"t": target.address}, [HELLO_SCENARIO])
        for _ in range(2):
            impatient.begin(step(connections=1))
            sample = impatient.finish()
            assert (sample.connects, sample.unfinished) == (1, 1)
        impatient.prepare({}, [])


def test_connections_are_kept_between_slices_unless_the_server_has_closed_them(load):
    with server(always(GOOD)) as target:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        load.begin(step(connections=2))
        assert load.finish().connects == 2
        load.begin(step(connections=3))
        assert load.finish().connects == 1
        target.talks[0].shutdown(socket.SHUT_RDWR)
        load.begin(step(connections=3))
        after = load.finish()
        assert (after.connects, after.failed) == (1, 0)
        assert after.slice_requests > 0
        load.prepare({}, [])


def test_each_connection_asks_the_same_of_every_target_and_keeps_what_it_has_saved(load):
    crud = Scenario(
        name="crud",
        exchanges=(
            Exchange(name="read", method="GET", path="/{n}", fields={"n": {"integer": [1, 999]}}),
            Exchange(
                name="create",
                method="POST",
                path="/",
                body={"name": "{name}"},
                fields={"name": {"letters": 4}},
                expect=Expect(json={"name": "{name}"}),
                save={"created": "id"},
            ),
            Exchange(name="delete", method="DELETE", path="/{created}", consumes="created"),
        ),
        weights=(2, 1, 1),
    )

    def behave(talk: Talk, pause_s: float = 0.0) -> None:
        ids = count(1_000_000)
        while talk.request():
            time.sleep(pause_s)
            sent = talk._requests[-1].partition(b"HTTP/1.1 ")[2] or b"{}"
            body = json.dumps({"id": next(ids), **json.loads(sent)}).encode()
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    with server(behave) as one, server(lambda talk: behave(talk, 0.002)) as other:
        load.prepare({"one": one.address, "other": other.address}, [crud])
        asked = {}
        for target, name, seed in [(one, "one", 7), (other, "other", 7), (one, "one", 8)]:
            for window_s in WINDOWS_S:
                target.requests.clear()
                load.begin(step(name, "crud", connections=1, seed=seed, window_s=window_s))
                sample = load.finish()
                assert (sample.failed, sample.examples) == (0, ())
                if len(target.requests) >= 20:
                    break
            asked[name, seed] = [line.split(b" HTTP/1.1")[0] for line in target.requests][:20]
        load.prepare({}, [])
    kinds = {line.split()[0] for line in asked["one", 7]}
    assert kinds == {b"GET", b"POST", b"DELETE"}
    shared = min(len(asked["one", 7]), len(asked["other", 7]))
    assert shared >= 10
    assert [line.split()[0] for line in asked["one", 7][:shared]] == [
        line.split()[0] for line in asked["other", 7][:shared]
    ]
    assert asked["one", 7] != asked["one", 8]


def test_a_body_larger_than_the_kernel_takes_at_once_is_sent_whole(load):
    body = "x" * 12_000_000
    exchange = Exchange(name="big", method="POST", path="/", body=body)
    sample, target = sample_of(
        load,
        always(GOOD),
        Scenario(name="big", exchanges=(exchange,), weights=(1,)),
        connections=1,
        window_s=0.5,
    )
    assert sample.failed == 0
    assert sample.slice_requests > 0
    assert all(request.endswith(f'"{body}"'.encode()) for request in target.requests[: sample.slice_requests])


def test_the_counted_window_is_the_one_that_was_promised(load):
    moments = []

    def behave(talk: Talk) -> None:
        while talk.request():
            talk.send(GOOD)
            moments.append(time.perf_counter_ns())

    with server(behave) as target:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        now = time.perf_counter_ns()
        open_ns, close_ns = load.begin(step(connections=1))
        sample = load.finish()
        load.prepare({}, [])
    assert open_ns - now >= 0.05e9
    assert close_ns - open_ns == 0.1e9
    assert sample.window_s == 0.1
    # The server's clock is read a little after its answer has left, hence the two at either end.
    assert sample.requests == pytest.approx(sum(open_ns <= at < close_ns for at in moments), abs=2)


def test_a_request_that_cannot_be_made_cannot_be_measured(load):
    with pytest.raises(CannotMeasure, match="neither one of its fields nor saved"):
        load.prepare(
            {"t": ("127.0.0.1", 1)},
            [Scenario(name="x", exchanges=(Exchange(name="x", method="GET", path="/{id}"),), weights=(1,))],
        )


def test_against_the_null_server_every_answer_counts():
    cores = sorted(os.sched_getaffinity(0))[:1] if hasattr(os, "sched_getaffinity") else []
    with null_server(HELLO_SCENARIO, 200, cores=cores) as null, LocustLoad(cores=cores) as load:
        load.prepare({"t": null.address}, [HELLO_SCENARIO])
        load.begin(step(connections=8))
        sample = load.finish()
    assert sample.requests > 0
    assert sample.failed == 0
    assert sample.received_bytes == 200 * sample.requests
    assert sample.locust_requests == sample.slice_requests
    assert sample.slice_requests > sample.requests


@pytest.mark.skipif(SO_TIMESTAMPNS is None, reason="the kernel dates nothing")
def test_the_kernel_dates_some_answers_where_they_come_slowly(load):
    def slowly(talk: Talk) -> None:
        while talk.request():
            time.sleep(0.02)
            talk.send(GOOD)

    with server(slowly) as target:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        found = []
        for _ in range(2):
            load.begin(step(connections=8, window_s=0.5))
            found.append(load.finish())
        load.prepare({}, [])
    first, second = found
    assert first.wake is None  # how fast answers come was unknown
    assert 0 < second.wake.count < second.requests
    assert second.wake.percentile_ms(100) <= second.latency.percentile_ms(100)


def test_a_child_that_died_is_told_in_one_line():
    with LocustLoad() as load:
        load.prepare({}, [])
        os.kill(load.pid, signal.SIGKILL)
        with pytest.raises(CannotMeasure, match="the load generator has ended"):
            load.prepare({}, [])


def test_no_child_is_left_behind_after_the_context_even_in_the_middle_of_a_slice():
    with server(always(GOOD)) as target, LocustLoad() as load:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        load.begin(step(window_s=30))
        pid = load.pid
        load.__exit__(None, None, None)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_child_ends_with_its_parent_even_in_the_middle_of_a_slice():
    program = """
import os, sys
from bench.load.driver import LocustLoad
from bench.load.null.server import null_server
from bench.load.receipts import SO_TIMESTAMPNS
sys.path.insert(0, sys.argv[1])
from tests.load.test_engine import HELLO_SCENARIO, step
with null_server(HELLO_SCENARIO) as null, LocustLoad() as load:
    load.prepare({"t": null.address}, [HELLO_SCENARIO])
    load.begin(step(window_s=30))
    print(load.pid, flush=True)
    os.kill(os.getpid(), 9)
"""
    parent = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parents[2])], stdout=subprocess.PIPE, text=True
    )
    pid = int(parent.stdout)
    deadline = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False
