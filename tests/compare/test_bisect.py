"""A bisect with a measure that is made up: its loop, what is kept, its history from git, what it shows."""

import json
import math
import random
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import analyse
from bench.compare import bisect_report
from bench.compare.bisect import FILE, BisectOptions, BisectStep, Search, around, keep, searched, taken_up
from bench.compare.bisect_reading import (
    LOOKS,
    CommitReading,
    first_rounds,
    level_of,
    of_counts,
    of_time,
    rounds_of,
)
from bench.compare.bisect_runs import Runs, step_plan, with_disturbed
from bench.compare.bisect_target import FOLLOWED, BisectTarget, chosen
from bench.compare.bisection import Commit, steps_for
from bench.compare.commits import between
from bench.compare.diff import Selection, planned, requested_scenarios, served
from bench.compare.sides import laid_out
from bench.compare.verdict import concluded
from bench.errors import Broken, UsageError
from bench.files import to_json
from bench.records import Queries
from bench.run.field_queries import UnusableValues
from tests.compare.test_instructions import BASE, HEAD, TODAY, counted
from tests.support.repositories import WHO, commit, git, make_repository
from tests.support.synthetic import synthetic_run, with_records

INSTRUCTIONS = BisectTarget(
    contender="fastapi", scenario="hello", of="hello", metric="instructions", good=1e6, bad=1.02e6
)


def search_of(length, **changes):
    commits = tuple(
        Commit(sha=f"{n:040}", parents=(f"{n - 1:040}",), subject=f"change {n}") for n in range(1, length + 1)
    )
    wanted = BisectOptions(good=f"{0:040}", bad=commits[-1].sha, budget_s=600.0, runtime="process")
    return Search(**{"wanted": wanted, "commits": commits, "target": INSTRUCTIONS} | changes)


def planted(culprit, broken=()):
    """A measure: counts are 2 % more from *culprit* on."""

    def measure(commit):
        number = int(commit.sha)
        if number in broken:
            return CommitReading(outcome="skip", why="it does not start"), 1.0
        bad = number >= culprit
        return CommitReading(outcome="bad" if bad else "good", share=0.99 if bad else 0.02), 1.0

    return measure


def ignored(search):
    pass


def test_the_answer_stands_between_two_verdicts():
    search, answer = searched(search_of(32), planted(20), ignored)
    assert answer.culprit == f"{20:040}"
    assert around(search, answer) == (f"{19:040}", f"{20:040}")
    text = bisect_report.text(search, answer)
    assert (
        "**REGRESSED**: fastapi, hello: +2.00 % instructions for each request (1,000,000 → 1,020,000)" in text
    )
    assert "The first bad commit is **00000000 change 20**." in text
    assert "| 00000000 change 19 | good | +0.04 % |" in text
    assert "| 00000000 change 20 | bad | +1.98 % |" in text
    assert "5 of 32 commits measured, in 5 s." in text


def test_the_first_after_good_has_good_before_it():
    search, answer = searched(search_of(8), planted(1), ignored)
    assert around(search, answer) == (search.wanted.good, f"{1:040}")
    assert "(GOOD) | good | +0.00 % |" in bisect_report.text(search, answer)


def test_a_culprit_beside_skipped_commits_is_a_range():
    search, answer = searched(search_of(32), planted(20, broken={18, 19, 25}), ignored)
    assert answer.suspects == tuple(f"{n:040}" for n in (18, 19, 20))
    text = bisect_report.text(search, answer)
    assert "The first bad commit is one of these 3." in text
    assert "| 00000000 change 19 | skipped |  |" in text
    assert "Skipped: 00000000 change 18: it does not start." in text
    document = json.loads(to_json(bisect_report.document(search, answer, 4)))
    assert (document["culprit"], document["exit_code"]) == (None, 4)
    assert document["before"]["worse_by"] == pytest.approx(0.0004)


def test_where_every_commit_between_is_broken_all_are_suspects():
    _, answer = searched(search_of(9), planted(3, broken=set(range(1, 9))), ignored)
    assert len(answer.suspects) == 9


def test_a_culprit_that_brings_a_part_alone_is_named_so():
    def measure(commit):
        share = 0.4 if int(commit.sha) < 5 else 0.6
        return CommitReading(outcome="bad" if share > 0.5 else "good", share=share), 1.0

    text = bisect_report.text(*searched(search_of(8), measure, ignored))
    rest = f"`bench bisect {5:040}"[:22] + f" {8:040}"[:9] + "` looks for them."
    assert f"It brings 20 % of what grew. Other commits bring the rest: {rest}" in text


def test_what_its_rounds_do_not_tell_is_skipped_with_that_reason():
    search, answer = searched(
        search_of(2), lambda commit: (CommitReading(outcome=None, share=0.5), 1.0), ignored
    )
    assert search.steps[0].outcome == "skip"
    assert search.steps[0].why == "its rounds do not tell whether it is as GOOD or as BAD"
    assert len(answer.suspects) == 2


def test_more_verdicts_than_were_due_raise_the_chance_of_an_error_and_are_named():
    by_time = replace(INSTRUCTIONS, metric="time", good=1.0, bad=1.2, timed_by="service_demand_us")
    every_other = set(range(2, 28, 2))
    text = bisect_report.text(*searched(search_of(32, target=by_time), planted(30, every_other), ignored))
    assert "6 commits were timed, and 5 were due. So the chance of a wrong verdict is up to 6.0 %" in text
    search, answer = searched(search_of(32, target=by_time), planted(30), ignored)
    assert "were due" not in bisect_report.text(search, answer)
    assert bisect_report.document(search, answer, 1)["chance_of_error"] == 0.05
    by_counts = searched(search_of(32), planted(30, every_other), ignored)
    assert bisect_report.document(*by_counts, 1)["chance_of_error"] == 0


def test_a_commit_that_its_rounds_did_not_tell_had_its_chance_to_err_too():
    by_time = replace(INSTRUCTIONS, metric="time", good=1.0, bad=1.2, timed_by="service_demand_us")

    def measure(commit):
        number = int(commit.sha)
        untold = number in (16, 24, 20)
        reading = CommitReading(outcome=None if untold else "bad" if number > 20 else "good", share=0.5)
        return reading, 1.0

    search, _ = searched(search_of(32, target=by_time), measure, ignored)
    assert search.timed == len(search.steps) > search.due


@pytest.mark.parametrize("ends_after", range(6))
def test_a_search_that_was_killed_goes_on_and_ends_alike(tmp_path, ends_after):
    measure, whole = (
        planted(20, broken={16, 8}),
        searched(search_of(32), planted(20, broken={16, 8}), ignored),
    )
    count = 0

    def killed(commit):
        nonlocal count
        if count == ends_after:
            raise KeyboardInterrupt
        count += 1
        return measure(commit)

    begun = search_of(32)
    keep(begun, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        searched(begun, killed, lambda search: keep(search, tmp_path))
    taken = taken_up(tmp_path)
    assert len(taken.steps) == ends_after
    assert searched(taken, measure, ignored) == whole


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "holds no bisect"), ("{", "is damaged"), ('{"schema": 99}', "is damaged or of another version")],
)
def test_what_cannot_be_taken_up_is_named(tmp_path, content, says):
    if content is not None:
        (tmp_path / FILE).write_text(content)
    with pytest.raises(UsageError, match=says):
        taken_up(tmp_path)


def test_steps_of_other_commits_are_damage(tmp_path):
    keep(replace(search_of(3), steps=(BisectStep(commit="elsewhere", outcome="good"),)), tmp_path)
    with pytest.raises(UsageError, match="its steps are not among its commits"):
        taken_up(tmp_path)


def run_of(base, head, **changes):
    run = synthetic_run({BASE: 5_000.0, HEAD: 5_000.0}, reference=BASE, rounds=12, noise=0.002)
    plan = replace(run.plan, baseline="aaaaaaaa", count=True, timed=False)
    return replace(run, plan=plan, records=(), instructions=(base, head), **changes)


@pytest.mark.parametrize(
    ("head", "outcome", "share"),
    [
        (1_001_000, "good", 0.05),
        (1_009_000, "good", 0.45),
        (1_011_000, "bad", 0.55),
        (1_500_000, "bad", 25.0),
    ],
)
def test_a_count_belongs_to_the_side_that_is_nearer(head, outcome, share):
    reading = of_counts(run_of(counted(BASE, (1e6, 1e6)), counted(HEAD, (head, head))), INSTRUCTIONS)
    assert (reading.outcome, reading.share) == (outcome, pytest.approx(share))


def test_a_count_that_does_not_hold_still_is_skipped():
    reading = of_counts(run_of(counted(BASE, (1e6,)), counted(HEAD, (1.02e6,), spread=0.02)), INSTRUCTIONS)
    assert (reading.outcome, reading.share) == ("skip", None)
    assert "it does not hold still" in reading.why


def test_a_commit_without_a_count_is_skipped_with_the_reason():
    head = counted(HEAD, (1e6,), windows={}, why="valgrind does not know an instruction of orjson")
    reading = of_counts(run_of(counted(BASE, (1e6,)), head), INSTRUCTIONS)
    assert reading.outcome == "skip"
    assert "valgrind does not know an instruction of orjson" in reading.why


@pytest.mark.parametrize(("head", "outcome"), [(0.0, "good"), (1.0, "good"), (2.0, "bad"), (4.0, "bad")])
def test_statements_from_none_are_judged_too(head, outcome):
    target = replace(INSTRUCTIONS, metric="statements", good=0.0, bad=4.0)
    facts = {"exchange": "hello", "requests": 60, "counted_by": "driver"}
    queries = (
        Queries(contender=BASE, **facts),
        Queries(contender=HEAD, statements={"SELECT": head} if head else {}, **facts),
    )
    run = run_of(counted(BASE, (1e6,)), counted(HEAD, (1e6,)), queries=queries)
    assert of_counts(run, target) == CommitReading(outcome=outcome, share=head / 4)


def test_statements_that_could_not_be_counted_are_skipped():
    target = replace(INSTRUCTIONS, metric="statements", good=0.0, bad=4.0)
    facts = {"exchange": "hello", "requests": 0, "counted_by": None, "why": "an unknown driver"}
    queries = tuple(Queries(contender=name, **facts) for name in (BASE, HEAD))
    reading = of_counts(run_of(counted(BASE, (1e6,)), counted(HEAD, (1e6,)), queries=queries), target)
    assert reading.outcome == "skip"
    assert "an unknown driver" in reading.why


def timed(speed, *, seed=1, rounds=12):
    run = synthetic_run({BASE: 5_000.0, HEAD: speed}, reference=BASE, rounds=rounds, noise=0.01, seed=seed)
    return replace(run, plan=replace(run.plan, baseline="aaaaaaaa"))


def slower(metric="throughput_rps", bad=0.9):
    (cell,) = {
        record.slice.cell for record in timed(1.0, rounds=1).records if record.slice.cell.contender == HEAD
    }
    return replace(INSTRUCTIONS, metric="time", good=1.0, bad=bad, timed_by=metric, load=cell.load)


@pytest.mark.parametrize(("speed", "outcome"), [(5_000.0, "good"), (4_500.0, "bad"), (4_000.0, "bad")])
def test_time_belongs_to_the_side_of_the_middle_that_its_rounds_prove(speed, outcome):
    target = slower()
    reading = of_time(rounds_of([timed(speed)], target), target, steps=5)
    assert reading.outcome == outcome


def test_time_in_the_middle_is_not_settled_and_more_rounds_are_pooled():
    target = slower()
    one = timed(5_000.0 * math.sqrt(0.9))
    assert of_time(rounds_of([one], target), target, steps=5).outcome is None
    assert len(rounds_of([one, one], target)) == 2 * len(rounds_of([one], target))


def test_no_round_is_no_verdict():
    assert of_time({}, slower(), steps=5) == CommitReading(outcome=None)


def test_all_looks_at_all_steps_err_in_one_search_of_twenty_at_most():
    """As good as GOOD or as bad as BAD, and noise as large as the effect: errors stay within 5 %."""
    target, steps, wrong, searches = slower(bad=0.9), steps_for(32), 0, 400
    draw, effect = random.Random(7), math.log(0.9)
    for _ in range(searches):
        erred = False
        for _ in range(steps):
            truth = draw.choice((0.0, 1.0))
            ratios, reading = [], CommitReading(outcome=None)
            for look in range(LOOKS):
                more = first_rounds(steps) * 2 ** max(0, look - 1)
                ratios += [truth * effect + draw.gauss(0, abs(effect)) for _ in range(more)]
                reading = of_time(dict(enumerate(ratios)), target, steps=steps)
                if reading.outcome:
                    break
            erred = erred or reading.outcome == ("good" if truth else "bad")
        wrong += erred
    assert wrong / searches <= 0.05


def test_the_first_look_can_reach_the_level():
    for steps in range(1, 15):
        assert 2 ** -first_rounds(steps) <= level_of(steps)
        assert level_of(steps) * steps * LOOKS == pytest.approx(0.05)


def test_what_is_surest_is_followed_and_the_rest_is_named():
    run = run_of(counted(BASE, (1e6, 1e6)), counted(HEAD, (1.02e6, 1.02e6)))
    records = timed(4_000.0).records
    run = replace(run, plan=replace(run.plan, timed=True), records=records)
    conclusion = concluded(analyse(run), today=TODAY)
    target, others = chosen(run, conclusion, FOLLOWED)
    assert target == INSTRUCTIONS
    assert "fastapi, hello, throughput_rps" in others
    by_time, _ = chosen(run, conclusion, ("time",))
    assert by_time.metric == "time"
    assert 0.7 < (by_time.bad if by_time.timed_by == "throughput_rps" else 1 / by_time.bad) < 0.9
    assert chosen(run, conclusion, ("statements",)) == (None, ())


def test_lengths_of_answers_are_read_from_slices_that_others_disturbed():
    run = timed(5_000.0, rounds=1)
    busy = with_records(run, lambda one: replace(one, void="others used the server's cores"))
    assert analyse(busy).invalid
    read = with_disturbed(busy)
    assert analyse(read).invalid is None
    target = replace(INSTRUCTIONS, metric="response_bytes", good=100.0, bad=150.0)
    assert of_counts(read, target) == of_counts(run, target)
    assert of_counts(read, target).outcome == "good"
    broken = with_records(
        run, lambda one: replace(one, void="no ports", sample=replace(one.sample, broken="no ports"))
    )
    assert with_disturbed(broken) == broken


def test_a_step_measures_the_targets_cell_alone():
    run = run_of(counted(BASE, (1e6,)), counted(HEAD, (1.02e6,)))
    made = step_plan(run.plan, INSTRUCTIONS, "aaaaaaaa", "cccccccc")
    assert [one.contenders for one in made.blocks] == [("fastapi@aaaaaaaa", "fastapi@cccccccc")]
    assert (made.timed, made.count, made.budget_s) == (False, True, None)
    by_time = step_plan(run.plan, slower(), "aaaaaaaa", "cccccccc")
    assert (by_time.timed, by_time.count) == (True, False)
    of_bytes = step_plan(run.plan, replace(INSTRUCTIONS, metric="response_bytes"), "aaaaaaaa", "cccccccc")
    assert (of_bytes.timed, of_bytes.rounds) == (True, 1)


@pytest.fixture
def repository(tmp_path):
    """main: a b merge d; the merge brings x and y, which left main at a."""
    root = tmp_path / "history"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root, "a")
    git(root, "checkout", "--quiet", "-b", "side")
    commit(root, "x")
    commit(root, "y")
    git(root, "checkout", "--quiet", "main")
    commit(root, "b")
    git(root, "merge", "--quiet", "--no-ff", "--message", "merge", "side")
    commit(root, "d\nand more")
    return root


def test_first_parents_are_the_commits_between(repository):
    found = between(repository, "main~3", "main", all_parents=False)
    assert [one.subject for one in found] == ["b", "merge", "d and more"]
    assert [one.is_merge for one in found] == [False, True, False]
    assert all(len(one.parents) == 1 for one in found)


def test_all_parents_bring_what_was_merged(repository):
    found = between(repository, "main~3", "main", all_parents=True)
    assert {one.subject for one in found} == {"x", "y", "b", "merge", "d and more"}
    places = {one.sha: place for place, one in enumerate(found)}
    assert all(places.get(parent, -1) < places[one.sha] for one in found for parent in one.parents)


@pytest.mark.parametrize(
    ("all_parents", "culprits", "rest"), [(False, {"merge"}, False), (True, {"y", "b"}, True)]
)
def test_of_a_merge_with_two_culprits_one_is_named_and_what_looks_for_the_rest(
    repository, all_parents, culprits, rest
):
    """Both y, which was merged, and b bring half. The merge has all."""
    commits = between(repository, "main~3", "main", all_parents=all_parents)
    halves = {"x": 0.0, "y": 0.5, "b": 0.5 if all_parents else 0.0}
    wanted = BisectOptions(
        good="0" * 40, bad=commits[-1].sha, all_parents=all_parents, budget_s=1.0, runtime="x"
    )

    def measure(commit):
        share = halves.get(commit.subject, 1.0)
        return CommitReading(outcome="bad" if share >= 0.5 else "good", share=share), 1.0

    search, answer = searched(Search(wanted=wanted, commits=commits, target=INSTRUCTIONS), measure, ignored)
    assert search.commit(answer.culprit).subject in culprits
    text = bisect_report.text(search, answer)
    assert ("It brings 50 % of what grew. Other commits bring the rest: `bench bisect" in text) is rest
    assert ("It is a merge. `--all-parents` looks into what it merged." in text) is not all_parents


def test_a_merge_whose_parents_are_good_names_the_diffs_with_them(repository):
    commits = between(repository, "main~3", "main", all_parents=True)
    wanted = BisectOptions(good="0" * 40, bad=commits[-1].sha, all_parents=True, budget_s=1.0, runtime="x")

    def measure(commit):
        bad = commit.subject in ("merge", "d")
        return CommitReading(outcome="bad" if bad else "good", share=float(bad)), 1.0

    search, answer = searched(Search(wanted=wanted, commits=commits, target=INSTRUCTIONS), measure, ignored)
    merge = search.commit(answer.culprit)
    assert merge.subject == "merge"
    text = bisect_report.text(search, answer)
    assert "It is a merge, and its parents are good" in text
    assert len(merge.parents) == 2
    for parent in merge.parents:
        assert f"`bench diff {parent[:8]} {merge.sha[:8]}`" in text


def test_a_commit_is_served_from_its_own_lock_and_schema(tmp_path):
    root = make_repository(tmp_path / "shop")
    files = [root / "apps" / "one_app" / "requirements.txt", root / "apps" / "schema.sql"]
    for number in range(2):
        for file in files:
            file.write_text(f"-- {number}\n")
        commit(root, f"change {number}")
    with laid_out(root, "HEAD~1", "HEAD") as sides:
        made, _ = planned(sides, Selection(contenders=("one",), scenarios=("hello",)))
        of_it = replace(INSTRUCTIONS, contender="one")
        step = step_plan(made, of_it, sides.base.label, sides.head.label)
        good, head = served(sides, step)
        for file in files:
            texts = [(Path(one.root) / file.relative_to(root)).read_text() for one in (good, head)]
            assert texts == ["-- 0\n", "-- 1\n"]


NO_ROWS = "the query has no rows: there is nothing to draw"


def broken(good, head):
    return Broken("it does not start")


def without_rows(good, head):
    return UnusableValues(f"one@{head}", NO_ROWS)


def good_without_rows(good, head):
    return UnusableValues(f"one@{good}", NO_ROWS)


@pytest.mark.parametrize(
    ("fault", "is_skipped"), [(broken, True), (without_rows, True), (good_without_rows, False)]
)
def test_a_commit_is_skipped_for_a_fault_of_its_own(tmp_path, fault, is_skipped):
    """The laboratory is opened, and what a run of the commit raises is raised at once."""
    root = make_repository(tmp_path / "shop")
    (root / "apps" / "schema.sql").write_text("-- changed\n")
    commit(root, "change")

    def opened_by(*_, **__):
        raise error

    with laid_out(root, "HEAD~1", "HEAD") as sides:
        error = fault(sides.base.label, sides.head.label)
        made, _ = planned(sides, Selection(contenders=("one",), scenarios=("hello",), count=True))
        requested = requested_scenarios(sides, made)
    ends = replace(
        run_of(counted(BASE, (1e6,)), counted(HEAD, (1.02e6,))), plan=made, scenarios=tuple(requested)
    )
    folder = tmp_path / "found"
    (folder / "good-bad").mkdir(parents=True)
    (folder / "good-bad" / "run.json").write_bytes(to_json(ends))
    commits = between(root, "HEAD~1", "HEAD", all_parents=False)
    wanted = BisectOptions(
        good=git(root, "rev-parse", "HEAD~1"), bad=commits[-1].sha, budget_s=1.0, runtime="process"
    )
    target = replace(INSTRUCTIONS, contender="one")
    search = Search(wanted=wanted, commits=commits, target=target, compared_in="good-bad")
    runs = Runs(root=root, folder=folder, opened_by=opened_by, turn=nullcontext)
    if is_skipped:
        reading, _ = runs.measure(search, commits[0])
        assert (reading.outcome, reading.why) == ("skip", str(error))
    else:
        with pytest.raises(UnusableValues, match="there is nothing to draw"):
            runs.measure(search, commits[0])


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("main", "main", "are the same commit: there is nothing between them"),
        ("main", "main~2", "main is no ancestor of main~2, it comes after it"),
        ("main~2", "side", "main~2 is no ancestor of side: [0-9a-f]{8} is, where they part"),
        ("elsewhere", "main", "unknown revision elsewhere"),
    ],
)
def test_revisions_that_are_no_line_are_named(repository, good, bad, says):
    with pytest.raises(UsageError, match=says):
        between(repository, good, bad, all_parents=False)


def test_git_replays_the_log(repository, tmp_path):
    commits = between(repository, "main~3", "main", all_parents=True)
    good = git(repository, "rev-parse", "main~3")
    wanted = BisectOptions(good=good, bad=commits[-1].sha, all_parents=True, budget_s=1.0, runtime="process")
    search = Search(wanted=wanted, commits=commits, target=INSTRUCTIONS)

    def measure(commit):
        bad = commit.subject in ("y", "merge")
        return CommitReading(outcome="bad" if bad else "good", share=float(bad)), 1.0

    search, answer = searched(search, measure, ignored)
    log = tmp_path / "bisect.log"
    log.write_text(bisect_report.log(search))
    assert "# first bad commit: [" in log.read_text()
    command = ["git", *WHO, "bisect", "replay", str(log)]
    replayed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert f"{answer.culprit} is the first bad commit" in replayed.stdout
    assert search.commit(answer.culprit).subject == "y"


def test_a_merge_says_how_to_look_into_it():
    search = search_of(2)
    merged = replace(search.commits[0], is_merge=True)
    search = replace(search, commits=(merged, *search.commits[1:]))
    text = bisect_report.text(*searched(search, planted(1), ignored))
    assert "It is a merge. `--all-parents` looks into what it merged." in text


def test_a_step_says_what_it_found_and_what_is_left():
    search = replace(search_of(32), steps=(BisectStep(commit=f"{16:040}", outcome="good", share=0.05),))
    line = bisect_report.step_line(search, search.steps[0])
    assert line == "step 1: 00000000 change 16: good (+0.10 %); 16 commits left, about 4 steps"
