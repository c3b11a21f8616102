"""Verdicts on changes, each of them and all together; the runs they come from are in test_comparing."""

import math
from dataclasses import replace

import pytest

from bench.analysis.comparisons import Comparison
from bench.analysis.statistics import Estimate
from bench.compare.run_changes import change_of, judged_together
from bench.loads import Closed
from bench.model.cell import Cell

LOAD = Closed(connections=32)
STEADY = (-0.01, -0.005, 0.0, 0.005, 0.01, 0.015)


def comparison(contender="fastapi", metric="service_demand_us", **changes):
    made = Comparison(
        cell=Cell(contender=contender, scenario="hello", load=LOAD),
        reference="flask",
        metric=metric,
        ratio=Estimate(estimate=1.0, low=0.99, high=1.01, level=0.969),
        pairs=18,
        dropped=0,
        rounds=6,
    )
    return replace(made, **changes)


def change(by=0.0, contender="fastapi", metric="service_demand_us", margin=0.03, before=STEADY, **changes):
    seen = comparison(contender, metric, **changes)
    after = tuple(value + by for value in STEADY)
    return change_of(seen, seen, (before, after), margin)


def verdicts(*changes, floors=((), ())):
    return [one.verdict for one in judged_together(changes, floors)]


def test_the_change_is_the_shift_of_the_log_ratios_as_a_ratio():
    found = change(by=math.log(1.1)).change
    assert found.estimate == pytest.approx(1.1)
    assert found.low < 1.1 < found.high
    orders = 1 + 1 + 2 + 3 + 5 + 7  # with U = 0…5
    assert found.level == pytest.approx(1 - 2 * orders / math.comb(12, 6))


@pytest.mark.parametrize(
    ("by", "of_demand", "of_throughput"),
    [
        (0.1, "slower", "faster"),
        (-0.1, "faster", "slower"),
        (0.0, "equivalent", "equivalent"),
        (0.03, "inconclusive", "inconclusive"),
    ],
)
def test_which_side_is_worse_depends_on_the_metric(by, of_demand, of_throughput):
    assert verdicts(change(by)) == [of_demand]
    assert verdicts(change(by, metric="throughput_rps")) == [of_throughput]


def test_six_rounds_tell_one_slow_cell_but_not_among_sixty():
    slow = change(0.1)
    others = [change(0.0, contender=f"app{number}") for number in range(59)]
    (alone,) = judged_together([slow], ((), ()))
    among, *rest = judged_together([slow, *others], ((), ()))
    assert alone.adjusted_p == pytest.approx(1 / math.comb(12, 6))
    assert (alone.verdict, alone.why) == ("slower", "")
    assert among.adjusted_p == pytest.approx(60 / math.comb(12, 6))
    assert (among.verdict, among.change) == ("inconclusive", alone.change)
    assert among.why == "alone it would be slower, among so many it may be chance"
    assert {one.verdict for one in rest} == {"equivalent"}


def test_what_does_not_compare_does_not_count_among_the_others():
    slow = change(0.1)
    withheld = [change(contender=f"app{n}", withheld="the client was the limit") for n in range(59)]
    assert verdicts(slow, *withheld) == ["slower", *["invalid"] * 59]


@pytest.mark.parametrize("which", [0, 1])
def test_a_noise_floor_of_either_run_blocks(which):
    twin = comparison("flask~aa", ratio=Estimate(estimate=1.2, low=1.1, high=1.3, level=0.969))
    floors = ((twin,), ()) if which == 0 else ((), (twin,))
    assert verdicts(change(0.1), change(0.0, contender="django"), floors=floors) == [
        "inconclusive",
        "equivalent",
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"withheld": "fastapi client-limited"}, "fastapi client-limited in the baseline"),
        ({"rounds": 0}, "no sweep of the baseline in which both it and flask have a value"),
        ({"rounds": 5}, "5 of the 6 rounds that are needed in the baseline"),
    ],
)
def test_what_is_in_the_way_is_said_and_there_is_no_number(changes, why):
    (found,) = judged_together([change(0.1, **changes)], ((), ()))
    assert (found.verdict, found.change, found.adjusted_p, found.why) == ("invalid", None, None, why)
