"""`bench bisect` as a shell sees it; a true one of a small history, by counts, killed on the way."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from bench.compare.bisect import FILE
from bench.runtime import callgrind
from tests.cli.test_count import needs_valgrind
from tests.cli.test_profile import CONTENDERS, SCENARIOS, SCHEMAS, SERVER
from tests.support.projects import make_project
from tests.support.repositories import commit, git

SLOWER = SCHEMAS.replace("for _ in range(TURNS):", "sum(range(100))\n    for _ in range(TURNS):")
COMMITS, CULPRIT, BROKEN, OTHERS = 8, 6, 4, "NUMBER = {}\n"


@pytest.fixture
def shop(tmp_path):
    """A history of eight commits after GOOD: the sixth does more, the fourth does not start."""
    root = make_project(tmp_path / "project", contenders=CONTENDERS, scenarios=SCENARIOS)
    app = root / "apps" / "one_app"
    (app / "app.py").write_text(SERVER)
    (app / "schemas.py").write_text(SCHEMAS)
    (app / "requirements.txt").write_text("")
    (root / ".gitignore").write_text(".bench/\n.venvs/\nresults/\n")
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root, "the shop")
    git(root, "tag", "good")
    for number in range(1, COMMITS + 1):
        text = (SLOWER if number >= CULPRIT else SCHEMAS) + OTHERS.format(number)
        (app / "schemas.py").write_text(f"raise RuntimeError\n{text}" if number == BROKEN else text)
        commit(root, f"change {number}")
        git(root, "tag", f"c{number}")
    return root


def started(root, *words):
    command = [sys.executable, "-m", "bench", "bisect", *words]
    return subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def bisect(root, *words, **env):
    command = [sys.executable, "-m", "bench", "bisect", *words]
    return subprocess.run(
        command, cwd=root, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=900
    )


def killed_after(root, steps, *words):
    """Start a bisect, and kill it with its children once so many commits are measured."""
    running = started(root, *words)
    file = root / "results" / "found" / FILE
    ends = time.monotonic() + 600
    while time.monotonic() < ends and running.poll() is None:
        if file.exists() and len(json.loads(file.read_text())["steps"]) >= steps:
            break
        time.sleep(0.2)
    assert running.poll() is None, running.communicate()
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()


@pytest.mark.slow
@needs_valgrind
def test_a_culprit_is_found_by_counts_though_it_is_killed_on_the_way(shop):
    (shop / "apps" / "one_app" / "schemas.py").write_text("the user is at work here\n")
    before = git(shop, "status", "--porcelain=v2", "--branch"), git(shop, "worktree", "list")
    folder = shop / "results" / "found"
    killed_after(shop, 0, "good", "main", "--runtime", "process", "--out", str(folder))
    killed_after(shop, 1, "--resume", str(folder))
    killed_after(shop, 2, "--resume", str(folder))
    told = bisect(shop, "--resume", str(folder), "--json")
    assert told.returncode == 1, told.stdout + told.stderr
    found = json.loads(told.stdout)
    assert found["culprit"] == git(shop, "rev-parse", f"c{CULPRIT}")
    assert (found["metric"], found["subject"]) == ("instructions", f"change {CULPRIT}")
    assert found["before"]["commit"] == git(shop, "rev-parse", f"c{CULPRIT - 1}")
    assert found["before"]["worse_by"] < 0.005 < 0.02 < found["after"]["worse_by"]
    assert [one["subject"] for one in found["steps"] if one["outcome"] == "skip"] == [f"change {BROKEN}"]
    assert (git(shop, "status", "--porcelain=v2", "--branch"), git(shop, "worktree", "list")) == before
    again = bisect(shop, "--resume", str(folder), "--explain")
    assert again.returncode == 1, again.stderr
    assert f"The first bad commit is **{found['culprit'][:8]} change {CULPRIT}**." in again.stdout
    assert "- one, hello: where, by instructions of both: interpreter +" in again.stdout
    assert "every Python function is called as often as in the base" in again.stdout


@pytest.mark.slow
@needs_valgrind
def test_where_bad_does_not_do_more_it_ends_at_once(shop):
    told = bisect(shop, "c1", "c5", "--runtime", "process", "--metric", "instructions")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("**EQUIVALENT**: BAD is not slower than GOOD: there is nothing to search")


@pytest.mark.slow
@needs_valgrind
def test_a_bad_that_is_broken_is_no_culprit(shop):
    told = bisect(shop, "good", f"c{BROKEN}", "--runtime", "process")
    assert told.returncode == 3, told.stderr
    assert "bench: BAD is broken, and a bisect follows what became slower: " in told.stderr
    assert "Traceback" not in told.stderr


def test_where_nothing_can_be_compared_it_is_not_said_to_be_equivalent(shop):
    without = shop / "apps" / "one_app" / "contenders.toml"
    declared = without.read_text()
    without.unlink()
    commit(shop, "without contenders")
    git(shop, "tag", "bare")
    without.write_text(declared)
    commit(shop, "with them")
    told = bisect(shop, "bare", "main", "--runtime", "process", "--json")
    assert told.returncode == 4, told.stderr
    document = json.loads(told.stdout)
    assert (document["verdict"], document["culprit"]) == ("NOT COMPARED", None)
    assert "has nothing to compare with" in document["why"]


def test_where_no_file_differs_there_is_nothing_to_search_for(shop):
    commit(shop, "an empty one")
    folder = shop / "results" / "found"
    told = bisect(shop, f"c{COMMITS}", "main", "--runtime", "process", "--json", "--out", str(folder))
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    assert (document["verdict"], document["culprit"]) == ("EQUIVALENT", None)
    assert "no file that could matter" in document["why"]
    assert json.loads((folder / "result.json").read_text()) == document
    assert (folder / "bisect.md").read_text() == f"**EQUIVALENT**: {document['why']}\n"
    assert document["bad"] == git(shop, "rev-parse", "main")
    again = bisect(shop, "--resume", str(folder), "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, document)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name GOOD and BAD: two revisions, the older one first"),
        (("good",), "name GOOD and BAD"),
        (("main", "good"), "bench: main is no ancestor of good, it comes after it: the older revision"),
        (("main", "main"), "there is nothing between them"),
        (("good", "elsewhere"), "bench: unknown revision elsewhere"),
        (("good", "main", "--contender", "nobody"), "bench: unknown contender nobody"),
        (("good", "main", "--scenario", "nowhere"), "has no scenario nowhere"),
        (("good", "main", "--metric", "memory"), "Invalid value for '--metric'"),
        (("good", "main", "--resume", "."), "bench: --resume goes on with what was requested"),
        (("--resume", ".", "--budget", "5m"), "bench: --resume goes on with what was requested"),
        (("--resume", ".", "--runtime", "process"), "bench: --resume goes on with what was requested"),
        (("--resume", "."), "holds no bisect: it has no bisect.json"),
    ],
)
def test_what_is_named_wrongly_is_a_usage_error(shop, words, says):
    told = bisect(shop, *words)
    assert told.returncode == 2, told.stdout + told.stderr
    assert says in told.stderr
    assert "Traceback" not in told.stderr


def test_without_valgrind_instructions_cannot_be_followed(shop, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to("/usr/bin/git")
    told = bisect(
        shop, "good", "main", "--metric", "instructions", "--runtime", "process", PATH=str(programs)
    )
    assert told.returncode == 3, told.stderr
    assert "bench: instructions cannot be counted: valgrind is not installed" in told.stderr
    assert callgrind.REMEDY in told.stderr


def test_a_history_that_was_rewritten_is_not_gone_on_with(shop):
    folder = shop / "results" / "found"
    bisect(shop, "good", "main", "--contender", "nobody", "--out", str(folder))
    kept = json.loads((folder / FILE).read_text())
    kept["commits"] = kept["commits"][1:]
    (folder / FILE).write_text(json.dumps(kept))
    told = bisect(shop, "--resume", str(folder))
    assert told.returncode == 2, told.stderr
    assert "bench: the history between GOOD and BAD is another one now" in told.stderr
