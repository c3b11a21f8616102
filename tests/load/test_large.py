"""Answers that are large, compressed, slow to end or endless, and a machine that has too little."""

import gzip
import resource
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import psutil
import pytest

from bench.load.driver import LocustLoad
from bench.loads import Closed, Open
from bench.model.cell import Cell, Slice
from bench.model.scenario import Exchange, Expect, Scenario
from tests.support.servers import GOOD, HELLO, HELLO_SCENARIO, Talk, always, server

GET = Exchange(name="get", method="GET", path="/")
LOOKED_AT = Exchange(name="get", method="GET", path="/", expect=Expect(contains="xxxx"))


def only(exchange: Exchange) -> Scenario:
    return Scenario(name="s", exchanges=(exchange,), weights=(1,))


def step(
    scenario: str = "s",
    *,
    connections: int = 4,
    lead_in_s: float = 0.05,
    window_s: float = 0.3,
    rate_rps: float | None = None,
) -> Slice:
    load = Closed(connections=connections)
    if rate_rps:
        load = Open(connections=connections, rate=rate_rps, arrivals="uniform")
    return Slice(
        cell=Cell(contender="t", scenario=scenario, load=load),
        role="measure",
        round=1,
        sweep=1,
        seed=1,
        lead_in_s=lead_in_s,
        window_s=window_s,
        rate_rps=rate_rps,
    )


def samples(load: LocustLoad, behave: Callable[[Talk], None], scenario: Scenario, *steps: Slice):
    with server(behave) as target:
        load.prepare({"t": target.address}, [scenario])
        found = []
        for one in steps:
            load.begin(one)
            found.append(load.finish())
        load.prepare({}, [])
    return found


@pytest.fixture(scope="module")
def brief() -> Iterator[LocustLoad]:
    """Gives up on an answer after a second, and on those after a window after a fifth of that."""
    with LocustLoad(timeout_s=1.0, drain_s=0.2) as generator:
        yield generator


def endless(head: bytes, piece: bytes) -> Callable[[Talk], None]:
    def behave(talk: Talk) -> None:
        talk.request()
        talk.send(head)
        while True:
            talk.send(piece)
            time.sleep(0.02)

    return behave


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = [
    pytest.param(endless(CHUNKED, b"9\r\ndata: 1\n\n\r\n"), id="chunks"),
    pytest.param(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"data: 1\n\n"), id="until the connection closes"),
]


@pytest.mark.parametrize("behave", ENDLESS)
@pytest.mark.parametrize("rate_rps", [None, 20.0], ids=["closed", "open"])
def test_a_stream_that_never_ends_is_a_failure_that_names_itself(brief, behave, rate_rps):
    began = time.monotonic()
    first, again = samples(brief, behave, only(GET), *[step(connections=20, rate_rps=rate_rps)] * 2)
    assert time.monotonic() - began < 10  # the first time it is waited for, a second
    for sample in (first, again):
        assert sample.requests == 0
        assert sample.failures["unended"] > 0
        assert sample.failures.keys() <= {"unended", "timeout"}  # which had not begun, on a busy machine
        shown = next(example for example in sample.examples if example.endswith("never ended"))
        begins, _, ends = shown.partition("(200, ")
        assert begins == "GET /: the answer began "
        assert ends.endswith(" bytes so far) and never ended")
        assert int(ends.split()[0].replace(",", "")) > 9


@pytest.mark.parametrize("behave", ENDLESS)
def test_in_a_window_longer_than_patience_a_stream_is_given_up_after_that(brief, behave):
    (sample,) = samples(brief, behave, only(GET), step(connections=2, window_s=1.6))
    assert sample.failures["unended"] >= 2
    assert sample.examples[0].endswith("and never ended")


def test_a_slow_stream_that_ends_is_unfinished_and_no_failure(brief):
    def behave(talk: Talk) -> None:
        while talk.request():
            talk.send(CHUNKED)
            for _ in range(7):
                talk.send(b"4\r\nxxxx\r\n")
                time.sleep(0.1)
            talk.send(b"0\r\n\r\n")

    for sample in samples(brief, behave, only(GET), *[step(connections=2)] * 2):
        assert (sample.failed, sample.unfinished) == (0, 2)


def test_an_answer_cut_by_the_clock_says_how_much_of_it_came(brief):
    def behave(talk: Talk) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x" * 1234)
        talk.request()

    (sample,) = samples(brief, behave, only(GET), step(connections=1, window_s=1.6))
    assert sample.failures.keys() == {"timeout"}
    assert (
        sample.examples[0] == "GET /: the answer began (200, 1,234 of 5,000 bytes) and had not ended in 1 s"
    )


def test_an_answer_that_is_too_large_is_a_failure_that_names_itself(load):
    (sample,) = samples(
        load, always(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n"), only(GET), step(connections=1)
    )
    assert sample.failures.keys() == {"too large"}
    assert sample.examples[0] == "GET /: 9,000,000,000 bytes are announced, 64 MB allowed"


@pytest.mark.parametrize("exchange", [GET, LOOKED_AT], ids=["not looked at", "looked at"])
def test_large_answers_leave_memory_as_it_was(load, exchange):
    size = 2_000_000
    big = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    client = psutil.Process(load.pid)
    with server(always(big)) as target:
        load.prepare({"t": target.address}, [only(exchange)])
        grown, answered = [], 0
        for _ in range(4):
            load.begin(step(window_s=1.0))
            sample = load.finish()
            assert sample.failed == 0
            answered += sample.requests
            grown.append(client.memory_info().rss)
        load.prepare({}, [])
    assert answered > 0
    assert grown[-1] - grown[0] < 30e6


def test_what_each_connection_asks_is_large_and_not_remembered_for_each(load):
    fields = {"id": {"integer": [1, 1_000_000]}}
    read = Exchange(name="get", method="GET", path="/{id}", fields=fields, expect=Expect(json={}))
    body = b'{"x": "%b"}' % (b"x" * 500_000)
    big = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    client = psutil.Process(load.pid)
    with server(always(big)) as target:
        load.prepare({"t": target.address}, [only(read)])
        grown = []
        for _ in range(3):
            load.begin(step(window_s=1.0))
            assert load.finish().failed == 0
            grown.append(client.memory_info().rss)
        load.prepare({}, [])
    assert grown[-1] - grown[0] < 30e6


def test_compressed_answers_are_verified_and_count_with_the_bytes_on_the_wire(load):
    body = gzip.compress(HELLO)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    (sample,) = samples(load, always(answer), HELLO_SCENARIO, step("hello"))
    assert sample.requests > 0
    assert sample.failed == 0
    assert sample.received_bytes == len(answer) * sample.requests


def test_connections_begin_one_after_another_within_the_lead_in(load):
    came: list[float] = []

    def behave(talk: Talk) -> None:
        while talk.request():
            came.append(time.perf_counter())
            time.sleep(0.2)
            talk.send(GOOD)

    with server(behave) as target:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        opens_ns, _ = load.begin(step("hello", connections=20, lead_in_s=0.4, window_s=0.1))
        load.finish()
        load.prepare({}, [])
    firsts = sorted(came)[:20]
    assert firsts[-1] < opens_ns / 1e9 + 0.05
    assert firsts[-1] - firsts[0] > 0.1
    assert max(later - one for one, later in pairwise(firsts)) < 0.2


def test_the_load_generator_raises_its_own_limit_of_descriptors_and_not_that_of_servers():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_000, hard))
    try:
        with LocustLoad() as load:
            load.prepare({}, [])
            assert resource.prlimit(load.pid, resource.RLIMIT_NOFILE) == (hard, hard)
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1_000, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_too_few_descriptors_void_the_slice_and_the_next_one_goes_on(load):
    limits = resource.prlimit(load.pid, resource.RLIMIT_NOFILE)
    assert limits[0] == limits[1]  # the child has raised it
    with server(always(GOOD)) as target:
        load.prepare({"t": target.address}, [HELLO_SCENARIO])
        try:
            resource.prlimit(
                load.pid, resource.RLIMIT_NOFILE, (psutil.Process(load.pid).num_fds() + 20, limits[1])
            )
            load.begin(step("hello", connections=60))
            many = load.finish()
            load.begin(step("hello", connections=4))
            few = load.finish()
        finally:
            resource.prlimit(load.pid, resource.RLIMIT_NOFILE, limits)
        load.prepare({}, [])
    assert many.broken.startswith("no descriptor left: ")
    assert many.broken.endswith(" may be open: raise that (ulimit -n), or have fewer connections")
    assert many.failed == 0
    assert (few.broken, few.failed) == ("", 0)
    assert few.requests > 0
