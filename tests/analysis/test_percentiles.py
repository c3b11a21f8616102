from dataclasses import replace

import numpy as np
import pytest

from bench.analysis import analyse
from bench.analysis.measures import (
    PERCENTS,
    Latency,
    fewest_for,
    last_percent,
    percentile_ms,
    percentile_over_rounds,
)
from bench.histogram import Histogram
from bench.loads import Closed
from bench.report.columns import percentile_cell
from bench.report.panels import panels
from bench.report.sentences import notes
from bench.report.wording import interval
from tests.support.synthetic import rate, synthetic_run, with_records


@pytest.mark.parametrize(("percent", "fewest"), [(50, 40), (90, 200), (95, 400), (99, 2_000), (99.9, 20_000)])
def test_a_percentile_needs_twenty_observations_beyond_it(percent, fewest):
    assert percentile_ms(Histogram.of([1_000_000] * fewest), percent) == pytest.approx(1, rel=1e-3)
    assert percentile_ms(Histogram.of([1_000_000] * (fewest - 1)), percent) is None
    assert fewest_for(percent) == fewest


def test_the_largest_is_always_told():
    latency = Latency.of(Histogram.of([1_000_000, 3_000_000]))
    assert (latency.p50_ms, latency.max_ms, latency.mean_ms) == (None, 3.0, 2.0)
    assert Latency.of(Histogram()).max_ms is None


def test_requests_without_an_answer_lie_beyond_every_percentile():
    seen = Histogram.of([*([1_000_000] * 1960), *([5_000_000] * 20)])
    assert percentile_ms(seen, 99) is None  # 1,980: too few
    assert percentile_ms(seen, 99, 20) == pytest.approx(5, rel=1e-3)
    assert percentile_ms(seen, 99, 21) is None  # the last percent has no answer
    assert percentile_ms(seen, 50, 21) == pytest.approx(1, rel=1e-3)
    assert percentile_ms(seen, 50, 1_990) is None


@pytest.mark.parametrize(("count", "last"), [(0, 0), (10, 0), (40, 50), (2_000, 99), (20_000, 99.9)])
def test_the_last_percentile_that_can_be_told(count, last):
    assert last_percent(count) == pytest.approx(last)


@pytest.mark.parametrize(("load", "p99_told"), [(Closed(connections=32), True), (rate(0.5), False)])
def test_only_an_open_loop_waits_for_the_unfinished(load, p99_told):
    """A closed loop's are as many as connections, and merely cut off by the window's end."""

    def cut(record):
        latency = Histogram.of([1_000_000] * 300)
        return replace(record, sample=replace(record.sample, latency=latency, unfinished=32))

    run = with_records(synthetic_run({"flask": 400}, loads=(load,)), cut)
    latency = analyse(run).rows[0].latency
    assert latency.p50_ms == pytest.approx(1, rel=1e-3)
    assert (latency.p99_ms is not None) == p99_told


def drawn_rounds(random, rounds=9, requests=400):
    """Return rounds whose requests share a factor: those of one round are all slow, or all fast."""
    shared = random.lognormal(0, 0.1, rounds)
    return [Histogram.of(map(int, factor * random.exponential(1e6, requests))) for factor in shared]


def test_intervals_of_percentiles_hold_the_truth_as_often_as_they_claim():
    random = np.random.default_rng(1)
    truth = np.percentile(random.lognormal(0, 0.1, 400_000) * random.exponential(1, 400_000), 90)
    held, naive = 0, 0
    for _ in range(200):
        rounds = drawn_rounds(random)
        found = percentile_over_rounds(rounds, 90)
        held += found.low <= truth <= found.high
        merged, half = Histogram.merged(rounds), 196 * np.sqrt(0.9 * 0.1 / 3_600)
        naive += merged.percentile_ms(90 - half) <= truth <= merged.percentile_ms(90 + half)
    assert 0.90 * 200 <= held <= 0.99 * 200
    assert naive < held  # what takes all requests for independent promises too much


def test_a_percentile_over_rounds_has_no_interval_with_few_rounds_or_where_it_would_end_beyond_all():
    rounds = drawn_rounds(np.random.default_rng(2))
    assert percentile_over_rounds(rounds[:5], 50).low is None
    assert percentile_over_rounds(rounds, 99.9) is None  # 3.6 observations are beyond it
    slow = [*rounds[:8], Histogram.of([10**10] * 60)]
    assert percentile_over_rounds(slow, 99).low is None


def test_requests_without_an_answer_count_in_their_round():
    rounds = [Histogram.of(range(1_000_000, 3_000_000, 5_000)) for _ in range(9)]
    evenly = percentile_over_rounds(rounds, 90, [4] * 9)
    at_once = percentile_over_rounds(rounds, 90, [36] + [0] * 8)
    assert evenly.estimate == at_once.estimate > percentile_over_rounds(rounds, 90).estimate
    assert at_once.low < evenly.low <= evenly.high < at_once.high
    assert evenly.low == pytest.approx(evenly.high, rel=1e-3)  # all rounds are alike


def test_a_row_at_a_rate_has_intervals_over_rounds_or_the_reason_why_not():
    run = synthetic_run({"flask": 4_000.0}, reference="flask", loads=(rate(0.1),), rounds=6)
    (row,) = (one for one in analyse(run).rows if not one.is_control)
    cells = {percent: percentile_cell(row, percent) for percent in PERCENTS}
    median = row.percentiles[50]
    assert median.low < median.estimate < median.high
    assert cells[50].detail == interval(median)
    assert (cells[99.9].text, cells[99.9].detail) == ("–", "needs 20,000 requests")

    def unanswered(record):
        sample = record.sample
        return replace(record, sample=replace(sample, unfinished=round(0.05 * sample.requests)))

    (row,) = (one for one in analyse(with_records(run, unanswered)).rows if not one.is_control)
    assert percentile_cell(row, 99.0).detail == "beyond all answers"


def test_few_rounds_give_no_interval():
    run = synthetic_run({"flask": 4_000.0}, reference="flask", loads=(rate(0.1),), rounds=5)
    (row,) = (one for one in analyse(run).rows if not one.is_control)
    assert row.percentiles[50].low is None
    (panel,) = panels(analyse(run))
    assert any(note.startswith("A percentile has no interval") for note in notes(panel))
