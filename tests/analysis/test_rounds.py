from dataclasses import replace
from statistics import median

import pytest

from bench.analysis import analyse
from bench.analysis.measures import rounds_of
from tests.support.synthetic import failing, rate, synthetic_run, with_records

PAIR = {"flask": 4_000, "fastapi": 9_000}


def of(run, contender):
    (found,) = (rounds for cell, rounds in rounds_of(run).items() if cell.contender == contender)
    return found


def test_estimates_are_medians_of_what_the_rounds_say():
    run = synthetic_run(PAIR)
    analysis = analyse(run)
    (row,) = (row for row in analysis.rows if row.cell.contender == "fastapi")
    rounds = of(run, "fastapi")
    assert [one.number for one in rounds] == list(range(1, 10))
    assert median(one.throughput_rps for one in rounds) == row.throughput_rps.estimate
    assert median(one.service_demand_us for one in rounds) == row.service_demand_us.estimate
    (comparison,) = (one for one in analysis.comparisons if one.metric == "throughput_rps")
    assert median(one.ratio for one in rounds) == pytest.approx(comparison.ratio.estimate)
    assert sum(one.requests for one in rounds) == row.requests
    assert {one.ratio for one in of(run, "flask")} == {1.0}


def test_at_a_given_rate_the_ratio_is_that_of_cpu():
    rounds = of(synthetic_run(PAIR, loads=(rate(0.5, of="slowest"),), noise=0), "fastapi")
    assert rounds[0].ratio == pytest.approx(4 / 9)


def test_voids_and_failures_stay_in_their_round_and_leave_no_number():
    def change(record):
        if record.slice.cell.contender != "fastapi":
            return record
        if record.slice.round == 2:
            return replace(record, void="foreign CPU")
        return failing(record) if record.slice.round == 3 else record

    first, void, failed, *_ = of(with_records(synthetic_run(PAIR), change), "fastapi")
    assert (first.voids, first.failed) == (0, 0)
    assert (void.voids, void.throughput_rps, void.ratio, void.memory_bytes) == (3, None, None, None)
    assert (failed.throughput_rps, failed.ratio, failed.service_demand_us) == (0, None, None)
    assert failed.failed > 0


def test_without_a_reference_there_are_no_ratios():
    assert {one.ratio for one in of(synthetic_run({"django": 200}, rounds=2), "django")} == {None}
