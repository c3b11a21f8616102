"""Do the intervals hold what they promise? Experiments of which the truth is known, by the thousand.

`pytest tests/test_simulation.py --log-cli-level=INFO` shows the table that docs/methodology.md has.
"""

import logging
from functools import cache

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.analysis.stats import difference_of

pytestmark = pytest.mark.slow

EXPERIMENTS = 4000
SWEEPS = 3
TRUTH = 0.05  # the log-ratio of the two contenders
ROUNDS = (9, 12, 20)


def normal(random, shape):
    return random.normal(0, 0.02, shape)


def heavy_tailed(random, shape):
    return 0.01 * random.standard_t(2, shape)


def bursts(random, shape):
    """One slice in ten is up to half slower: noise of shared machines goes one way."""
    return random.normal(0, 0.01, shape) - (random.random(shape) < 0.1) * random.uniform(0, 0.5, shape)


def drift(random, shape):
    """The machine slows down by a fifth over the run, for both; each has its own noise on top."""
    return random.normal(0, 0.02, shape) + np.linspace(0, -0.2, shape[1])[None, :, None]


NOISES = (normal, heavy_tailed, bursts, drift)


@cache
def experiments(noise, rounds):
    """Return the per-round log-ratios of many experiments, and the slices of either contender."""
    random = np.random.default_rng([rounds, *noise.__name__.encode()])
    shape = (EXPERIMENTS, rounds, SWEEPS)
    fate = random.normal(0, 0.01, (EXPERIMENTS, rounds, 2))  # a restart's own luck, shared by its sweeps
    one = TRUTH + noise(random, shape) + fate[:, :, :1]
    other = noise(random, shape) + fate[:, :, 1:]
    return np.median(one - other, axis=2), one, other


def coverage(noise, rounds):
    """Return how often our interval holds the truth, and the level it claims."""
    estimates = [difference_of(list(ratios)) for ratios in experiments(noise, rounds)[0]]
    held = [estimate.low <= TRUTH <= estimate.high for estimate in estimates]
    return float(np.mean(held)), estimates[0].level


def bootstrap_coverage(noise, rounds):
    """Return the same for a percentile bootstrap of the mean over rounds, with nominal 95 %."""
    ratios = experiments(noise, rounds)[0][:1000]
    random = np.random.default_rng(1)
    drawn = ratios[:, random.integers(0, rounds, (1000, rounds))].mean(axis=2)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=1)
    return float(np.mean((low <= TRUTH) & (high >= TRUTH)))


def pooled_coverage(noise, rounds):
    """Return the same for a t-test of two pools of slices, as pyperf and many others do it."""
    _, one, other = experiments(noise, rounds)
    one, other = one.reshape(EXPERIMENTS, -1), other.reshape(EXPERIMENTS, -1)
    p = scipy_stats.ttest_ind(one - TRUTH, other, axis=1).pvalue
    return float(np.mean(p > 0.05))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_an_interval_holds_the_truth_as_often_as_it_says(noise, rounds):
    ours, claimed = coverage(noise, rounds)
    bootstrap, pooled = bootstrap_coverage(noise, rounds), pooled_coverage(noise, rounds)
    row = f"{noise.__name__} | {rounds} | {ours:.1%} of {claimed:.1%} | {bootstrap:.1%} | {pooled:.1%}"
    logging.getLogger(__name__).info("| %s |", row)
    assert ours >= 0.94
    assert ours >= claimed - 0.012  # three standard errors of so many experiments
