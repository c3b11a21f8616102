"""Whether requests were sent as drawn: against scipy, and on what stalls and bursts do to arrivals."""

import math
from itertools import pairwise
from random import Random

import pytest
from scipy import stats

from bench.analysis.voids import BENT
from bench.load.arrivals import due_offsets
from bench.load.gaps import FEWEST, Law, bend, worst_bend


def drawn(seed=1, rate_rps=1_000.0, window_s=2.0):
    return due_offsets("poisson", rate_rps, seed=seed, lead_in_s=0.0, window_s=window_s)


def test_it_is_kolmogorovs_distance_in_stephenss_form():
    due = drawn()
    gaps = [later - one for one, later in pairwise(due)]
    distance = stats.kstest(gaps, stats.expon(scale=1e6).cdf).statistic
    root = math.sqrt(len(gaps))
    assert bend(due, Law(1_000.0), allowed_ns=0) == pytest.approx(distance * (root + 0.12 + 0.11 / root))


def test_the_limit_is_passed_by_one_in_a_thousand_sound_slices():
    assert stats.kstwobign.sf(BENT) == pytest.approx(0.001, rel=0.01)
    assert sum(bend(drawn(seed, window_s=0.5), Law(1_000.0), allowed_ns=0) > BENT for seed in range(400)) <= 3


def late(offsets, until):
    """Return the sends of a client that can send only at the moments that *until* returns."""
    return [until(at) for at in offsets]


@pytest.mark.parametrize(
    ("name", "until"),
    [
        ("whole milliseconds", lambda at: -(-at // 1_000_000) * 1_000_000),
        ("bursts of 5 ms", lambda at: -(-at // 5_000_000) * 5_000_000),
        ("a stall of half the time", lambda at: max(at, 1_000_000_000)),
    ],
)
def test_a_client_that_cannot_send_when_it_should_is_found(name, until):
    assert bend(late(drawn(), until), Law(1_000.0)) > BENT


def test_a_client_that_is_always_late_by_the_same_is_as_drawn():
    due = drawn()
    assert bend([at + 80_000 for at in due], Law(1_000.0)) == bend(due, Law(1_000.0))


def test_another_rate_than_the_drawn_one_is_found_and_few_gaps_are_not_judged():
    assert bend(drawn(), Law(3_000.0)) > BENT
    assert bend(drawn()[:FEWEST], Law(1_000.0)) is None


@pytest.mark.parametrize("rate_rps", [500.0, 2_000.0, 10_000.0])
def test_a_clock_that_wakes_late_bends_nothing_at_any_rate(rate_rps):
    """Sleeps end up to 120 µs late, and each send takes 4 µs: all that is due by then goes in one burst."""
    chance, sent, now = Random(1), [], 0.0
    for at in drawn(rate_rps=rate_rps, window_s=1.0):
        if at > now:
            now = at + chance.uniform(20_000, 120_000)
        sent.append(int(now))
        now += 4_000
    assert bend(sent, Law(rate_rps)) < BENT


@pytest.mark.parametrize("of", [2, 3, 8])
def test_every_nth_arrival_has_erlangs_law(of):
    law = Law(1_000.0, of)
    for gap_ns in (0, 10_000, 1_000_000, 5_000_000, 80_000_000):
        assert law.share_below(gap_ns) == pytest.approx(stats.gamma(of, scale=1e6).cdf(gap_ns), abs=1e-12)
    sound = [bend(drawn(seed, window_s=1.0)[1::of], law, allowed_ns=0) for seed in range(200)]
    assert sum(each > BENT for each in sound) <= 2
    assert bend(late(drawn()[1::of], lambda at: -(-at // 20_000_000) * 20_000_000), law) > BENT


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_the_worst_of_several_processes_passes_the_limit_as_rarely_as_one(processes):
    chance = 1 - (1 - stats.kstwobign.sf(1.2)) ** processes
    shown = worst_bend([1.2, *(0.5 for _ in range(processes - 1))])
    assert 2 * math.exp(-2 * shown**2) >= chance
    assert worst_bend([]) is None
    assert worst_bend([0.1, 0.1]) == 0.0
