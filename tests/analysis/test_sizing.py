"""How many rounds are needed, told from the spread alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.analysis.statistics import half_width_at, rounds_for, spread_of


@pytest.mark.parametrize("rounds", [6, 9, 12, 20, 200])
def test_the_width_to_be_expected_is_that_of_students_interval(rounds):
    student = scipy_stats.t.ppf(0.975, rounds - 1)
    assert half_width_at(0.03, rounds) == pytest.approx(student * 0.03 / math.sqrt(rounds), rel=2e-3)


def test_steins_number_of_rounds():
    # t₈ = 2.306: (2.306 · 0.05 / 0.025)² = 21.3
    assert rounds_for(0.05, 0.025, pilot=9) == 22


def test_never_fewer_rounds_than_an_interval_needs():
    assert rounds_for(0.001, 0.025, pilot=9) == 6


def test_the_effect_does_not_show_in_the_spread():
    assert spread_of([0.01, 0.03, 0.02]) == pytest.approx(spread_of([5.01, 5.03, 5.02]))


@pytest.mark.parametrize("values", [[], [0.2]])
def test_there_is_no_spread_of_a_single_round(values):
    assert spread_of(values) is None


@given(st.floats(0.001, 0.5), st.floats(0.001, 0.5), st.integers(6, 30))
def test_a_narrower_interval_never_takes_fewer_rounds(spread, half_width, pilot):
    assert rounds_for(spread, half_width / 2, pilot) >= rounds_for(spread, half_width, pilot)
