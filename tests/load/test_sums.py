from dataclasses import replace

import pytest

from bench.histogram import Histogram
from bench.load.sums import imbalance, merged
from bench.loads import Closed, Open
from bench.model.cell import Cell, Slice
from bench.records import Sample


def step(load):
    cell = Cell(contender="one", scenario="hello", load=load)
    return Slice(cell=cell, role="measure", round=1, sweep=1, seed=1, lead_in_s=0.1, window_s=0.5)


CLOSED = step(Closed(connections=4))
OPEN = step(Open(connections=4, rate=10.0, arrivals="uniform"))
ONE_MS = Histogram.of([1_000_000] * 3)
BALANCED = Sample(window_s=0.5, latency=ONE_MS, occupied_s=2.0, locust_requests=5, slice_requests=5)
DUE = replace(BALANCED, due=5, failures={"status": 1}, unfinished=1, occupied_s=0.0)


@pytest.mark.parametrize(("of", "sample"), [(CLOSED, BALANCED), (OPEN, DUE)])
def test_books_that_balance_are_not_complained_about(of, sample):
    assert imbalance(of, sample) is None


def test_arrivals_that_one_of_several_processes_bent_are_bent():
    sound, bent = replace(DUE, bend=0.6), replace(DUE, bend=3.0)
    assert merged([sound, bent], window_s=0.5).bend == pytest.approx(2.94, abs=0.01)
    assert merged([sound, sound], window_s=0.5).bend < 0.6
    assert merged([DUE, DUE], window_s=0.5).bend is None


@pytest.mark.parametrize("occupied_s", [2.0 * 0.991, 2.0 * 1.009])
def test_a_closed_loop_may_miss_less_than_a_hundredth_of_its_time(occupied_s):
    assert imbalance(CLOSED, replace(BALANCED, occupied_s=occupied_s)) is None


@pytest.mark.parametrize(
    ("of", "sample", "what"),
    [
        (CLOSED, replace(BALANCED, occupied_s=1.97), "4 connections had 2 s, 1.97 s of them"),
        (CLOSED, replace(BALANCED, occupied_s=2.03), "2.03 s of them are accounted for"),
        (CLOSED, replace(BALANCED, locust_requests=4), "Locust counted 4 requests, we 5"),
        (OPEN, replace(DUE, due=6), "6 requests were due, 5 are accounted for"),
        (OPEN, replace(DUE, unfinished=2), "5 requests were due, 6 are accounted for"),
        (OPEN, replace(DUE, locust_requests=9), "Locust counted 9 requests, we 5"),
    ],
)
def test_what_does_not_balance_is_named(of, sample, what):
    assert what in imbalance(of, sample)


def test_what_a_lost_worker_saw_is_in_no_sum():
    assert imbalance(OPEN, replace(DUE, due=9, locust_requests=1, lost_workers=("worker 1",))) is None


def test_shares_add_up():
    one = replace(
        DUE,
        service=ONE_MS,
        lag=ONE_MS,
        queued=2,
        examples=("a", "b", "c"),
        connects=2,
        received_bytes=100,
        client_cpu_s=0.25,
    )
    both = merged([one, replace(one, latency=Histogram.of([9]), failures={"reset": 2})], window_s=0.5)
    assert both.latency == Histogram.of([1_000_000] * 3 + [9])
    assert both.service == both.lag == Histogram.of([1_000_000] * 6)
    assert (both.due, both.queued, both.unfinished, both.connects) == (10, 4, 2, 4)
    assert both.failures == {"status": 1, "reset": 2}
    assert both.examples == ("a", "b", "c", "a", "b")
    assert (both.received_bytes, both.client_cpu_s, both.slice_requests) == (200, 0.5, 10)
    assert both.window_s == 0.5


def test_a_closed_loop_has_nothing_due_however_many_ask():
    both = merged([BALANCED, BALANCED], window_s=0.5)
    assert (both.due, both.service, both.lag, both.occupied_s) == (None, None, None, 4.0)
