"""The shell of action.yml, in clones as actions/checkout leaves them. A stand-in of bench notes its words."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.repositories import commit, git

SCRIPT = Path(__file__).parents[2] / ".github/diff.sh"
ZEROS = "0" * 40
BENCH = """#!/bin/sh
# diff BASE --budget 90s --out OUT …
echo "$@" > "$TOLD"
git rev-parse --quiet --verify "$2^{commit}" >> "$TOLD" || exit 2
git merge-base "$2" HEAD >> "$TOLD" || exit 2
pwd >> "$TOLD"
mkdir -p "$6" && echo "**REGRESSED**" > "$6/verdict.md"
exit "$CODE"
"""


@pytest.fixture
def origin(tmp_path):
    """Return a remote: main, a branch that left it earlier, and its merge as a pull request has it."""
    root = tmp_path / "origin"
    (root / "services/cart").mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "config", "uploadpack.allowAnySHA1InWant", "true")  # as GitHub's is
    (root / "services/cart/app.py").write_text("app = 1\n")
    commit(root, "the beginning")
    git(root, "checkout", "--quiet", "-b", "branch")
    (root / "services/cart/bench.toml").write_text("")  # new in this pull request
    commit(root, "on the branch")
    git(root, "checkout", "--quiet", "main")
    (root / "other.py").write_text("other = 1\n")
    commit(root, "main moves on")
    git(root, "checkout", "--quiet", "--detach")
    git(root, "merge", "--quiet", "--no-ff", "--message", "Merge", "branch")
    git(root, "update-ref", "refs/pull/1/merge", "HEAD")
    git(root, "checkout", "--quiet", "main")
    return root


def checked_out(origin, ref, *depth):
    """Return a clone with *ref* checked out, fetched as actions/checkout does."""
    clone = origin.parent / "clone"
    clone.mkdir()
    git(clone, "init", "--quiet", "--initial-branch", "main")
    git(clone, "remote", "add", "origin", f"file://{origin}")
    git(clone, "fetch", "--quiet", "--no-tags", *depth, "origin", f"+{ref}:refs/remotes/here")
    git(clone, "checkout", "--quiet", "--detach", "refs/remotes/here")
    return clone


def run(clone, event, *, folder=".", base="", base_sha="", code=0, args=""):
    """Return what happened, and the words, base and place that bench was given."""
    away = clone.parent / "away"
    away.mkdir()
    program, told = away / "bench", away / "told"
    program.write_text(BENCH)
    program.chmod(0o755)
    env = {
        "PATH": os.environ["PATH"],
        "BENCH": str(program),
        "TOLD": str(told),
        "CODE": str(code),
        "BASE": base,
        "BUDGET": "90s",
        "ARGS": args,
        "FOLDER": folder,
        "EVENT": event,
        "BASE_SHA": base_sha,
        "OUT": str(away / "out"),
        "GITHUB_SHA": git(clone, "rev-parse", "HEAD"),
        "GITHUB_OUTPUT": str(away / "output"),
        "GITHUB_STEP_SUMMARY": str(away / "summary"),
    }
    done = subprocess.run(
        [str(SCRIPT)], cwd=clone, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    return done, told.read_text().splitlines() if told.exists() else []


@pytest.mark.parametrize("depth", [(), ("--depth=1",), ("--depth=2",)])
def test_a_pull_request_is_compared_with_what_it_was_merged_into(origin, depth):
    clone = checked_out(origin, "refs/pull/1/merge", *depth)
    done, told = run(clone, "pull_request", base_sha=git(origin, "rev-parse", "main"))
    main = git(origin, "rev-parse", "main")
    assert (done.returncode, told[1:3]) == (0, [main, main]), done.stderr


@pytest.mark.parametrize("depth", [(), ("--depth=1",)])
def test_a_pull_requests_own_commit_is_compared_with_where_it_left_the_base(origin, depth):
    clone = checked_out(origin, "refs/heads/branch", *depth)
    done, told = run(clone, "pull_request", base_sha=git(origin, "rev-parse", "main"))
    assert done.returncode == 0, done.stderr
    assert told[1:3] == [git(origin, "rev-parse", "main"), git(origin, "rev-parse", "main~1")]


@pytest.mark.parametrize("depth", [(), ("--depth=1",)])
def test_a_merge_group_and_a_push_are_compared_with_the_commit_before(origin, depth):
    before = git(origin, "rev-parse", "main~1")
    clone = checked_out(origin, "refs/heads/main", *depth)
    done, told = run(clone, "merge_group", base_sha=before)
    assert (done.returncode, told[1:3]) == (0, [before, before]), done.stderr


def test_a_base_by_name_is_fetched(origin):
    clone = checked_out(origin, "refs/heads/branch", "--depth=1")
    done, told = run(clone, "workflow_dispatch", base="main")
    assert (done.returncode, told[1]) == (0, git(origin, "rev-parse", "main")), done.stderr


def test_a_folder_of_a_monorepo_and_more_options(origin):
    clone = checked_out(origin, "refs/pull/1/merge", "--depth=1")
    done, told = run(clone, "pull_request", folder="services/cart", args="--scenario home --explain")
    assert done.returncode == 0, done.stderr
    assert told[0].endswith("--scenario home --explain")
    assert told[3] == str(clone / "services/cart")


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 1), (2, 2), (3, 0)])
def test_only_what_could_not_be_judged_does_not_fail(origin, code, ends):
    clone = checked_out(origin, "refs/pull/1/merge")
    done, _ = run(clone, "pull_request", code=code)
    away = clone.parent / "away"
    assert done.returncode == ends
    assert ("::warning::" in done.stdout) == (code == 3)
    assert f"code={code}" in (away / "output").read_text().splitlines()
    assert (away / "summary").read_text() == "**REGRESSED**\n"


def test_without_a_base_the_input_is_named(origin):
    done, told = run(checked_out(origin, "refs/heads/main"), "push", base_sha=ZEROS)
    assert (done.returncode, told) == (2, [])
    assert "give the action the input base" in done.stderr


def test_a_base_that_is_nowhere_names_the_remedy(origin):
    done, told = run(checked_out(origin, "refs/heads/main"), "push", base="nowhere")
    assert (done.returncode, told) == (3, [])
    assert "fetch-depth: 0" in done.stderr
