"""A server compared with itself, from its first slice to its last."""

import math
from dataclasses import replace
from random import Random

import pytest

from bench.analysis import analyse
from bench.analysis.steadiness import first_answers
from bench.records import Start
from tests.support.synthetic import rate, synthetic_run, with_records


def run_with(trend, *, rounds=9, sweeps=6, noise=0.0, jitter=0.0, loads=()):
    """Return a run whose servers gain *trend* (a log) per sweep, each slice off by *jitter*."""
    random = Random(3)

    def change(record):
        if record.slice.role != "measure":
            return record
        scale = math.exp(trend * record.slice.sweep + random.gauss(0, jitter))
        latency = record.sample.latency
        counts = (round(latency.count * scale),)
        once = replace(latency, buckets=latency.buckets[:1], counts=counts)
        return replace(record, sample=replace(record.sample, latency=once))

    run = synthetic_run({"flask": 400}, rounds=rounds, sweeps=sweeps, noise=noise, loads=loads)
    return with_records(replace(run, fingerprint={}), change)


def row_of(run):
    (row,) = analyse(run).rows
    return row


def test_a_server_that_goes_on_as_it_began_is_flat():
    row = row_of(run_with(0.0, noise=0.03))
    assert row.steadiness.state == "flat"
    assert row.steadiness.span_s == 25.0
    assert row.caveats == ()


@pytest.mark.parametrize(("trend", "state"), [(0.01, "warming"), (-0.01, "slowing")])
def test_a_trend_is_told_with_its_slope(trend, state):
    row = row_of(run_with(trend, noise=0.002))
    assert row.steadiness.state == state
    assert row.steadiness.change.estimate == pytest.approx(math.exp(5 * trend), rel=0.01)
    (caveat,) = row.caveats
    assert caveat.startswith(f"{state}: a server's speed changed by {'+5' if trend > 0 else '-4'}.")
    assert caveat.endswith("from its first slice to its last, 25 s later")


def test_a_trend_too_small_to_matter_is_none():
    assert row_of(run_with(0.002)).steadiness.state == "flat"


def test_noise_alone_is_no_trend_but_makes_a_server_unsteady():
    row = row_of(run_with(0.0, jitter=0.5))
    assert row.steadiness.state == "unsteady"
    assert row.steadiness.deviation > 0.15
    (caveat,) = row.caveats
    assert caveat.startswith("unsteady: half of a server's slices lie over")


@pytest.mark.parametrize("shape", [{"rounds": 7}, {"sweeps": 1}])
def test_too_little_to_tell_is_said(shape):
    assert row_of(run_with(0.05, **shape)).steadiness.state is None


def test_at_a_given_rate_more_cpu_per_request_is_slower():
    def dearer(record):
        used = record.usage.server_cpu_s * (1 + 0.05 * record.slice.sweep)
        return replace(record, usage=replace(record.usage, server_cpu_s=used))

    run = with_records(synthetic_run({"flask": 400}, loads=(rate(0.5),), noise=0.001), dearer)
    assert row_of(run).steadiness.state == "slowing"


def test_a_void_slice_says_nothing():
    def lose(record):
        return replace(record, void="noise") if record.slice.role == "measure" else record

    assert row_of(with_records(run_with(0.0), lose)).steadiness is None


def test_a_warm_up_of_too_few_requests_is_a_caveat():
    run = run_with(0.0)
    (one,) = run.contenders
    two_workers = replace(run, contenders=(replace(one, workers=4),))
    assert row_of(two_workers).caveats == ("warmed up by 250 requests per worker: 500 are due",)


def test_the_time_to_the_first_answer_is_told_by_contender():
    starts = [Start(contender="flask", round=n, ready_s=0.4 + n / 100) for n in range(1, 10)]
    run = replace(run_with(0.0), starts=(*starts, Start(contender="django", round=1, ready_s=0.9)))
    told = first_answers(run)
    assert told["flask"].estimate == pytest.approx(0.45)
    assert (told["flask"].low, told["flask"].high) == (pytest.approx(0.42), pytest.approx(0.48))
    assert (told["django"].estimate, told["django"].low) == (0.9, None)
