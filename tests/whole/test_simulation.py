"""Do intervals, and verdicts on many cells, hold what they promise? Experiments by the thousand.

The truth of each is known. docs/simulations.md has the tables; with `--log-cli-level=INFO`
pytest shows their rows.
"""

import logging
import math
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.analysis.statistics import difference_of
from bench.compare.significance import FALSE_ALARMS, FamilyCell, adjusted_p, holm, p_beyond

pytestmark = pytest.mark.slow

EXPERIMENTS = 4000
SWEEPS = 3
TRUTH = 0.05  # the log-ratio of the two contenders
ROUNDS = (9, 12, 20)

FAMILIES = 2000
POWERS = 500  # of them, to see how often a slowdown is found
SIZES = (1, 6, 18)
MARGIN = math.log1p(0.05)

SIMULATIONS = Path(__file__).parents[2] / "docs" / "simulations.md"
NEAR = 0.5  # percentage points; draws are seeded, so nothing but rounding differs until NumPy draws otherwise


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


def held_against_the_page(table, noise, rounds, shares):
    """Log the row that *shares* make, and hold docs/simulations.md to have it in *table*."""
    name = noise.__name__.replace("_", "-")
    cells = [" / ".join(f"{share * 100:.1f}" for share in np.atleast_1d(group)) for group in shares]
    logging.getLogger(__name__).info("%s: | %s | %s | %s |", table, name, rounds, " | ".join(cells))
    rows = SIMULATIONS.read_text(encoding="utf-8").partition(f"| {table} |")[2]
    row = re.search(rf"^\| {name} \| {rounds} \| (.+) \|$", rows, re.MULTILINE)
    assert row, f"docs/simulations.md: no row for {name}, {rounds} under {table}"
    told = [float(number) for number in re.findall(r"\d+\.\d", row[1])]
    assert told == pytest.approx([100 * share for share in np.hstack(shares)], abs=NEAR)


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
    low, high = np.percentile(resampled_means(ratios.T), [2.5, 97.5], axis=0)
    return float(np.mean((low <= TRUTH) & (high >= TRUTH)))


def resampled_means(ratios):
    """Return the means over 1000 bootstrap samples of the rounds, the first axis of *ratios*."""
    rounds = len(ratios)
    drawn = np.random.default_rng(1).multinomial(rounds, [1 / rounds] * rounds, size=1000)
    return np.tensordot(drawn / rounds, ratios, axes=1)


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
    held_against_the_page("coverage", noise, rounds, [ours, claimed, bootstrap, pooled])
    assert ours >= 0.94
    assert ours >= claimed - 0.012  # three standard errors of so many experiments


@cache
def families(noise, rounds):
    """Return per-round log-ratios (experiment, round, cell) of equals, and the slices of either side.

    What a restart gives a server is shared by all its cells of the round: they correlate.
    """
    random = np.random.default_rng([rounds, 18, *noise.__name__.encode()])
    shape = (FAMILIES, rounds, max(SIZES), SWEEPS)
    fate = random.normal(0, 0.01, (FAMILIES, rounds, 1, 1, 2))
    one, other = (
        noise(random, (*shape[:2], shape[2] * shape[3])).reshape(shape) + fate[..., side] for side in (0, 1)
    )
    return np.median(one - other, axis=3), one, other


def called_slower(ratios):
    """Return which cells of one family (round, cell) our rule calls slower by more than the margin."""
    family = [
        FamilyCell(log_ratios=dict(enumerate(cell)), log_margin=MARGIN, towards=1)
        for cell in ratios.T.tolist()
    ]
    return np.array(adjusted_p(family)) <= FALSE_ALARMS


def called_slower_by_ranks(ratios):
    """Return the same where ranks, Wilcoxon's, take the place of our scores."""
    excess = ratios - MARGIN
    scores = np.sign(excess) * scipy_stats.rankdata(abs(excess), axis=0)
    statistics = _some_flips(len(excess)) @ (scores / np.sqrt((scores**2).sum(axis=0)))
    return (statistics.max(axis=1)[:, None] >= statistics[0] - 1e-9).mean(axis=0) <= FALSE_ALARMS


@cache
def _some_flips(rounds):
    drawn = np.random.default_rng(2).choice((1.0, -1.0), size=(4095, rounds))
    return np.vstack([np.ones(rounds), drawn])


def wolves(called):
    """Return how often at least one cell of a family is called slower, for families of each size."""
    return [float(np.mean([called_one[:size].any() for called_one in called])) for size in SIZES]


def alarms_of_others(noise, rounds):
    """Return the same for rules that hold 5 % for each cell alone: signed ranks, pooled t, bootstrap."""
    ratios, one, other = families(noise, rounds)
    by_ranks = scipy_stats.wilcoxon(ratios, axis=1, alternative="greater", method="exact").pvalue <= 0.05
    pools = (side.swapaxes(1, 2).reshape(FAMILIES, max(SIZES), -1) for side in (one, other))
    pooled = scipy_stats.ttest_ind(*pools, axis=2, alternative="greater").pvalue <= 0.05
    bootstrap = np.percentile(resampled_means(ratios.swapaxes(0, 1)), 5, axis=0) > 0
    return [wolves(by_ranks), wolves(pooled), wolves(bootstrap)]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_family_cries_wolf_no_more_often_than_it_says(noise, rounds):
    equals = families(noise, rounds)[0]
    at_the_margin = [
        float(np.mean([called_slower(MARGIN + ratios[:, :size]).any() for ratios in equals]))
        for size in SIZES
    ]
    unchanged = np.mean([called_slower(ratios).any() for ratios in equals[:POWERS]])
    others = alarms_of_others(noise, rounds)
    held_against_the_page("false alarms", noise, rounds, [at_the_margin, *others])
    assert max(at_the_margin) <= FALSE_ALARMS + 3 * math.sqrt(FALSE_ALARMS * (1 - FALSE_ALARMS) / FAMILIES)
    assert unchanged <= 0.01
    assert all(rule[-1] > 3 * FALSE_ALARMS for rule in others if noise is not drift)  # else why bother


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_family_finds_the_one_cell_that_is_slower(noise, rounds):
    found = []
    for times in (1.5, 2.0):
        slowed = families(noise, rounds)[0][:POWERS].copy()
        slowed[:, :, 0] += times * MARGIN
        ours = [float(np.mean([called_slower(one[:, :size])[0] for one in slowed])) for size in SIZES]
        ranked = float(np.mean([called_slower_by_ranks(one)[0] for one in slowed]))
        found += [ours, ranked]
        assert ours[-1] >= ranked - 0.01
    held_against_the_page("found", noise, rounds, found)
    assert min(found[2]) >= 0.8


def regressed(candidate, baseline):
    """Return which cells of two runs (round, cell) `bench compare` calls slower, blocking floors apart."""
    ps = [
        p_beyond(*cells, MARGIN, 1) for cells in zip(candidate.T.tolist(), baseline.T.tolist(), strict=True)
    ]
    return np.array(holm(ps)) <= FALSE_ALARMS


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_two_runs_cry_wolf_no_more_often_than_they_say_and_find_what_is_slower(noise, rounds):
    ratios = families(noise, rounds)[0]
    pairs = list(zip(ratios[::2], ratios[1::2], strict=True))
    alarms = [
        float(np.mean([regressed(MARGIN + one[:, :size], other[:, :size]).any() for one, other in pairs]))
        for size in SIZES
    ]
    found = []
    for times in (1.5, 2.0):
        slower = np.where(np.arange(max(SIZES)) == 0, times * MARGIN, 0.0)
        found.append(float(np.mean([regressed(one + slower, other)[0] for one, other in pairs[:POWERS]])))
    held_against_the_page("two runs", noise, rounds, [alarms, *found])
    assert max(alarms) <= FALSE_ALARMS + 3 * math.sqrt(FALSE_ALARMS * (1 - FALSE_ALARMS) / len(pairs))
    assert found[0] < found[1]
