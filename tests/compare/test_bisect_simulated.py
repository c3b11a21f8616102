"""Searches by time with the noise of twins as the reference run has it (tests/bisects.py)."""

from pathlib import Path

import pytest

from bench.run.store import load
from tests.bisects import noise_of, planted, simulated

RUN = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture(scope="module")
def noise():
    return noise_of(load(RUN))


def test_ten_percent_among_32_commits_are_found_and_no_other_commit_is_named(noise):
    found = [
        (what, simulated(noise, what, seed, 1.10))
        for seed in range(1, 21)
        for what in [planted("simulated", seed)]
    ]
    right = [told for what, told in found if told["found"] == what.culprit]
    assert len(right) >= 18
    for what, told in found:
        assert told["found"] in (what.culprit, None)
        if told["found"] is None:  # a broken commit lies before the culprit: it may be either
            assert what.culprit - 1 in what.broken
            assert told["suspects"] > 1


def test_where_nothing_is_planted_nothing_is_searched_for(noise):
    for seed in range(1, 6):
        told = simulated(noise, planted("simulated", seed, nothing=True), seed, 1.10)
        assert (told["found"], told["steps"]) == (None, 0)
