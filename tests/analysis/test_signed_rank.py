from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.analysis.statistics import hodges_lehmann, signed_rank_interval, walsh_averages

numbers = st.lists(st.floats(min_value=-10, max_value=10), min_size=6, max_size=20)


def ends(values, level):
    interval = signed_rank_interval(values, level)
    return interval.low, interval.high, interval.level


def test_walsh_averages_are_of_all_pairs():
    assert walsh_averages([1, 2, 6]) == [1, 1.5, 2, 3.5, 4, 6]
    assert hodges_lehmann([1, 2, 6]) == 2.75


@pytest.mark.parametrize(
    ("n", "k", "level"),
    # Hollander, Wolfe & Chicken, table A.4: P(T⁺ ≥ x) for n = 6, 12; n = 20 after Wilcoxon's tables.
    [(6, 1, 1 - 2 * 0.0156), (12, 14, 1 - 2 * 0.0212), (20, 53, 1 - 2 * 0.0242)],
)
def test_the_interval_stands_where_the_tables_have_it(n, k, level):
    values = [2.0**i for i in range(n)]  # no two averages alike
    low, high, reached = ends(values, 0.95)
    averages = walsh_averages(values)
    assert (low, high) == (averages[k - 1], averages[-k])
    assert reached == pytest.approx(level, abs=1e-4)


def test_too_few_values_have_no_interval():
    assert signed_rank_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.95) is None


@pytest.mark.parametrize("n", [6, 9, 12, 15])
def test_the_interval_holds_exactly_what_wilcoxons_test_does_not_refuse(n):
    values = np.random.default_rng(n).normal(0.3, 1, n)
    low, high, reached = ends(values, 0.95)
    for shift, inside in ((low - 1e-9, False), (low + 1e-9, True), (high - 1e-9, True), (high + 1e-9, False)):
        p = scipy_stats.wilcoxon(values - shift, mode="exact").pvalue
        assert (p > 1 - reached + 1e-12) == inside


def test_the_level_is_the_share_of_sign_patterns_that_keep_the_centre_inside():
    sizes = [1.0, 2.1, 3.3, 4.7, 6.2, 8.1, 9.9]
    kept = 0
    for signs in product((-1, 1), repeat=len(sizes)):
        values = [sign * size for sign, size in zip(signs, sizes, strict=True)]
        low, high, reached = ends(values, 0.9)
        kept += low <= 0 <= high
    assert kept / 2 ** len(sizes) == pytest.approx(reached)


@given(numbers, st.floats(min_value=-5, max_value=5))
def test_a_shift_of_everything_shifts_the_estimate(values, shift):
    moved = hodges_lehmann([value + shift for value in values])
    assert moved == pytest.approx(hodges_lehmann(values) + shift, abs=1e-9)


@given(numbers)
def test_the_estimate_lies_inside_its_interval(values):
    low, high, reached = ends(values, 0.9)
    assert low <= hodges_lehmann(values) <= high
    assert reached >= 0.9
