import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.analysis import analyse
from bench.analysis.comparisons import blocked, more_rounds, proven_faster, verdict_of
from bench.analysis.statistics import Estimate
from tests.support.synthetic import synthetic_run


def ratio(low, high):
    return Estimate(estimate=math.sqrt(low * high), low=low, high=high, level=0.96)


@pytest.mark.parametrize(
    ("low", "high", "of_throughput", "of_demand"),
    [
        (1.06, 1.20, "faster", "slower"),
        (0.80, 0.95, "slower", "faster"),
        (1.04, 1.20, "inconclusive", "inconclusive"),
        (0.97, 1.04, "equivalent", "equivalent"),
        (0.80, 1.20, "inconclusive", "inconclusive"),
        (0.955, 1.01, "equivalent", "equivalent"),  # 1 / 1.05 = 0.952
        (0.950, 1.01, "inconclusive", "inconclusive"),
    ],
)
def test_a_verdict_is_where_the_interval_lies(low, high, of_throughput, of_demand):
    assert verdict_of("throughput_rps", ratio(low, high), 0.05) == of_throughput
    assert verdict_of("service_demand_us", ratio(low, high), 0.05) == of_demand


def test_without_an_interval_there_is_no_verdict():
    assert verdict_of("throughput_rps", None, 0.05) == "invalid"
    assert verdict_of("throughput_rps", Estimate(estimate=2.0), 0.05) == "invalid"
    assert not proven_faster("throughput_rps", Estimate(estimate=2.0))


ends = st.floats(min_value=0.2, max_value=5)


@given(ends, ends, st.floats(min_value=0.001, max_value=0.5))
def test_seen_from_the_other_side_faster_is_slower(one, other, margin):
    low, high = sorted((one, other))
    # Right on the margin the last digit of 1 / x decides.
    assume(all(abs(abs(math.log(end)) - math.log1p(margin)) > 1e-9 for end in (low, high)))
    opposite = {"faster": "slower", "slower": "faster"}
    here = verdict_of("throughput_rps", ratio(low, high), margin)
    there = verdict_of("throughput_rps", ratio(1 / high, 1 / low), margin)
    assert there == opposite.get(here, here)


@given(ends, ends, st.floats(min_value=0.001, max_value=0.5))
def test_what_is_faster_by_more_than_the_margin_is_proven_faster(one, other, margin):
    low, high = sorted((one, other))
    for metric in ("throughput_rps", "service_demand_us"):
        if verdict_of(metric, ratio(low, high), margin) == "faster":
            assert proven_faster(metric, ratio(low, high))


def test_the_rounds_still_needed_follow_from_the_distance_to_the_margin():
    wide = ratio(1.10 / 1.1, 1.10 * 1.1)  # 10 % wide on each side, log(1.10/1.05) = 4.7 % away
    assert more_rounds(wide, 9, 0.05) == math.ceil(9 * (math.log(1.1) / math.log(1.1 / 1.05)) ** 2) - 9
    assert more_rounds(ratio(1.05 / 1.1, 1.05 * 1.1), 9, 0.05) is None
    assert more_rounds(Estimate(estimate=1.1), 9, 0.05) is None


def verdicts(run, metric="throughput_rps"):
    return {one.cell.contender: one.verdict for one in analyse(run).comparisons if one.metric == metric}


def ranks(run):
    return {row.cell.contender: row.rank for row in analyse(run).rows}


SPEEDS = {"flask": 4000.0, "fastapi": 10_000.0, "django": 4020.0, "django-drf": 2000.0, "flask~aa": 4000.0}


def test_a_run_says_who_is_faster_by_more_than_the_plans_margin():
    run = synthetic_run(SPEEDS, noise=0.01)
    expected = {"fastapi": "faster", "django": "equivalent", "django-drf": "slower", "flask~aa": "equivalent"}
    assert verdicts(run) == expected
    wide = replace(run, plan=replace(run.plan, margins={"throughput_rps": 0.9, "service_demand_us": 0.9}))
    assert verdicts(wide)["fastapi"] == "faster"
    assert verdicts(wide)["django-drf"] == "slower"
    assert verdicts(wide)["django"] == "equivalent"


def test_rank_is_one_more_than_how_many_were_proven_faster_and_equals_share_it():
    run = synthetic_run(SPEEDS, noise=0.02)
    assert ranks(run) == {"fastapi": 1, "flask": 2, "django": 2, "django-drf": 4, "flask~aa": None}


def test_with_too_few_rounds_there_is_neither_verdict_nor_rank():
    run = synthetic_run(SPEEDS, rounds=5)
    assert set(verdicts(run).values()) == {"invalid"}
    assert set(ranks(run).values()) == {None}


def test_a_twin_that_differs_from_its_original_blocks_every_verdict():
    run = synthetic_run(SPEEDS | {"flask~aa": 4800.0}, noise=0.01)
    assert set(verdicts(run).values()) == {"inconclusive", "equivalent"}
    held = {one.cell.contender for one in analyse(run).comparisons if one.blocked}
    assert held >= {"fastapi", "django-drf"}


def test_a_verdict_smaller_than_what_the_twin_shows_is_blocked_and_a_greater_one_is_not():
    floor = Estimate(estimate=1.08, low=0.98, high=1.18, level=0.96)
    assert blocked("throughput_rps", ratio(1.06, 1.07), floor, 0.05)
    assert not blocked("throughput_rps", ratio(1.5, 1.6), floor, 0.05)
    assert not blocked("throughput_rps", ratio(1.06, 1.07), None, 0.05)
