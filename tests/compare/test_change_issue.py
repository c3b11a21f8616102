import json
from dataclasses import replace

import pytest

from bench.compare.bisection import Commit
from bench.compare.change_issue import KnownIssue, fixed_by, identity, issue_of
from bench.errors import UsageError
from tests.compare.test_change_points import entry, invoked, noise, points, slower, write

COMMITS = (Commit(sha="a" * 40, parents=(), subject="Ask @nobody, see #1"), Commit(sha="b" * 40, parents=()))


def between(after, by):
    return COMMITS


def mended(runs=90, at=30, again=60):
    """Return runs that are 3 % slower from *at* on, until *again*."""
    return [entry(run, value - 0.03 * (at <= run < again)) for run, value in enumerate(noise(runs))]


def known(issue, number=7, state="OPEN"):
    return (KnownIssue(number=number, state=state, body=issue.body),)


def test_a_step_for_the_worse_opens_an_issue_with_all_that_one_needs():
    (point,) = points(slower())
    issue = issue_of((point,), (), between)
    assert (issue.action, issue.number) == ("open", None)
    assert issue.title.startswith("fastapi, hello: throughput worse: −")
    assert f"since {point.likely.commit[:8]}" in issue.title
    for text in (
        "- **Size**: worse: −",
        f"**Between** {point.after.commit[:8]} (",
        f" and {point.by.commit[:8]} (",
        "- **Commits**: 2\n  - aaaaaaaa `Ask @nobody, see #1`\n  - bbbbbbbb ",
        f"`bench bisect {point.after.commit[:12]} {point.by.commit[:12]} "
        "--contender fastapi --scenario hello --metric time`",
    ):
        assert text in issue.body, issue.body


def test_the_next_night_updates_it_and_no_second_one_is_opened():
    runs = slower()
    first = issue_of(points(runs), (), between)
    later = issue_of(points([*runs, *(entry(run, -0.03) for run in range(60, 70))]), known(first), between)
    assert (later.action, later.number) == ("update", 7)


def test_a_fixed_one_closes_it():
    runs = mended()
    before = issue_of(points(runs[:55]), (), between)
    after = issue_of(points(runs), known(before), between)
    assert (before.action, after.action, after.number) == ("open", "close", 7)
    worse, better = points(runs)
    assert f"fixed by {better.likely.commit[:8]}: better: " in after.body
    assert identity(worse) in after.body
    assert issue_of(points(runs), known(after, state="CLOSED"), between).action == "nothing"


def test_what_a_person_closed_is_accepted_and_what_comes_later_is_not():
    runs = mended(again=1000)
    first = issue_of(points(runs), (), between)
    closed = known(first, state="CLOSED")
    assert issue_of(points(runs), closed, between).action == "nothing"
    more = [
        entry(number, value - 0.03 - 0.05 * (number >= 130))
        for number, value in enumerate(noise(70, seed=2), start=90)
    ]
    second = issue_of(points([*runs, *more]), closed, between)
    assert second.action == "open"
    assert second.body.count("### ") == 1


def test_half_of_it_back_is_not_fixed():
    runs = [
        entry(run, value - 0.06 * (run >= 30) + 0.02 * (run >= 60)) for run, value in enumerate(noise(90))
    ]
    worse, better = points(runs)
    assert (worse.worse, better.worse) == (True, False)
    assert fixed_by(worse, (worse, better)) is None
    assert issue_of((worse, better), (), between).action == "open"


def test_a_better_step_under_other_conditions_fixes_nothing():
    worse, better = points(mended())
    assert fixed_by(worse, (worse, better)) == better
    assert fixed_by(worse, (worse, replace(better, conditions="another machine"))) is None


def test_issues_that_are_not_ours_are_left_alone():
    others = (KnownIssue(number=3, state="OPEN", body="It is slow!"),)
    assert issue_of((), others, between).action == "nothing"
    assert issue_of(points(slower()), others, between).action == "open"


def test_a_change_between_two_runs_of_one_commit_has_no_bisect():
    (point,) = points(slower())
    same = replace(point, by=replace(point.by, commit=point.after.commit), causes=("uvicorn 1 → 2",))
    body = issue_of((same,), (), between).body
    assert "none lies between: both runs are of one commit" in body
    assert "uvicorn 1 → 2" in body
    assert "bench bisect" not in body


@pytest.mark.parametrize(
    ("metric", "contender", "command"),
    [
        ("statements", "fastapi", "--contender fastapi --metric statements`"),
        (
            "service_demand_us",
            "django:pool=off",
            "django:pool=off --scenario hello --metric time`",
        ),
        ("memory_bytes", "fastapi", "--contender fastapi` (a bisect does not follow memory)"),
    ],
)
def test_the_command_follows_what_became_worse(metric, contender, command):
    (point,) = points(slower())
    track = replace(point.track, metric=metric, contender=contender)
    assert command in issue_of((replace(point, track=track),), (), between).body


def test_commits_that_are_not_here_are_no_reason_to_say_nothing():
    def unknown(after, by):
        raise UsageError("unknown revision 0000001d")

    body = issue_of(points(slower()), (), unknown).body
    assert "- **Commits**: not known here (unknown revision 0000001d)" in body


def test_many_points_fit_one_issue():
    (point,) = points(slower())
    many = [replace(point, track=replace(point.track, scenario=f"s{number}")) for number in range(300)]
    issue = issue_of(many, (), lambda after, by: COMMITS * 500)
    assert len(issue.body) < 65_536
    assert "280 smaller ones are not shown." in issue.body
    assert issue.title.endswith(" and 299 more")
    assert len(known(issue)[0].points) == 300


def test_the_command_writes_what_the_workflow_carries_out(tmp_path):
    folder = write(tmp_path / "history", slower())
    file, there = tmp_path / "issue.json", tmp_path / "known.json"
    told = invoked(folder, "--json", "--issue", file)
    assert told.exit_code == 0, told.output
    begun = json.loads(file.read_text())
    assert set(begun) == {"action", "number", "title", "body"}
    assert begun["action"] == "open"
    there.write_text(json.dumps([{"number": 12, "state": "OPEN", "body": begun["body"]}]))
    told = invoked(folder, "--json", "--issue", file, "--known", there, "--since", f"{0:08x}")
    assert told.exit_code == 1, told.output
    assert json.loads(file.read_text())["action"] == "update"
    assert "issue: update 12: " in told.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--known", "known.json"), "--known is for --issue"),
        (("--issue", "issue.json", "--known", "nowhere.json"), "nowhere.json: No such file"),
        (("--issue", "nowhere/issue.json"), "name another file with --issue"),
        (("--issue", "issue.json", "--keep", "."), "--keep only keeps"),
    ],
)
def test_what_does_not_fit_together_is_a_mistake(tmp_path, monkeypatch, words, says):
    folder = write(tmp_path / "history", slower())
    monkeypatch.chdir(tmp_path)
    told = invoked(folder, "--json", *words) if "--keep" not in words else invoked(folder, *words)
    assert told.exit_code == 2, told.output
    assert says in told.stderr


def test_a_history_of_one_run_has_nothing_to_do(tmp_path):
    folder, file = write(tmp_path / "history", [entry(1)]), tmp_path / "issue.json"
    assert invoked(folder, "--json", "--issue", file).exit_code == 0
    assert json.loads(file.read_text())["action"] == "nothing"
