"""Counts of instructions: what a diff concludes from them, and what a kept file is compared with."""

from dataclasses import replace
from datetime import date
from io import StringIO

import pytest
from rich.console import Console

from bench.analysis import analyse
from bench.analysis.instruction_changes import doubtful
from bench.compare.counts_report import LayerShares, print_counts
from bench.compare.verdict import concluded
from bench.compare.verdict_report import text
from bench.records import CountedWindow, Instructions
from bench.report.instructions import limits
from tests.support.synthetic import synthetic_run

BASE, HEAD = "fastapi@aaaaaaaa", "fastapi@worktree"
TODAY = date(2026, 11, 25)


def counted(name, by_seed, *, spread=0.0, **changes):
    """Counts whose windows lie around those of *by_seed*, with a collection in one of them."""
    windows = {
        seed: tuple(
            CountedWindow(usual=usual * (1 + step * spread / 2), collections=90.0 * (step == 1))
            for step in (-2, -1, 0, 1, 2)
        )
        for seed, usual in enumerate(by_seed)
    }
    facts = {"scenario": "hello", "counter": "callgrind 3.19.0", "requests": 60, "windows": windows}
    return Instructions(contender=name, **facts | changes)


def test_a_stripped_python_is_named():
    one = counted("one", (1_000_000,))
    assert [*limits([one, Instructions(contender="two", scenario="hello", why="it does not start")])] == []
    windows = {0: tuple(replace(window, collections=None) for window in one.windows[0])}
    assert [*limits([replace(one, windows=windows)])] == [
        "Garbage collections are in the instructions of one: a stripped Python does not name its collector."
    ]


def conclude(base, head, *, timed=False, **margins):
    run = synthetic_run({BASE: 5_000.0, HEAD: 5_000.0}, reference=BASE, rounds=12, noise=0.002)
    plan = replace(
        run.plan, baseline="aaaaaaaa", count=True, timed=timed, margins={**run.plan.margins, **margins}
    )
    run = replace(run, plan=plan, instructions=(base, head), records=run.records if timed else ())
    analysis = analyse(run)
    conclusion = concluded(analysis, today=TODAY)
    return conclusion, text(analysis, conclusion)


@pytest.mark.parametrize(
    ("head", "overall"),
    [
        ((1_006_000, 1_006_000), "REGRESSED"),
        ((994_000, 994_000), "IMPROVED"),
        ((1_004_000, 996_000), "EQUIVALENT"),
        ((1_004_000, 1_006_000), "INCONCLUSIVE"),
        # One server of five laid its objects out otherwise.
        ((1_000_000, 1_020_000, 1_001_000, 999_000, 1_000_000), "EQUIVALENT"),
        ((1_010_000, 1_030_000, 1_011_000, 990_000, 1_010_000), "REGRESSED"),
        ((990_000, 1_009_000, 991_000, 992_000, 991_000), "IMPROVED"),
        ((1_000_000, 1_020_000, 1_019_000, 999_000, 1_000_000), "INCONCLUSIVE"),
    ],
)
def test_a_verdict_by_counts_needs_no_rounds(head, overall):
    conclusion, _ = conclude(counted(BASE, [1_000_000] * len(head)), counted(HEAD, head))
    assert conclusion.overall == overall
    assert not conclusion.invalid


def test_seeds_are_paired_and_not_mixed():
    """The seeds of a side differ by 2 %; the head takes 0.1 % more with each."""
    base, head = counted(BASE, (1_000_000, 1_020_000)), counted(HEAD, (1_001_000, 1_021_000))
    assert conclude(base, head)[0].overall == "EQUIVALENT"


def test_the_verdict_shows_both_counts_and_says_what_got_worse():
    _, shown = conclude(counted(BASE, (1_000_000,)), counted(HEAD, (1_012_500,)))
    assert shown.startswith("**REGRESSED**: a request takes more than it did.")
    assert "- fastapi, hello: instructions 1,000,000 → 1,012,500 per request (+1.25 %)" in shown


def test_a_count_that_does_not_hold_still_has_no_verdict():
    conclusion, shown = conclude(counted(BASE, (1_000_000,)), counted(HEAD, (1_100_000,), spread=0.008))
    assert conclusion.overall == "INCONCLUSIVE"
    assert "no verdict: it does not hold still: 0.8 % between windows" in shown


def test_the_margin_is_the_plans():
    base, head = counted(BASE, (1_000_000,)), counted(HEAD, (1_012_500,))
    assert conclude(base, head, instructions=0.02)[0].overall == "EQUIVALENT"


def test_more_instructions_are_a_regression_beside_equal_times():
    conclusion, _ = conclude(counted(BASE, (1_000_000,)), counted(HEAD, (1_012_500,)), timed=True)
    assert conclusion.overall == "REGRESSED"
    assert {one.verdict for one in conclusion.times} == {"equivalent"}


def test_an_exchange_that_is_too_rare_to_be_counted_is_named():
    base, head = (counted(name, (1_000_000,), too_rare=("first-visit",)) for name in (BASE, HEAD))
    conclusion, shown = conclude(base, head)
    assert conclusion.overall == "EQUIVALENT"
    assert shown.count("Not in the instructions of hello: first-visit, too rare for a window of 60") == 1


def test_two_counters_are_not_compared():
    conclusion, shown = conclude(counted(BASE, (1_000_000,)), counted(HEAD, (2_000_000,), counter="perf"))
    assert conclusion.overall == "INCONCLUSIVE"
    assert "no verdict: the base was counted by callgrind 3.19.0, the head by perf" in shown


def test_a_head_that_is_not_counted_is_not_as_it_was():
    run = synthetic_run({BASE: 5_000.0, HEAD: 5_000.0}, reference=BASE, rounds=1)
    ended = Instructions(contender=HEAD, scenario="bye", why="a process of it ended meanwhile")
    found = (
        counted(BASE, (1_000_000,)),
        counted(HEAD, (1_000_000,)),
        counted(BASE, (1_000,), scenario="bye"),
        ended,
    )
    plan = replace(run.plan, baseline="aaaaaaaa", count=True, timed=False)
    analysis = analyse(replace(run, plan=plan, instructions=found, records=()))
    assert concluded(analysis, today=TODAY).overall == "INCONCLUSIVE"
    both = replace(analysis.run, instructions=(*found[:2], replace(ended, contender=BASE), ended))
    assert concluded(analyse(both), today=TODAY).overall == "INCONCLUSIVE"


def test_both_sides_are_in_doubt_where_seeds_are_on_two_sides_of_the_margin():
    plan = synthetic_run({BASE: 5_000.0, HEAD: 5_000.0}, reference=BASE, rounds=1).plan
    plan = replace(plan, baseline="aaaaaaaa")
    base = counted(BASE, (1_000_000, 1_000_000))
    assert doubtful(plan, [base, counted(HEAD, (1_000_000, 1_020_000))]) == {(BASE, "hello"), (HEAD, "hello")}
    assert not doubtful(plan, [base, counted(HEAD, (1_000_000, 1_001_000))])
    assert not doubtful(plan, [base, counted(HEAD, (1_020_000, 1_010_000))])
    assert not doubtful(plan, [base, counted(HEAD, (1_000_000, 1_020_000), spread=0.008)])
    assert not doubtful(plan, [base, counted(HEAD, (), windows={}, why="it does not start")])
    assert not doubtful(replace(plan, baseline=None), [base, counted(HEAD, (1_000_000, 1_020_000))])


def test_why_nothing_was_counted_is_a_note():
    lacking = {"windows": {}, "why": "valgrind is not installed"}
    _, shown = conclude(counted(BASE, (), **lacking), counted(HEAD, (), **lacking))
    assert "- Instructions were not counted: valgrind is not installed." in shown


def test_where_they_went_is_legible_at_80_columns():
    shares = {"interpreter": 0.933, "libc": 0.019, "driver": 0.013, "server": 0.014, "json": 0.004}
    named = [
        LayerShares(contender=one, scenario="users-crud", shares=shares) for one in ("flask", "django-drf")
    ]
    shown = StringIO()
    print_counts([], [], named, Console(file=shown, width=80))
    of_django = shown.getvalue().partition("django-drf")[2].split()
    assert " ".join(of_django) == (
        "users-crud interpreter 93.3, libc 1.9, server and event loop 1.4, database driver 1.3"
    )
