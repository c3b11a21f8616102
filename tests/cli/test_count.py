"""`bench count` as a shell sees it: true counts of a small server, kept and checked."""

import json
import os
import subprocess
import sys

import pytest

from bench.runtime import callgrind
from tests.cli.test_profile import CONTENDERS, SCENARIOS, SCHEMAS, SERVER
from tests.support.projects import make_project
from tests.support.repositories import commit, git

needs_valgrind = pytest.mark.skipif(
    not callgrind.version(), reason=f"valgrind is not installed: {callgrind.REMEDY}"
)


@pytest.fixture
def shop(tmp_path):
    root = make_project(tmp_path / "project", contenders=CONTENDERS, scenarios=SCENARIOS)
    app = root / "apps" / "one_app"
    (app / "app.py").write_text(SERVER)
    (app / "schemas.py").write_text(SCHEMAS)
    (app / "requirements.txt").write_text("")
    return root


def bench(root, *words, **env):
    command = [sys.executable, "-m", "bench", *words]
    return subprocess.run(
        command, cwd=root, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.slow
@needs_valgrind
def test_counts_are_kept_and_what_moved_turns_the_check_red(shop):
    kept = bench(shop, "count", "one", "hello", "--keep", "counts.json", "--json")
    assert kept.returncode == 0, kept.stderr
    (one,) = json.loads(kept.stdout)["counts"]
    assert one["instructions"] > 10_000
    assert one["spread"] < 0.005
    same = bench(shop, "count", "--check", "counts.json")
    assert same.returncode == 0, same.stderr
    assert "1 of 1 as they were, within 0.5 %." in same.stdout

    (shop / "apps" / "one_app" / "schemas.py").write_text(SCHEMAS.replace("TURNS = 1", "TURNS = 2"))
    moved = bench(shop, "count", "--check", "counts.json")
    assert moved.returncode == 1, moved.stderr
    assert "% more instructions" in moved.stdout

    document = json.loads((shop / "counts.json").read_text())
    (environment,) = document["environments"].values()
    environment["python"] = "3.8.1"
    (shop / "counts.json").write_text(json.dumps(document))
    refused = bench(shop, "count", "--check", "counts.json")
    assert refused.returncode == 3, refused.stdout
    assert "one, hello: not compared: kept by Python 3.8.1, now " in refused.stdout
    assert "counting instructions" not in refused.stderr  # it refuses before that


@pytest.mark.slow
@needs_valgrind
def test_a_diff_by_counts_alone_needs_no_quiet_machine(shop):
    git(shop, "init", "--quiet", "--initial-branch", "main")
    commit(shop, "the shop")
    (shop / "apps" / "one_app" / "schemas.py").write_text(
        SCHEMAS.replace("for _ in range(TURNS):", "sum(range(100))\n    for _ in range(TURNS):")
    )
    told = bench(shop, "diff", "HEAD", "--only-count", "--runtime", "process", "--json")
    assert told.returncode == 1, told.stdout + told.stderr
    verdict = json.loads(told.stdout)
    assert (verdict["verdict"], verdict["times"], verdict["rounds"]) == ("REGRESSED", [], 0)
    (count,) = [one for one in verdict["counts"] if one["metric"] == "instructions"]
    assert count["head"] > count["base"] * 1.01


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("count", "one"), "bench: valgrind is not installed: install valgrind ("),
        (("count", "one", "--runtime", "compose"), "bench: "),
        (
            ("diff", "HEAD", "--only-count", "--all"),
            "bench: instructions cannot be counted: valgrind is not installed",
        ),
    ],
)
def test_without_valgrind_one_line_names_the_remedy(shop, tmp_path, words, says):
    git(shop, "init", "--quiet", "--initial-branch", "main")
    commit(shop, "the shop")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to("/usr/bin/git")
    told = bench(shop, *words, PATH=str(programs))
    assert told.returncode == 3, told.stderr
    assert told.stderr.splitlines()[-1].startswith(says)
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("count", "nobody"), "bench: unknown contender or scenario nobody"),
        (("count", "one", "helo"), "unknown contender or scenario helo; did you mean hello?"),
        (("count", "one", "--keep", "no/such/counts.json"), "there is no folder no/such"),
        (("count", "one", "--margin", "nan"), "'nan' is no percentage"),
        (("count", "one", "--margin", "inf"), "'inf' is no percentage"),
        (("count", "--check", "none.json"), "does not exist"),
        (("count", "one", "--margin", "0"), "Invalid value for '--margin'"),
        (
            ("diff", "HEAD", "--only-count", "--no-count"),
            "leave one of the two out",
        ),
    ],
)
def test_what_is_named_wrongly_is_a_usage_error(shop, words, says):
    told = bench(shop, *words)
    assert told.returncode == 2, told.stderr
    assert says in told.stderr
