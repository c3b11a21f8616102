"""Counts of instructions: what a diff concludes from them, and what a kept file is compared with."""

from dataclasses import replace
from datetime import date
from io import StringIO

import pytest
from rich.console import Console

from bench.analysis import analyse
from bench.analysis.instruction_changes import doubtful
from bench.compare import kept_counts
from bench.compare.counts_report import LayerShares, document, lines, print_counts
from bench.compare.verdict import concluded
from bench.compare.verdict_report import text
from bench.errors import UsageError
from bench.records import CountedWindow, Instructions
from tests.support.servers import HELLO_SCENARIO
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


def test_two_counters_are_not_compared():
    conclusion, _ = conclude(counted(BASE, (1_000_000,)), counted(HEAD, (2_000_000,), counter="perf"))
    assert not conclusion.counts
    assert conclusion.overall == "INCONCLUSIVE"


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


BUILT = "GCC 12.2.0, -O3"


def kept(by_seed=(1_000_000, 1_020_000), **changes):
    facts = {
        "environments": {
            "one-py311-abc": {"python": "3.11.7", "built": BUILT, "packages": {"flask": "3.1.2"}}
        }
    }
    of = kept_counts.of(
        [counted("one", by_seed, environment="one-py311-abc")],
        facts,
        {"hello": HELLO_SCENARIO},
        path_length=20,
    )
    return replace(of, found=tuple(replace(one, **changes) for one in of.found))


def test_what_is_kept_comes_back_as_it_was(tmp_path):
    kept_counts.write(tmp_path / "counts.json", kept())
    assert kept_counts.read(tmp_path / "counts.json") == kept()
    (one,) = kept().found
    assert (one.python, one.packages, one.per_request) == ("3.11.7", {"flask": "3.1.2"}, 1_010_000)


@pytest.mark.parametrize(
    ("now", "moved", "says"),
    [
        ((1_004_000, 1_024_000), False, "1 of 1 as they were, within 0.5 %."),
        ((1_010_000, 1_030_000), True, "one, hello: 0.99 % more instructions"),
        ((990_000, 1_009_000), True, "one, hello: 1.04 % fewer instructions"),
    ],
)
def test_what_moved_by_more_than_the_margin_is_named(now, moved, says):
    (move,) = found = kept_counts.moves(kept(), kept(now), 0.005)
    assert move.moved == moved
    assert says in "\n".join(lines(found))
    assert document([], found)["moves"][0]["moved"] == moved


def test_seeds_on_two_sides_of_the_margin_are_no_silent_pass():
    (move,) = found = kept_counts.moves(kept(), kept((1_000_000, 1_040_000)), 0.005)
    assert (move.moved, move.doubtful) == (False, True)
    assert list(lines(found)) == [
        "! one, hello: not compared: +0.00 % and +1.96 % by hash seed: on both sides of the margin",
        "0 of 1 as they were.",
    ]


def test_checkouts_whose_paths_are_not_equally_long_have_a_wider_margin():
    elsewhere = replace(kept((1_015_000, 1_035_000)), path_length=21)
    (move,) = found = kept_counts.moves(kept(), elsewhere, 0.005)
    assert not move.moved
    assert list(lines(found)) == ["1 of 1 as they were, within 2 %."]
    further = replace(kept((1_025_000, 1_046_000)), path_length=21)
    assert kept_counts.moves(kept(), further, 0.005)[0].moved


def test_other_versions_stand_beside_what_moved():
    newer = kept((1_100_000, 1_120_000), packages={"flask": "3.1.3", "jinja2": "3.1.6"})
    (line, _) = lines(kept_counts.moves(kept(), newer, 0.005))
    assert line.endswith("(flask 3.1.2 → 3.1.3, jinja2 none → 3.1.6)")
    before, newer = (
        replace(kept(), libc="glibc 2.36"),
        replace(kept((1_100_000, 1_120_000)), libc="glibc 2.41"),
    )
    (line, _) = lines(kept_counts.moves(before, newer, 0.005))
    assert line.endswith("(glibc 2.36 → glibc 2.41)")
    (line, _) = lines(kept_counts.moves(replace(before, libc=""), newer, 0.005))
    assert line.endswith("more instructions")  # a run does not know its own


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (replace(kept(), architecture="riscv64"), "kept on x86_64, now riscv64"),
        (
            replace(kept(), counter="callgrind 3.24.0"),
            "kept counted by callgrind 3.19.0, now callgrind 3.24.0",
        ),
        (kept(python="3.13.1"), "kept by Python 3.11.7, now 3.13.1"),
        (
            kept(built="GCC 14.2.0, -O3"),
            "kept by a Python that was built otherwise: GCC 12.2.0, -O3; now GCC 14.2.0, -O3",
        ),
        (kept(requests="0"), "scenario hello is not what it was: write the file anew with --keep"),
    ],
)
def test_what_cannot_be_compared_has_a_reason_and_no_number(now, why):
    before = replace(kept(), architecture="x86_64")
    if now.architecture != "riscv64":
        now = replace(now, architecture="x86_64")
    (move,) = kept_counts.moves(before, now, 0.005)
    assert (move.ratio, move.moved, move.why) == (None, False, why)


def test_what_is_counted_and_not_kept_is_no_silent_pass():
    (move,) = kept_counts.new(
        kept(), replace(kept(), found=(*kept().found, replace(*kept().found, contender="two")))
    )
    assert (move.contender, move.why) == ("two", "it is not in the file: write the file anew with --keep")
    assert not [*kept_counts.new(kept(), kept())]


def test_what_is_kept_and_not_counted_is_no_silent_pass():
    failed = Instructions(contender="one", scenario="hello", why="it does not start")
    (move,) = kept_counts.lost(kept(), [failed], {("one", "hello")})
    assert (move.moved, move.why) == (False, "not counted: it does not start")
    (move,) = kept_counts.lost(kept(), [], {("one", "bye")})
    assert move.why == "there is no such scenario of it: write the file anew with --keep"
    assert list(kept_counts.lost(kept(), [], {("one", "hello")})) == []


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"schema": 1'])
def test_a_file_that_is_damaged_is_refused(tmp_path, content):
    (tmp_path / "counts.json").write_text(content)
    with pytest.raises(UsageError, match=r"counts\.json"):
        kept_counts.read(tmp_path / "counts.json")


def test_a_file_of_another_version_is_refused(tmp_path):
    kept_counts.write(tmp_path / "counts.json", replace(kept(), method=0))
    with pytest.raises(UsageError, match="another version of bench: write the file anew with --keep"):
        kept_counts.read(tmp_path / "counts.json")


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
