from dataclasses import replace
from functools import partial

import pytest

from bench.analysis import analyse
from bench.histogram import Histogram
from tests.support.synthetic import rate, synthetic_run, with_records

RATES = (0.2, 0.5, 1.0)  # of 1,000 requests per second


def capacity_of(run, contender="flask"):
    return next(one for one in analyse(run).capacities if one.contender == contender)


def swept(slow, **options):
    """A run in which requests take 200 ms where *slow* says so of a slice, else 1 ms."""
    run = synthetic_run({"flask": 1000}, loads=map(rate, RATES), slo_ms=100, noise=0, **options)

    def change(record):
        taken_ns = 200_000_000 if slow(record.slice) else 1_000_000
        latency = Histogram.of([taken_ns] * record.sample.requests)
        return replace(record, sample=replace(record.sample, latency=latency))

    return with_records(run, lambda record: change(record) if record.slice.role == "measure" else record)


def above(rate_rps):
    return lambda step: step.rate_rps > rate_rps


@pytest.mark.parametrize(
    ("slow", "told", "at_least"),
    [
        (above(2000), 1000, True),
        (above(500), 500, False),
        (above(0), 0, False),
    ],
)
def test_capacity_is_the_highest_rate_that_keeps_the_objective(slow, told, at_least):
    capacity = capacity_of(swept(slow))
    rate_rps = capacity.rate_rps
    assert (rate_rps.low, rate_rps.estimate, rate_rps.high) == (told, told, told)
    assert rate_rps.level == pytest.approx(0.961, abs=5e-4)
    assert (capacity.scenario, capacity.slo_ms, capacity.at_least) == ("hello", 100, at_least)


def test_its_interval_is_over_rounds():
    capacity = capacity_of(swept(lambda step: step.rate_rps > (500 if step.round <= 4 else 200)))
    assert (capacity.rate_rps.low, capacity.rate_rps.estimate, capacity.rate_rps.high) == (200, 200, 500)


def test_it_is_a_rate_that_was_tried_also_with_rounds_of_two_kinds():
    capacity = capacity_of(swept(lambda step: step.rate_rps > (1000 if step.round <= 3 else 200), rounds=6))
    assert capacity.rate_rps.estimate == 200


def test_a_round_whose_next_rate_is_void_says_nothing():
    run = swept(above(2000), rounds=6)

    def void(record, *, rounds):
        step = record.slice
        late = step.rate_rps == 1000 and step.round <= rounds
        return replace(record, void="the load generator sent late") if late else record

    for rounds in (4, 6):
        capacity = capacity_of(with_records(run, partial(void, rounds=rounds)))
        assert (capacity.rate_rps.estimate, capacity.at_least) == (1000 if rounds == 4 else 500, True)
    slow = with_records(swept(above(500), rounds=6), partial(void, rounds=4))
    assert (capacity_of(slow).rate_rps.estimate, capacity_of(slow).at_least) == (500, False)


@pytest.mark.parametrize(("late", "kept"), [(6, True), (7, False)])
def test_one_request_in_a_hundred_may_be_late_over_all_slices_of_a_round(late, kept):
    """Two slices of 325 requests: 6.5 of them, all in one slice if need be."""

    def change(record):
        step = record.slice
        if (step.role, step.rate_rps, step.sweep) != ("measure", 500, 1):
            return record
        latency = Histogram.of([200_000_000] * late + [1_000_000] * (325 - late))
        return replace(record, sample=replace(record.sample, latency=latency))

    run = with_records(swept(above(500), rounds=1, sweeps=2), change)
    assert capacity_of(run).rate_rps.estimate == (500 if kept else 200)


@pytest.mark.parametrize("lost", [{"unfinished": 1}, {"failures": {"status 500": 1}}])
def test_a_rate_with_a_request_that_was_not_answered_does_not_count(lost):
    def lose(record):
        return replace(record, sample=replace(record.sample, **lost))

    run = swept(above(2000))
    run = with_records(run, lambda record: lose(record) if record.slice.rate_rps == 1000 else record)
    assert capacity_of(run).rate_rps.estimate == 500


def test_a_rate_whose_answers_are_wrong_in_some_rounds_was_not_kept():
    """More than one wrong answer in a thousand: the row is withheld, also if four of six rounds had none."""

    def wrong(record):
        step = record.slice
        sample = replace(record.sample, failures={"status 500": 50})
        return replace(record, sample=sample) if step.rate_rps == 1000 and step.round <= 2 else record

    assert capacity_of(with_records(swept(above(2000), rounds=6), wrong)).rate_rps.estimate == 500


def test_a_rate_that_the_client_could_not_keep_up_makes_it_a_bound():
    def busy(record):
        usage = replace(record.usage, busy_s={"0": 0.0, "1": record.usage.elapsed_s})
        return replace(record, usage=usage)

    run = swept(above(500))
    run = with_records(run, lambda record: busy(record) if record.slice.rate_rps == 1000 else record)
    assert capacity_of(run).at_least


def test_without_an_objective_or_rates_there_is_none():
    run = swept(above(500))
    assert analyse(replace(run, plan=replace(run.plan, slo_ms=None))).capacities == ()
    assert analyse(synthetic_run({"flask": 400}, slo_ms=100)).capacities == ()
