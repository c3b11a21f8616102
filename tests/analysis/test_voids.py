"""A slice is thrown away only on evidence that does not look at its result."""

from dataclasses import replace

import pytest

from bench.analysis.limits import Cores
from bench.analysis.voids import LIMITS, evidence, void_of
from bench.histogram import Histogram
from bench.records import Sample, Usage

SHARED = Cores(server=("0",), client=("1",), database=("1",))
APART = Cores(server=("0",), client=("2",), database=("3",))
SAMPLE = Sample(window_s=0.5, latency=Histogram.of([1_000_000] * 100), client_cpu_s=0.1)
QUIET = Usage(
    elapsed_s=0.5,
    server_cpu_s=0.48,
    database_cpu_s=0.15,
    client_wait_s=0.02,
    busy_s={"0": 0.49, "1": 0.26, "2": 0.1, "3": 0.15},
    steal_s={"0": 0.0, "1": 0.01, "2": 0.0, "3": 0.0},
    throttled_s=0.0,
)


def void(cores=SHARED, sample=SAMPLE, **usage):
    return void_of(sample, replace(QUIET, **usage), cores)


def test_nothing_is_thrown_away_on_a_quiet_machine():
    assert void() is None


@pytest.mark.parametrize(
    ("usage", "why"),
    [
        ({"busy_s": QUIET.busy_s | {"0": 0.56}}, "others used the server's cores"),
        ({"busy_s": QUIET.busy_s | {"1": 0.36}}, "others used the client's cores"),
        ({"client_wait_s": 0.21}, "the client waited for its core"),
        ({"steal_s": {"0": 0.04, "1": 0.01}}, "the hypervisor took time"),
        ({"throttled_s": 0.01}, "held back by a CPU limit"),
    ],
)
def test_each_kind_of_evidence_is_named(usage, why):
    assert void(**usage) == why


def test_the_core_of_the_database_is_ours_where_the_client_shares_it():
    assert void(client_wait_s=0.16) is None  # it waited for PostgreSQL
    assert void(APART, client_wait_s=0.16) == "the client waited for its core"


def test_what_ticks_may_add_is_allowed_whatever_the_length_of_a_window():
    short = {"elapsed_s": 0.1, "server_cpu_s": 0.1, "database_cpu_s": 0.0, "client_wait_s": 0.0}
    idle = {"1": 0.01, "2": 0.0, "3": 0.0}
    sample = replace(SAMPLE, window_s=0.1, client_cpu_s=0.01)
    assert void(sample=sample, **short, busy_s={"0": 0.12, **idle}) is None
    assert void(sample=sample, **short, busy_s={"0": 0.14, **idle}) == "others used the server's cores"


def test_what_happens_on_cores_that_are_not_ours_is_no_evidence():
    assert void(busy_s=QUIET.busy_s | {"7": 0.5}, steal_s={"7": 0.5}) is None


def test_what_the_system_does_not_tell_is_no_evidence():
    silent = Usage(elapsed_s=0.5)
    assert void_of(SAMPLE, silent, SHARED) is None
    assert void_of(SAMPLE, silent, Cores()) is None


def test_a_result_is_no_evidence():
    terrible = Sample(window_s=0.5, latency=Histogram(), failures={"status 500": 9}, unfinished=32)
    assert void(sample=terrible, busy_s=QUIET.busy_s | {"1": 0.16}) is None


def test_what_the_machine_that_asks_could_not_carry_out_is_void_for_that_reason():
    broken = replace(SAMPLE, broken="no descriptor left: raise the limit")
    assert void(sample=broken) == "no descriptor left: raise the limit"


def test_an_open_loop_that_sent_late_was_not_the_load_that_was_asked_for():
    late = Histogram.of([2_000_000] * 2 + [10_000] * 98)
    assert void(sample=replace(SAMPLE, lag=late)) == "the load generator sent late"
    assert void(sample=replace(SAMPLE, lost_workers=("one",), lag=late)) == "a load worker was lost"


def test_an_open_loop_whose_gaps_are_bent_was_not_the_load_that_was_asked_for():
    assert void(sample=replace(SAMPLE, bend=1.9)) is None
    assert void(sample=replace(SAMPLE, bend=2.0)) == "requests were not sent as drawn"


def test_on_one_core_what_client_and_server_use_is_nobody_elses():
    only = Cores(server=("0",), client=("0",), database=("0",))
    busy = {"server_cpu_s": 0.25, "database_cpu_s": 0.1, "client_wait_s": 0.36}
    assert void(only, **busy, busy_s={"0": 0.46}) is None
    assert void(only, **busy, busy_s={"0": 0.53}) == "others used the server's cores"


def test_every_limit_has_its_evidence_and_no_other_is_looked_at():
    sent = replace(SAMPLE, lag=Histogram())
    assert evidence(sent, QUIET, SHARED).keys() == LIMITS.keys()
