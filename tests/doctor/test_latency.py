"""The self-test of latency: its mathematics against simulation, its verdicts on made-up measurements."""

import json
import socket
import time
from contextlib import contextmanager
from dataclasses import replace
from math import factorial
from random import Random

import numpy as np
import pytest
from rich.console import Console

from bench.doctor.known import theory
from bench.doctor.known.behaviours import Stall, latencies_ns
from bench.doctor.known.kinds import KINDS
from bench.doctor.known.served import Served, lates, wakes
from bench.doctor.known.server_process import known_server
from bench.doctor.latency import PERCENTS, Point, Reading, needs_cores, readings, verdict
from bench.doctor.latency_table import print_readings
from bench.errors import CannotMeasure
from bench.histogram import Histogram
from bench.load.arrivals import due_offsets
from bench.load.receipts import SO_TIMESTAMPNS
from bench.records import Sample
from tests.support.fakes import FakeProgress


@pytest.mark.parametrize("name", KINDS)
def test_closed_forms_agree_with_simulated_arrivals(name):
    kind, random, at_ns, arrivals = KINDS[name], Random(7), 0.0, []
    for _ in range(150_000):
        at_ns += random.expovariate(kind.rate_rps) * 1e9
        arrivals.append(round(at_ns))
    found = np.array([*latencies_ns(kind.behaviour(3), arrivals).values()]) / 1e6
    for percent in (50.0, 90.0, 99.0):
        assert np.percentile(found, percent) == pytest.approx(theory.quantile(kind.beyond, percent), rel=0.05)


def test_the_law_of_md1_is_erlangs():
    beyond = theory.md1(0.5, 1)
    assert beyond(0.999) == 1.0
    assert beyond(1) == pytest.approx(0.5)  # who finds it idle does not wait: 1 − ρ
    # (1 − ρ)(exp(λ w) − λ (w − D) exp(λ (w − D))) for D ≤ w < 2 D
    assert 1 - beyond(2.5) == pytest.approx(0.5 * (np.exp(0.75) - 0.25 * np.exp(0.25)))
    waits = np.linspace(0, 16, 3_201)
    mean = np.trapezoid([beyond(1 + wait) for wait in waits], waits)
    assert mean == pytest.approx(0.5 / (2 * (1 - 0.5)), rel=1e-3)  # Pollaczek and Khinchine


def test_the_law_of_mm1_is_exponential():
    assert theory.quantile(theory.mm1(0.5, 1), 90) == pytest.approx(np.log(10) / 0.5)


def test_the_law_of_batches_is_a_mixture_of_erlang_times():
    beyond = theory.batched(1, 2, 3)
    assert beyond(1.9) == 1.0
    expected = (np.exp(-1.5) * (1 + (1 + 1.5 / factorial(1)))) / 3
    assert beyond(3.5) == pytest.approx(expected)


def test_who_comes_in_a_stall_waits_for_its_end():
    assert latencies_ns(Stall(2, 500, 40), [0, 30, 40, 510]) == {0: 42, 1: 12, 2: 2, 3: 32}
    assert theory.quantile(theory.stalled(2, 500, 40), 50) == pytest.approx(2)
    assert theory.quantile(theory.stalled(2, 500, 40), 99) == pytest.approx(37)


US = 1_000


class ArithmeticalLoad:
    """Measures what arithmetic gives, and *late_us* more."""

    def __init__(self, late_us=0, failures=None, lag_us=1, wake_us=0, unfinished=0):
        self.late_us, self.failures, self.unfinished = late_us, failures or {}, unfinished
        self.lag_us, self.wake_us = lag_us, wake_us
        self.kind = ""

    def prepare(self, targets, scenarios):
        pass

    def begin(self, step):
        self.step = step
        self.offsets = due_offsets(
            "poisson", step.rate_rps, seed=step.seed, lead_in_s=step.lead_in_s, window_s=step.window_s
        )
        return 10**12, 0

    def finish(self):
        behaviour = KINDS[self.kind].behaviour(1)
        found = latencies_ns(behaviour, [10**12 + offset for offset in self.offsets])
        times = [ns + self.late_us * US for number, ns in found.items() if self.offsets[number] >= 0]
        return Sample(
            window_s=self.step.window_s,
            latency=Histogram.of(times),
            lag=Histogram.of([self.lag_us * US] * len(times)),
            wake=Histogram.of([self.wake_us * US] * 100),
            failures=self.failures,
            unfinished=self.unfinished,
        )


class ArithmeticalServer:
    """Serves what comes *arrived_us* after it was due. It sends *late_us* late."""

    address = ("127.0.0.1", 9)

    def __init__(self, load, late_us=0, arrived_us=0):
        self.load, self.late_us, self.arrived_us = load, late_us, arrived_us

    def served(self):
        arrivals = [10**12 + offset + self.arrived_us * US for offset in self.load.offsets]
        found = latencies_ns(KINDS[self.load.kind].behaviour(1), arrivals)
        return [
            Served(received_ns=at, read_ns=at)
            if number not in found
            else Served(
                received_ns=at,
                read_ns=at + 9 * US,
                due_ns=at + found[number],
                sent_ns=at + found[number] + self.late_us * US,
            )
            for number, at in enumerate(arrivals)
        ]


def examined(load, **server):
    @contextmanager
    def serve(kind, seed):
        load.kind = kind
        yield ArithmeticalServer(load, **server)

    return readings(load, serve, FakeProgress(), requests=2_000)


def test_what_arithmetic_gives_fits():
    found = examined(ArithmeticalLoad())
    assert [reading.kind for reading in found] == [*KINDS]
    assert all(reading.fits for reading in found)
    assert verdict(found) is None


def test_a_tenth_of_a_millisecond_too_much_is_found():
    found = examined(ArithmeticalLoad(late_us=100))
    assert not any(reading.fits for reading in found)
    assert verdict(found).startswith("latency does not fit the arithmetic (fixed, M/D/1, M/M/1, stall")


def test_the_servers_own_lateness_is_taken_off():
    found = examined(ArithmeticalLoad(late_us=100), late_us=100)
    assert verdict(found) is None
    assert not any(reading.is_ours for reading in found)
    (median, *_) = found[0].points
    assert (median.server_late_ms, median.client_late_ms) == pytest.approx((0.1, 0))
    assert median.off == pytest.approx(0, abs=1e-3)


def test_our_own_lateness_does_not_fit_and_is_named_as_ours():
    found = examined(ArithmeticalLoad(late_us=100, wake_us=40), arrived_us=60)
    assert verdict(found).startswith("our own lateness makes latency too long (fixed, M/D/1")
    assert not any(reading.fits for reading in found)
    assert [reading.kind for reading in found if reading.is_ours] == [*KINDS]
    (fixed, *_) = found
    assert [point.client_late_ms for point in fixed.points] == pytest.approx([0.1] * 4, rel=2e-3)
    console = Console(record=True, width=120)
    print_readings(found, console)
    text = " ".join(console.export_text().split())
    assert "Latency here is 1" in text
    assert "off by ours" in text


def test_a_machine_that_was_disturbed_is_named_and_a_failure_is_a_fault():
    disturbed = examined(ArithmeticalLoad(late_us=3_000, lag_us=4_000))
    assert verdict(disturbed).startswith("the machine was disturbed (")
    failing = examined(ArithmeticalLoad(failures={"body": 3}))
    assert verdict(failing) == "3 requests to fixed failed: this is a fault of bench, report it"
    lost = examined(ArithmeticalLoad(unfinished=40))
    assert verdict(lost) == "40 requests to fixed had no answer: repeat on a quiet machine, else report it"
    assert lost[0].points[-1].measured_ms is None  # beyond every answer
    paused = examined(ArithmeticalLoad(late_us=3_000, lag_us=4_000, unfinished=40))
    assert verdict(paused).startswith("the machine was disturbed (")


def test_what_a_batch_leaves_without_an_answer_is_not_lost():
    """So many requests are no multiple of four, and three were never answered."""
    batches = next(one for one in examined(ArithmeticalLoad(unfinished=3)) if one.kind == "batches")
    left = sum(offset >= 0 for offset in due_offsets("poisson", 1_000, seed=1, lead_in_s=1.0, window_s=2.0))
    assert batches.lost == 3 - (left - batches.requests)
    assert 0 < left - batches.requests < 4


def test_a_server_says_how_late_it_woke_and_sent():
    served = [
        Served(received_ns=100, read_ns=130, due_ns=500, sent_ns=504),
        Served(received_ns=200, read_ns=200, due_ns=600, sent_ns=600),
        Served(received_ns=300, read_ns=310),
    ]
    assert (wakes(served).max_ns, wakes(served).count) == (30, 3)
    assert (lates(served).max_ns, lates(served).count) == (4, 2)


@pytest.mark.parametrize(
    ("due", "measured", "fits"),
    [(10, 10.29, True), (10, 10.31, False), (10, 9.69, False), (0.1, 0.119, True), (0.1, 0.121, False)],
)
def test_a_percentile_fits_within_3_percent_or_20_microseconds(due, measured, fits):
    point = Point(percent=50, theory_ms=1, due_ms=due, measured_ms=measured)
    assert point.fits == fits
    assert not replace(point, measured_ms=None).fits


def test_the_table_has_theory_due_and_measured():
    console = Console(record=True, width=120)
    found = examined(ArithmeticalLoad(late_us=3_000))
    print_readings(found[:1], console)
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["fixed", "theory", "2.000", "2.000", "2.000", "2.000"] in lines
    (judged,) = [line for line in lines if "measured" in line]
    assert [float(cell) for cell in judged[3:7]] == pytest.approx([5] * 4, rel=2e-3)
    assert judged[-1] == "off"
    document = json.loads(json.dumps(found[0].document()))
    assert not document["fits"]
    assert len(document["points"]) == len(PERCENTS)


def test_one_core_is_refused():
    needs_cores(None, None)
    needs_cores((0,), (1,))
    with pytest.raises(CannotMeasure, match="use two cores"):
        needs_cores((0,), (0,))


def test_a_known_server_answers_after_its_time_and_says_how_late():
    with known_server("fixed", 1) as server, socket.create_connection(server.address) as sock:
        for number in range(10):
            if number == 5:
                time.sleep(0.5)  # it dates what comes after it has accepted the connection
            began = time.perf_counter()
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(1_000).startswith(b"HTTP/1.1 200 OK")
            assert time.perf_counter() - began > 0.002
        sock.close()
        served = server.served()
    assert len(served) == 10
    for one in served:
        assert one.received_ns <= one.read_ns <= one.sent_ns
        assert one.due_ns <= one.sent_ns
        assert one.due_ns - one.received_ns == 2_000_000
    if SO_TIMESTAMPNS is not None:
        assert all(one.received_ns < one.read_ns for one in served[5:])


def test_a_kind_that_is_unknown_does_not_start():
    with pytest.raises(CannotMeasure, match=r"did not start: .*invalid choice"), known_server("M/G/1", 1):
        pass


def test_readings_fit_only_without_wrong_answers():
    point = Point(percent=50, theory_ms=1, due_ms=1, measured_ms=1)
    none = Histogram()
    reading = Reading(
        kind="k",
        about="",
        requests=1,
        wrong=0,
        points=(point,),
        server_wake=none,
        server_late=none,
        client_late=none,
        client_wake=none,
        bend=1.2,
    )
    assert reading.fits
    assert not replace(reading, wrong=1).fits
    assert not replace(reading, bend=2.0).fits
