"""Durations as they are written on a command line."""

import click
import pytest

from bench.cli.options import Duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h", 3600),
        ("2m30s", 150),
        ("1h30m", 5400),
        ("1.5m", 90),
        ("1h0m1s", 3601),
    ],
)
def test_a_duration_has_one_part_or_several_the_longest_first(written, seconds):
    assert Duration().convert(written, None, None) == seconds


@pytest.mark.parametrize("written", ["", "90", "0s", "0m0s", "30s2m", "2m2m", "-1s", "1d", "nan", "1.m"])
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(click.BadParameter, match="is no duration: 90s, 2m30s, 1h"):
        Duration().convert(written, None, None)
