import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.compare.significance import FALSE_ALARMS, MOST, FamilyCell, adjusted_p


def member(values, margin=0.0, towards=1):
    """Return one cell; None is a round that it has not got."""
    ratios = {number: value for number, value in enumerate(values) if value is not None}
    return FamilyCell(log_ratios=ratios, log_margin=margin, towards=towards)


def drawn(seed, *, rounds=9, cells=4, shift=0.0):
    values = np.random.default_rng(seed).normal(shift, 0.02, (cells, rounds))
    return [member(row.tolist()) for row in values]


def test_a_cell_that_is_beyond_in_every_round_is_one_flip_of_all():
    assert adjusted_p([member([1, 2, 3])]) == (1 / 8,)


def test_by_hand_for_three_rounds():
    # Held to 1.5 × 2 = 3: −1 + 2 + 3 = 4. Of ±1 ± 2 ± 3, 6 and 4 reach it.
    assert adjusted_p([member([-1, 2, 5])]) == (2 / 8,)


def test_by_hand_for_two_cells_that_share_rounds():
    # Equal sizes: the strong one has sum 3, the weak one 1 (over √3). Signs of the weak one relative to the
    # strong one's are + + −. Strong: flips where either sums to 3: + + + for it, + + − for the other.
    # Weak: alone once the strong one is decided on: of three signs, at least two are +.
    strong, weak = member([1, 1, 1]), member([1, 1, -1])
    assert adjusted_p([strong, weak]) == (2 / 8, 4 / 8)


def test_cells_that_say_the_same_cost_nothing():
    one = member([0.01, 0.03, 0.02, -0.01, 0.05, 0.04])
    assert set(adjusted_p([one] * 20)) == set(adjusted_p([one]))


def test_what_is_far_inside_its_margin_hardly_costs_the_others():
    slow = member([0.06, 0.07, 0.08, 0.09, 0.07, 0.08, 0.06, 0.09, 0.07], margin=0.05)
    unchanged = [replace(cell, log_margin=0.2) for cell in drawn(3, cells=17)]
    assert adjusted_p([slow, *unchanged])[0] <= 3 / 2**9
    assert min(adjusted_p([slow, *unchanged])[1:]) == 1.0


@pytest.mark.parametrize("seed", range(4))
def test_one_cell_has_the_exact_p_of_a_permutation_of_signs(seed):
    values = np.random.default_rng(seed).normal(0.01, 0.02, 9)

    def held_sum(sample, axis):
        most = MOST * np.median(np.abs(sample), axis=axis, keepdims=True)
        return np.clip(sample, -most, most).sum(axis=axis)

    expected = scipy_stats.permutation_test(
        (values,), held_sum, permutation_type="samples", alternative="greater", n_resamples=np.inf
    ).pvalue
    assert adjusted_p([member(values.tolist())]) == (pytest.approx(expected),)


def test_beyond_twelve_rounds_drawn_flips_come_close_to_all_of_them():
    values = np.random.default_rng(5).normal(0.008, 0.02, 14)
    most = MOST * np.median(np.abs(values))
    held = np.clip(values, -most, most)
    signs = 1 - 2 * (np.arange(2**14)[:, None] >> np.arange(14) & 1)
    exact = np.mean(signs @ np.abs(held) >= held.sum() - 1e-9)
    (p,) = adjusted_p([member(values.tolist())])
    assert p == pytest.approx(exact, abs=3 * math.sqrt(exact * (1 - exact) / 10_000))
    assert adjusted_p([member([0.1] * 20)]) == (pytest.approx(1e-4, abs=2e-4),)


def test_a_burst_does_not_hide_a_slowdown():
    steady = [0.07, 0.08, 0.06, 0.09, 0.07, 0.08, 0.07, 0.06]
    (p,) = adjusted_p([member([*steady, -0.9], margin=0.03)])
    assert p <= FALSE_ALARMS
    assert scipy_stats.ttest_1samp([*steady, -0.9], 0.03, alternative="greater").pvalue > 0.5


def test_a_missing_round_is_not_made_up():
    values = [0.01, 0.02, -0.005, 0.03, 0.015, 0.02]
    assert adjusted_p([member([*values, None])]) == adjusted_p([member(values)])
    few, many = adjusted_p([member([0.1, 0.1, 0.1, *[None] * 6]), member([0.1] * 9)])
    assert few >= 1 / 8
    assert many <= 3 / 2**9


def test_the_direction_that_is_asked_about_decides():
    values = [0.1] * 8
    up, down = (adjusted_p([member(values, margin=0.05, towards=towards)]) for towards in (1, -1))
    assert (up, down) == ((1 / 2**8,), (1.0,))
    mirrored = [member([-value for value in values], margin=0.05, towards=-1)]
    assert adjusted_p(mirrored) == up


def test_nothing_to_go_by_is_never_beyond():
    assert adjusted_p([]) == ()
    assert adjusted_p([member([])]) == (1.0,)
    assert adjusted_p([member([0.05] * 9, margin=0.05)]) == (1.0,)
    assert adjusted_p([member([]), member([0.1] * 9)]) == (1.0, 1 / 2**9)


families = st.lists(
    # Thousandths: half of the least float is 0, so that its unit would matter.
    st.lists(st.integers(-1000, 1000).map(lambda n: n / 1000) | st.none(), min_size=7, max_size=7).map(
        member
    ),
    min_size=1,
    max_size=5,
)


@given(families)
def test_the_family_never_says_more_than_a_cell_alone(family):
    alone = [adjusted_p([cell])[0] for cell in family]
    assert all(p >= own - 1e-12 for p, own in zip(adjusted_p(family), alone, strict=True))


@given(families, st.randoms(use_true_random=False))
def test_the_order_of_cells_and_the_numbers_of_rounds_do_not_matter(family, random):
    order = random.sample(range(len(family)), len(family))
    numbers = random.sample(range(100), 7)
    renamed = [
        replace(family[at], log_ratios={numbers[number]: x for number, x in family[at].log_ratios.items()})
        for at in order
    ]
    ps = adjusted_p(family)
    assert adjusted_p(renamed) == pytest.approx([ps[at] for at in order])


@given(families, st.floats(min_value=1e-3, max_value=1e3))
def test_the_unit_of_what_is_measured_does_not_matter(family, unit):
    scaled = [
        replace(cell, log_ratios={number: x * unit for number, x in cell.log_ratios.items()})
        for cell in family
    ]
    assert adjusted_p(scaled) == pytest.approx(adjusted_p(family))


@pytest.mark.parametrize("seed", range(5))
def test_the_wider_the_margin_the_less_is_beyond_it(seed):
    family = drawn(seed, shift=0.03)
    ps = [
        adjusted_p([replace(cell, log_margin=margin) for cell in family])
        for margin in (0.0, 0.01, 0.02, 0.04, 0.08)
    ]
    assert all(
        narrow <= wide for lower, higher in pairwise(ps) for narrow, wide in zip(lower, higher, strict=True)
    )


def test_the_same_family_gets_the_same_answer():
    family = drawn(1, rounds=20)
    assert adjusted_p(family) == adjusted_p(list(family))
