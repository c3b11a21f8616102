import pytest

from bench.analysis.statistics import Estimate
from bench.report.wording import both, figure, levels, percent_more, ratio

ESTIMATE = Estimate(estimate=101.4, low=99.2, high=1003.6, level=0.9609)


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, "–"), (0.0, "0"), (0.484, "0.48"), (2.5, "2.50"), (14.16, "14.2"), (4310.2, "4,310")],
)
def test_a_figure_has_about_three_digits(value, written):
    assert figure(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(None, "–"), (1.0, "1.000"), (1.002, "1.002"), (0.4838, "0.484"), (2.512, "2.51")]
)
def test_a_ratio_near_one_has_a_third_decimal(value, written):
    assert ratio(value) == written


def test_bounds_have_the_decimals_of_their_estimate():
    assert both(ESTIMATE) == "101 (99–1,004)"
    assert (
        both(Estimate(estimate=1.99, low=0.9, high=2.01, level=0.96), of_ratio=True) == "1.990 (0.900–2.010)"
    )


def test_without_an_interval_the_estimate_stands_alone():
    assert both(Estimate(estimate=5.0)) == "5.00"
    assert both(None) == "–"


def test_every_level_that_is_reached_is_told():
    other = Estimate(estimate=1, low=1, high=1, level=0.969)
    assert levels([ESTIMATE, None, Estimate(estimate=1.0), other]) == "96.1 % or 96.9 %"


@pytest.mark.parametrize(
    ("ratio", "written"), [(0.979, "−2.1 %"), (1.1335, "+13.3 %"), (0.99998, "+0.0 %"), (1.0, "+0.0 %")]
)
def test_a_change_has_a_sign_and_no_minus_before_nothing(ratio, written):
    assert percent_more(ratio) == written
    assert "-" not in percent_more(ratio, 2)
