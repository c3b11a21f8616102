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
from bench.doctor.known.server_process import known_server
from bench.doctor.latency import PERCENTS, Point, Reading, needs_cores, print_readings, readings, verdict
from bench.errors import CannotMeasure
from bench.histogram import Histogram
from bench.load.arrivals import due_offsets
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


ON_TIME = Histogram()


class ArithmeticalLoad:
    """Measures what arithmetic gives, and *late_ms* more."""

    def __init__(self, late_ms=0.0, failures=None):
        self.late_ms, self.failures = late_ms, failures or {}
        self.kind = ""

    def prepare(self, targets, scenarios):
        pass

    def begin(self, step):
        self.step = step
        return 10**12, 0

    def finish(self):
        step, kind = self.step, KINDS[self.kind]
        offsets = due_offsets(
            "poisson", step.rate_rps, seed=step.seed, lead_in_s=step.lead_in_s, window_s=step.window_s
        )
        found = latencies_ns(kind.behaviour(1), [10**12 + offset for offset in offsets])
        times = [ns + round(self.late_ms * 1e6) for number, ns in found.items() if offsets[number] >= 0]
        latency, lag = Histogram.of(times), Histogram.of([1_000] * len(times))
        return Sample(window_s=step.window_s, latency=latency, lag=lag, failures=self.failures)


def examined(load, late=ON_TIME):
    @contextmanager
    def serve(kind, seed):
        load.kind = kind
        yield Served()

    class Served:
        address = ("127.0.0.1", 9)

        def lateness(self):
            return late

    return readings(load, serve, FakeProgress(), requests=2_000)


def test_what_arithmetic_gives_fits():
    found = examined(ArithmeticalLoad())
    assert [reading.kind for reading in found] == [*KINDS]
    assert all(reading.fits for reading in found)
    assert verdict(found) is None


def test_a_tenth_of_a_millisecond_too_much_is_found():
    found = examined(ArithmeticalLoad(late_ms=0.1))
    assert not any(reading.fits for reading in found)
    assert verdict(found).startswith("latency does not fit the arithmetic (fixed, M/D/1, M/M/1, stall")


def test_a_machine_that_was_disturbed_is_named_and_a_failure_is_a_fault():
    late = Histogram.of([5_000] * 90 + [4_000_000] * 10)
    assert verdict(examined(ArithmeticalLoad(late_ms=3), late)).startswith("the machine was disturbed (")
    failing = examined(ArithmeticalLoad(failures={"body": 3}))
    assert verdict(failing) == "3 requests to fixed failed: this is a fault of bench, report it"


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
    found = examined(ArithmeticalLoad(late_ms=3))
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
        for _ in range(5):
            began = time.perf_counter()
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(1_000).startswith(b"HTTP/1.1 200 OK")
            assert time.perf_counter() - began > 0.002
        sock.close()
        late = server.lateness()
    assert late.count == 5


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
        server_late=none,
        client_late=none,
        client_wake=none,
        bend=1.2,
    )
    assert reading.fits
    assert not replace(reading, wrong=1).fits
    assert not replace(reading, bend=2.0).fits
