"""The open loop: what is due is due, whatever the server does about it."""

import os
import platform
import signal
import socket
import sys
import time
from math import ceil
from statistics import median
from types import SimpleNamespace

import pytest

from bench.load.arrivals import due_offsets
from bench.load.driver import LocustLoad
from bench.loads import Closed, Open
from bench.model.cell import Cell, Slice
from bench.model.scenario import Exchange, Expect, Scenario
from bench.records import Sample
from tests.support.servers import CLOSING, GOOD, HELLO_SCENARIO, Talk, always, server, stalling_server

TRIES = 5  # a busy machine makes requests late as well; one of them has to be undisturbed


def open_step(
    rate_rps: float,
    *,
    target: str = "t",
    scenario: str = "hello",
    arrivals: str = "uniform",
    connections: int = 256,
    seed: int = 1,
    lead_in_s: float = 0.1,
    window_s: float = 0.5,
) -> Slice:
    load = Open(connections=connections, rate=rate_rps, arrivals=arrivals)
    return Slice(
        cell=Cell(contender=target, scenario=scenario, load=load),
        role="measure",
        round=1,
        sweep=1,
        seed=seed,
        lead_in_s=lead_in_s,
        window_s=window_s,
        rate_rps=rate_rps,
    )


def closed_step(connections: int, *, lead_in_s: float, window_s: float) -> Slice:
    load = Closed(connections=connections)
    cell = Cell(contender="t", scenario="hello", load=load)
    return Slice(cell=cell, role="measure", round=1, sweep=1, seed=1, lead_in_s=lead_in_s, window_s=window_s)


def carried_out(load: LocustLoad, address: tuple[str, int], step: Slice) -> Sample:
    load.prepare({"t": address}, [HELLO_SCENARIO])
    load.begin(step)
    sample = load.finish()
    load.prepare({}, [])  # so that all connections are closed before the server is
    return sample


def accounted_for(sample: Sample) -> int:
    return sample.requests + sample.failed + sample.unfinished


def test_as_many_are_due_as_the_schedule_says_and_all_are_answered(load):
    step = open_step(200, arrivals="poisson", seed=3)
    due = due_offsets("poisson", 200, seed=3, lead_in_s=0.1, window_s=0.5)
    with server(always(GOOD)) as target:
        sample = carried_out(load, target.address, step)
    assert sample.due == sum(at >= 0 for at in due)
    assert (sample.requests, sample.failed, sample.unfinished) == (sample.due, 0, 0)
    assert len(target.requests) == sample.slice_requests == sample.locust_requests == len(due)
    assert sample.throughput_rps == sample.due / 0.5


def test_answers_do_not_pace_requests(load):
    came: list[float] = []

    def behave(talk: Talk) -> None:
        while talk.request():
            came.append(time.perf_counter())
            time.sleep(0.2)
            talk.send(GOOD)

    with server(behave) as target:
        sample = carried_out(load, target.address, open_step(50, window_s=1.0))
    due = [at / 1e9 for at in due_offsets("uniform", 50, seed=1, lead_in_s=0.1, window_s=1.0)]
    late = [at - planned for at, planned in zip(sorted(came), due, strict=True)]
    assert median(abs(one - median(late)) for one in late) < 0.01  # the schedule, but for one constant
    assert sample.requests == sample.due == 50
    assert sample.queued == 0
    assert 8 <= sample.connects <= 30  # 50/s × 0.2 s are in flight, and a pause may add some


def test_a_response_counts_from_when_it_was_due_and_a_service_from_when_it_was_sent(load):
    with stalling_server(wait_ms=20) as target:
        sample = carried_out(load, target.address, open_step(100, connections=1, window_s=1.0))
    # One connection answers 50/s at most, so that the last of a window are sent a second late or so.
    assert 19 < sample.service.percentile_ms(50) < sample.latency.percentile_ms(50) / 4
    assert sample.latency.percentile_ms(100) > 500
    assert sample.queued > 0.8 * sample.due
    assert accounted_for(sample) == sample.due == 100


def test_lag_is_the_clients_own_lateness_and_not_the_servers(load):
    with stalling_server(wait_ms=50) as target:
        sample = carried_out(load, target.address, open_step(100, connections=1, window_s=1.0))
    assert sample.lag.count == sample.due
    assert sample.latency.percentile_ms(50) > 100
    assert sample.lag.percentile_ms(50) < sample.latency.percentile_ms(50) / 20


def test_what_still_waits_when_the_drain_ends_is_unfinished(impatient):
    with stalling_server(wait_ms=50) as target:
        sample = carried_out(impatient, target.address, open_step(100, connections=1))
    assert sample.unfinished > 0.4 * sample.due
    assert accounted_for(sample) == sample.due == 50


@pytest.mark.parametrize(
    ("behave", "kinds"),
    [
        pytest.param(always(GOOD[:20], GOOD[20:]), set(), id="in pieces"),
        pytest.param(always(CLOSING, then="close"), set(), id="closes"),
        pytest.param(always(GOOD, then="close"), set(), id="closes while the connection is free"),
        pytest.param(always(GOOD.replace(b"200", b"500")), {"status 500"}, id="status"),
        pytest.param(always(GOOD.replace(b"World", b"Wurst")), {"body"}, id="body"),
        pytest.param(always(GOOD + b"HTTP"), {"framing"}, id="framing"),
        pytest.param(always(GOOD[:-3], then="close"), {"closed"}, id="cut short"),
        pytest.param(always(GOOD[:-3], then="reset"), {"reset"}, id="reset"),
        pytest.param(lambda talk: talk.request() and talk.request(), {"timeout"}, id="no answer"),
    ],
)
def test_every_request_that_was_due_has_one_outcome(impatient, behave, kinds):
    with server(behave) as target:
        sample = carried_out(impatient, target.address, open_step(50))
    assert accounted_for(sample) == sample.due == 25
    assert sample.slice_requests == sample.locust_requests
    if kinds:
        assert sample.failures.keys() == kinds
        assert sample.requests == 0
        assert sample.examples[0].startswith("GET /: ")
    else:
        assert sample.requests > 0  # the rest met a pause longer than the client's patience


def test_a_connection_that_the_server_ends_while_it_is_free_is_no_failure(load):
    with server(always(GOOD, then="close")) as target:
        sample = carried_out(load, target.address, open_step(20))
    assert sample.connects == len(target.requests) == sample.slice_requests
    assert sample.failed <= 1  # one that is sent just when the server closes is lost


def test_where_nobody_listens_each_request_is_a_refused_connect(load):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    sample = carried_out(load, address, open_step(100))
    assert sample.failures == {"refused": 50}
    assert sample.due == 50
    assert sample.examples[0] == "connect: Connection refused"


def test_connections_are_kept_for_the_next_slice(load):
    with server(always(GOOD)) as target:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        connects = []
        for _ in range(2):
            load.begin(open_step(50, connections=1))
            connects.append(load.finish().connects)
        load.prepare({}, [])
    assert connects == [1, 0]


def test_answers_are_counted_while_the_window_is_open_apart_from_those_that_come_later(load):
    def slow(talk: Talk) -> None:
        while talk.request():
            time.sleep(0.02)
            talk.send(GOOD)

    with server(slow) as target:
        sample = carried_out(load, target.address, open_step(100, connections=1, lead_in_s=0.0, window_s=1.0))
    assert sample.requests == sample.due == 100
    assert 40 <= sample.answered <= 50  # 20 ms each, one after another


def test_no_more_connections_are_opened_than_are_needed(load):
    with server(always(GOOD)) as target:
        sample = carried_out(load, target.address, open_step(100, window_s=1.0))
    assert 1 <= sample.connects < 0.5 * sample.due  # one would do, but for a pause of the machine


def test_what_is_asked_follows_from_the_seed_in_order_of_arrival(load):
    read = Exchange(name="read", method="GET", path="/{n}", fields={"n": {"integer": [1, 999]}})
    write = Exchange(
        name="write",
        method="POST",
        path="/",
        body={"name": "{name}"},
        fields={"name": {"letters": 4}},
        expect=Expect(json={"message": "Hello, World!"}),
    )
    mixed = Scenario(name="mixed", exchanges=(read, write), weights=(2, 1))
    asked: dict[tuple[str, int], list[bytes]] = {}
    with server(always(GOOD)) as one, server(always(GOOD)) as other:
        load.prepare({"one": one.address, "other": other.address}, [mixed])
        for target, name, seed in [(one, "one", 7), (other, "other", 7), (one, "one", 8)]:
            target.requests.clear()
            load.begin(open_step(100, target=name, scenario="mixed", connections=1, seed=seed))
            sample = load.finish()
            assert (sample.requests, sample.failed) == (50, 0)
            asked[name, seed] = list(target.requests)
        load.prepare({}, [])
    assert {line.split()[0] for line in asked["one", 7]} == {b"GET", b"POST"}
    assert asked["one", 7] == asked["other", 7]
    assert asked["one", 7] != asked["one", 8]


@pytest.mark.parametrize(("connections", "queues"), [(512, False), (8, True)])
def test_a_server_that_stands_still_for_a_second_makes_a_second_of_requests_late(load, connections, queues):
    rate_rps, late_ms = 200, 250
    step = open_step(rate_rps, connections=connections, lead_in_s=0.2, window_s=2.0)
    for _ in range(TRIES):
        sample, stopped_s = of_one_that_stands_still(load, step)
        assert (sample.requests, sample.failed, sample.unfinished) == (sample.due, 0, 0) == (400, 0, 0)
        # Those due in the first 0.75 s of the second waited for over 0.25 s, which hardly a pause lasts.
        late = round(sample.latency.share_above(late_ms) * sample.due)
        expected = rate_rps * (stopped_s - late_ms / 1000)
        longest_ms = sample.latency.percentile_ms(100)
        assert late >= expected * 0.95
        assert longest_ms >= stopped_s * 1000 - 20
        if late <= expected * 1.3 and longest_ms <= stopped_s * 1000 + 400:
            break
    else:
        pytest.fail(f"{late} late of {expected} expected; {longest_ms} ms of {stopped_s} s")
    assert (sample.queued > 0.7 * rate_rps) == queues


def of_one_that_stands_still(load, step):
    with stalling_server() as target:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        opens_ns, _ = load.begin(step)
        stopped_s = stopped(target.process.pid, at_ns=opens_ns + 500_000_000, for_s=1.0)
        sample = load.finish()
        load.prepare({}, [])
    return sample, stopped_s


def stopped(pid: int, *, at_ns: int, for_s: float) -> float:
    """Stop a process for about *for_s*; return for how long it stood still at least, in seconds."""
    time.sleep(max(0.0, (at_ns - time.perf_counter_ns()) / 1e9))
    os.kill(pid, signal.SIGSTOP)
    began_s = time.perf_counter()
    time.sleep(for_s)
    stood_s = time.perf_counter() - began_s
    os.kill(pid, signal.SIGCONT)
    return stood_s


def stalls(*, rate_rps: float, every: int, stall_ms: float, wait_ms: float) -> SimpleNamespace:
    """Return what the arithmetic says about a server that blocks with every so-manieth request.

    In a period the first request blocks. One that comes while it does waits for the end of that, and so does
    one whose answer falls due meanwhile. All others take what the server waits.
    """
    gap_ms = 1000 / rate_rps
    latencies = []
    for number in range(every):
        at_ms, left_ms = number * gap_ms, (every - number) * gap_ms
        if at_ms < stall_ms:
            latencies.append(stall_ms - at_ms + wait_ms)
        else:
            latencies.append(left_ms + stall_ms if left_ms < wait_ms else wait_ms)
    latencies.sort()
    return SimpleNamespace(
        share_above=lambda limit_ms: sum(one > limit_ms for one in latencies) / every,
        percentile_ms=lambda percent: latencies[ceil(every * percent / 100) - 1],
    )


def test_a_stall_shows_in_all_that_came_during_it_and_hardly_in_a_closed_loop(load):
    server_does = {"wait_ms": 5, "stall_ms": 150}
    expected = stalls(rate_rps=200, every=100, **server_does)
    share = expected.share_above(20)
    with stalling_server(stall_every=100, **server_does) as target:
        step = open_step(200, lead_in_s=0.6, window_s=1.5)
        for _ in range(TRIES):
            seen = carried_out(load, target.address, step).latency.share_above(20)
            assert seen >= 0.8 * share
            blind = carried_out(load, target.address, closed_step(2, lead_in_s=0.6, window_s=1.5))
            if seen <= 1.5 * share and blind.latency.share_above(20) < 0.05:
                break
        else:
            pytest.fail(f"{seen} of {share} expected, and {blind.latency.share_above(20)} of a closed loop")


def least_of(samples, expected):
    """Return what the least disturbed of *samples* shows, and what arithmetic says of it."""
    seen = {percent: min(one.latency.percentile_ms(percent) for one in samples) for percent in (99, 99.9)}
    known = {percent: pytest.approx(expected.percentile_ms(percent), rel=0.03) for percent in seen}
    waited = min(one.latency.share_above(20) for one in samples)
    return seen | {"waited": waited}, known | {"waited": pytest.approx(expected.share_above(20), rel=0.1)}


@pytest.mark.slow
@pytest.mark.alone
def test_percentiles_of_a_server_that_blocks_at_times_are_those_of_arithmetic(load):
    """Known answers: 500/s, 5 ms each, and every 1,000th request blocks the server for 200 ms."""
    server_does = {"wait_ms": 5, "stall_ms": 200}
    expected = stalls(rate_rps=500, every=1000, **server_does)
    with stalling_server(stall_every=1000, **server_does) as target:
        step = open_step(500, lead_in_s=2.2, window_s=4.0)
        samples = []
        for _ in range(5):  # what else the machine does can only add to latencies
            samples.append(carried_out(load, target.address, step))
            seen, known = least_of(samples, expected)
            if seen == known:
                break
        closed = carried_out(load, target.address, closed_step(3, lead_in_s=2.2, window_s=4.0))
    assert seen == known
    assert closed.latency.share_above(20) < 0.01  # one request per connection and stall


def test_arrivals_are_tested_and_the_kernel_dates_some_answers(load):
    with server(always(GOOD)) as target:
        poisson = carried_out(load, target.address, open_step(400, arrivals="poisson"))
        even = carried_out(load, target.address, open_step(400))
    assert 0 < poisson.bend < 10
    assert even.bend is None
    if sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64"):
        assert poisson.wake.count == pytest.approx(poisson.requests / 16, abs=10)
        assert 0 <= poisson.wake.percentile_ms(50) <= poisson.service.percentile_ms(100)
