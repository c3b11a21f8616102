import math
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from bench.analysis.statistics import (
    FEWEST_FOR_INTERVAL,
    Estimate,
    difference_of,
    estimate_of,
    hodges_lehmann,
    median_interval,
    medians_by_round,
    paired_log_ratios,
    ratio_of,
)

# Whole numbers, so that shifts and scales are exact.
values = st.lists(st.integers(-(10**6), 10**6).map(float), min_size=6, max_size=30)


@pytest.mark.parametrize(
    ("rounds", "low", "high", "level"),
    [
        (6, 1, 6, 0.969),
        (8, 1, 8, 0.992),
        (9, 2, 8, 0.961),
        (10, 2, 9, 0.979),
        (12, 3, 10, 0.961),
        (15, 4, 12, 0.965),
        (20, 6, 15, 0.959),
    ],
)
def test_interval_is_the_published_pair_of_order_statistics(rounds, low, high, level):
    interval = median_interval(float(rank) for rank in range(rounds, 0, -1))
    assert (interval.low, interval.high) == (low, high)
    assert interval.level == pytest.approx(level, abs=5e-4)


@pytest.mark.parametrize("rounds", range(FEWEST_FOR_INTERVAL))
def test_too_few_rounds_have_no_interval(rounds):
    assert median_interval(range(rounds)) is None


def test_the_fewest_rounds_that_are_promised_have_one():
    assert median_interval(range(FEWEST_FOR_INTERVAL)) is not None


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("rounds", [6, 7, 11, 25, 60, 2000])
def test_level_is_the_binomial_one_and_no_narrower_interval_reaches_it(rounds, level):
    interval = median_interval(range(1, rounds + 1), level)
    if interval is None:
        assert 1 - 2 * binom.cdf(0, rounds, 0.5) < level
        return
    rank = int(interval.low)
    assert interval.high == rounds + 1 - rank
    assert interval.level == pytest.approx(1 - 2 * binom.cdf(rank - 1, rounds, 0.5), rel=1e-9)
    assert interval.level >= level > 1 - 2 * binom.cdf(rank, rounds, 0.5)


@given(values)
def test_interval_contains_the_median(found):
    interval = median_interval(found)
    assert interval.low <= median(found) <= interval.high


@given(values, st.integers(-1000, 1000), st.integers(1, 1000))
def test_interval_moves_and_stretches_with_the_values(found, shift, scale):
    before = median_interval(found)
    after = median_interval(value * scale + shift for value in found)
    assert (after.low, after.high) == (before.low * scale + shift, before.high * scale + shift)


@given(values)
def test_interval_follows_any_rising_transform(found):
    before = median_interval(found)
    after = median_interval(math.atan(value) for value in found)
    assert (after.low, after.high) == (math.atan(before.low), math.atan(before.high))


def test_interval_covers_the_median_as_often_as_it_says():
    random, runs = Random(7), 4000
    intervals = [median_interval(random.lognormvariate(0, 1) for _ in range(9)) for _ in range(runs)]
    covered = sum(interval.low <= 1.0 <= interval.high for interval in intervals) / runs
    level = intervals[0].level
    assert covered == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / runs))


def test_estimate_of_few_values_is_their_median_without_an_interval():
    assert estimate_of([3.0, 1.0, 2.0]) == Estimate(estimate=2.0)
    assert estimate_of([]) is None


def test_rounds_count_by_their_median_over_sweeps():
    swept = {(2, 1): 9.0, (1, 1): 1.0, (1, 2): 2.0, (1, 3): 100.0}
    assert medians_by_round(swept) == {1: 2.0, 2: 9.0}


def test_ratio_is_of_pairs_and_not_of_medians():
    # The machine halves its speed from round to round; the pairs do not notice.
    references = {(number, sweep): 100.0 / 2**number * sweep for number in range(9) for sweep in (1, 2, 3)}
    values = {sweep: 3 * value for sweep, value in references.items()}
    ratio = ratio_of(paired_log_ratios(values, references))
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((3.0, 3.0, 3.0))
    assert ratio.level == pytest.approx(0.961, abs=5e-4)


def test_ratio_is_a_geometric_mean_where_two_rounds_are_in_the_middle():
    pairing = paired_log_ratios({(1, 1): 2.0, (2, 1): 8.0}, {(1, 1): 1.0, (2, 1): 1.0})
    assert ratio_of(pairing) == Estimate(estimate=pytest.approx(4.0))


def test_sweeps_without_a_partner_or_with_nothing_done_drop_out_and_are_counted():
    values = {(1, 1): 20.0, (1, 2): 0.0, (1, 3): 20.0, (2, 1): 0.0}
    references = {(1, 1): 10.0, (1, 2): 10.0, (2, 1): 10.0, (2, 2): 10.0}
    pairing = paired_log_ratios(values, references)
    assert pairing.log_ratios == {1: pytest.approx(math.log(2))}
    assert (pairing.pairs, pairing.dropped) == (1, 4)


def test_no_pair_has_no_ratio():
    assert ratio_of(paired_log_ratios({(1, 1): 1.0}, {(1, 2): 1.0})) is None


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)), min_size=1, max_size=12))
def test_swapping_the_two_inverts_the_ratio(pairs):
    ours = {(number, 1): pair[0] for number, pair in enumerate(pairs)}
    theirs = {(number, 1): pair[1] for number, pair in enumerate(pairs)}
    there = ratio_of(paired_log_ratios(ours, theirs))
    back = ratio_of(paired_log_ratios(theirs, ours))
    assert there.estimate == pytest.approx(1 / back.estimate)
    if there.low is not None:
        assert (there.low, there.high) == pytest.approx((1 / back.high, 1 / back.low))


def test_from_twelve_rounds_on_a_difference_has_a_narrower_interval_than_the_median_has():
    random = Random(3)
    drawn = [random.gauss(0.1, 0.02) for _ in range(12)]
    assert difference_of(drawn[:11]) == estimate_of(drawn[:11])
    ours, medians = difference_of(drawn), estimate_of(drawn)
    assert ours.high - ours.low < medians.high - medians.low
    assert ours.level == pytest.approx(0.9575, abs=5e-4)
    assert ours.estimate == hodges_lehmann(drawn)
