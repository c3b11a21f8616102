import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.compare.significance import holm, p_beyond, shift_of

groups = st.lists(st.floats(min_value=-10, max_value=10), min_size=6, max_size=10)


def drawn(seed, m, n, shift=0.0):
    random = np.random.default_rng(seed)
    return random.normal(shift, 1, m).tolist(), random.normal(0, 1, n).tolist()


def test_the_shift_is_the_median_of_all_differences():
    assert shift_of([10.0, 11.0, 15.0], [1.0, 2.0]).estimate == 9.5  # 8 9 | 9 10 | 13 14
    assert shift_of([1.0], []) is None


@pytest.mark.parametrize(("m", "n"), [(6, 6), (6, 9), (9, 6), (9, 9), (12, 8), (20, 20)])
def test_the_interval_holds_exactly_what_mann_and_whitneys_test_does_not_refuse(m, n):
    values, others = drawn([m, n], m, n, 0.5)
    found = shift_of(values, others)
    assert found.level >= 0.95
    edges = ((found.low, -1e-9, False), (found.low, 1e-9, True), (found.high, -1e-9, True))
    for edge, step, inside in (*edges, (found.high, 1e-9, False)):
        moved = np.array(values) - edge - step
        p = scipy_stats.mannwhitneyu(moved, others, method="exact").pvalue
        assert (p > 1 - found.level + 1e-12) == inside


@pytest.mark.parametrize(("m", "n"), [(6, 6), (9, 7), (12, 20)])
@pytest.mark.parametrize("margin", [0.0, 0.4])
def test_p_is_that_of_mann_and_whitneys_exact_test_against_the_margin(m, n, margin):
    values, others = drawn([m, n, 1], m, n, 0.8)
    for towards, alternative in ((1, "greater"), (-1, "less")):
        moved = np.array(values) - towards * margin
        expected = scipy_stats.mannwhitneyu(moved, others, alternative=alternative, method="exact")
        assert p_beyond(values, others, margin, towards) == pytest.approx(expected.pvalue)


def test_the_level_is_the_share_of_orders_that_keep_nought_inside():
    places, m, kept = [2.0**i for i in range(12)], 6, 0
    for chosen in combinations(range(12), m):
        values = [places[i] for i in chosen]
        others = [places[i] for i in range(12) if i not in chosen]
        found = shift_of(values, others)
        kept += found.low <= 0 <= found.high
    assert kept / math.comb(12, m) == pytest.approx(found.level)


def test_with_fewer_than_six_on_either_side_there_is_no_interval():
    values, others = drawn(3, 5, 20)
    assert shift_of(values, others).low is None
    assert shift_of(others, values).level is None


def test_a_difference_right_on_the_margin_is_not_beyond_it():
    assert p_beyond([1.0] * 6, [0.0] * 6, 1.0, 1) == 1.0
    assert p_beyond([1.0] * 6, [0.0] * 6, 0.5, 1) == pytest.approx(1 / math.comb(12, 6))


@given(groups, groups)
def test_seen_from_the_other_side_the_shift_is_the_opposite(values, others):
    there, back = shift_of(values, others), shift_of(others, values)
    assert (back.estimate, back.low, back.high) == pytest.approx((-there.estimate, -there.high, -there.low))
    assert there.low <= there.estimate <= there.high


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=8))
def test_holm_lies_between_the_p_alone_and_bonferronis_and_keeps_the_order(ps):
    adjusted = holm(ps)
    assert all(p <= own <= min(1.0, len(ps) * p) + 1e-12 for p, own in zip(ps, adjusted, strict=True))
    assert [own for _, own in sorted(zip(ps, adjusted, strict=True))] == sorted(adjusted)
