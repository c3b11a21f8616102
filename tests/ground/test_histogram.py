import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.histogram import Histogram, bucket_of, midpoint_ns

DURATIONS = st.integers(min_value=0, max_value=10**12)


@given(DURATIONS)
def test_a_bucket_is_within_a_thousandth_of_what_it_holds(duration_ns):
    assert midpoint_ns(bucket_of(duration_ns)) == pytest.approx(duration_ns, rel=1e-3)


@given(DURATIONS, DURATIONS)
def test_buckets_keep_the_order_of_durations(one, other):
    shorter, longer = sorted((one, other))
    assert bucket_of(shorter) <= bucket_of(longer)


@given(st.lists(DURATIONS, min_size=1), st.sampled_from([0.1, 50, 90, 99, 99.9, 100]))
def test_percentiles_agree_with_the_sorted_durations(durations, percent):
    exact = np.percentile(durations, percent, method="inverted_cdf")
    assert Histogram.of(durations).percentile_ms(percent) == pytest.approx(exact / 1e6, rel=1.1e-3)


@given(st.lists(st.lists(DURATIONS)))
def test_merging_is_the_same_as_counting_all_at_once(parts):
    together = [duration for part in parts for duration in part]
    assert Histogram.merged(map(Histogram.of, parts)) == Histogram.of(together)


def test_mean_and_maximum_are_exact():
    histogram = Histogram.of([1_234_567, 2_345_678, 9_999_999])
    assert histogram.mean_ms() == (1_234_567 + 2_345_678 + 9_999_999) / 3 / 1e6
    assert histogram.max_ns == 9_999_999
    assert histogram.percentile_ms(100) == pytest.approx(9.999999, rel=1e-3)


def test_an_empty_histogram_has_no_summary():
    assert Histogram().mean_ms() is None
    assert Histogram().percentile_ms(50) is None
