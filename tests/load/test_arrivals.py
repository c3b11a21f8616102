from itertools import pairwise
from statistics import fmean

import pytest
from scipy import stats

from bench.load.arrivals import Share, due_offsets


def offsets(arrivals="poisson", rate_rps=1000.0, *, seed=1, lead_in_s=0.0, window_s=20.0) -> list[int]:
    return due_offsets(arrivals, rate_rps, seed=seed, lead_in_s=lead_in_s, window_s=window_s)


@pytest.mark.parametrize("rate_rps", [50.0, 1000.0, 20_000.0])
def test_poisson_gaps_are_exponential_with_the_mean_that_the_rate_says(rate_rps):
    due = offsets(rate_rps=rate_rps, window_s=20_000 / rate_rps)
    gaps_s = [(later - earlier) / 1e9 for earlier, later in pairwise(due)]
    # Of 20,000 exponential gaps the mean is within 3 % (over four standard errors) as good as always.
    assert fmean(gaps_s) == pytest.approx(1 / rate_rps, rel=0.03)
    assert stats.kstest(gaps_s, "expon", args=(0, 1 / rate_rps)).pvalue > 0.001
    assert len(due) == pytest.approx(20_000, rel=0.03)


def test_poisson_gaps_do_not_depend_on_the_one_before():
    gaps = [later - earlier for earlier, later in pairwise(offsets())]
    assert abs(stats.spearmanr(gaps[1:], gaps[:-1]).statistic) < 4 / len(gaps) ** 0.5


def test_a_seed_is_a_schedule():
    assert offsets(seed=7) == offsets(seed=7)
    assert offsets(seed=7) != offsets(seed=8)


def test_another_rate_stretches_the_same_schedule():
    slow, fast = offsets(rate_rps=500, window_s=20), offsets(rate_rps=1000, window_s=10)
    assert len(slow) == len(fast)
    assert [round(at / 2) for at in slow] == pytest.approx(fast, abs=1)


@pytest.mark.parametrize("arrivals", ["poisson", "uniform"])
def test_what_is_due_in_the_lead_in_lies_before_the_window(arrivals):
    due = offsets(arrivals, lead_in_s=1.0, window_s=2.0)
    assert due == sorted(due)
    assert -1e9 <= due[0] < 0
    assert 0 < due[-1] < 2e9
    assert sum(at < 0 for at in due) == pytest.approx(1000, abs=150)


@pytest.mark.parametrize(
    ("rate_rps", "window_s"), [(500, 0.65), (333, 0.65), (1, 0.5), (3, 2.5), (2000, 1), (1e9 / 7, 7e-6)]
)
def test_a_uniform_window_has_as_many_as_rate_and_length_say_evenly_spaced(rate_rps, window_s):
    due = [at for at in offsets("uniform", rate_rps, lead_in_s=window_s, window_s=window_s) if at >= 0]
    assert abs(len(due) - rate_rps * window_s) <= 0.5 + 1e-9
    assert all(at < window_s * 1e9 for at in due)
    gap_ns = 1e9 / rate_rps
    assert due == pytest.approx([(number + 0.5) * gap_ns for number in range(len(due))], abs=1)


def test_uniform_gaps_go_on_across_the_opening_of_the_window():
    gaps = {later - earlier for earlier, later in pairwise(offsets("uniform", 500, lead_in_s=0.1))}
    assert gaps == {2_000_000}


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_the_parts_of_all_shares_make_up_the_whole_and_none_is_twice(of):
    whole = offsets()
    parts = [Share(index, of).part(whole) for index in range(of)]
    assert sorted(at for part in parts for at in part) == whole
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts[-1][0] == whole[of - 1]


def test_alone_a_share_is_the_whole():
    assert Share().part(offsets()) == offsets()


def test_a_part_of_a_poisson_schedule_is_as_regular_as_its_size_says():
    """Every third arrival of a Poisson process comes in gaps of the Erlang distribution with k = 3."""
    part = Share(1, 3).part(offsets())
    gaps_s = [(later - earlier) / 1e9 for earlier, later in pairwise(part)]
    assert stats.kstest(gaps_s, "gamma", args=(3, 0, 0.001)).pvalue > 0.001
