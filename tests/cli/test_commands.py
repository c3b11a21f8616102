import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from bench.cli import commands
from tests.support.projects import CONTENDERS, make_project


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    return lambda *words: CliRunner().invoke(commands, words)


def test_list_names_what_there_is(bench):
    told = bench("list").stdout
    assert "contender  one-fast" in told
    assert "scenario   churn          create, delete" in told
    assert "plan       tiny" in told


def test_list_has_a_form_for_machines(bench):
    listing = json.loads(bench("list", "--json").stdout)
    assert listing["contenders"][0] == {
        "name": "one",
        "app": "one_app",
        "interface": "wsgi",
        "server": "tiny",
        "scenarios": ["hello", "churn"],
    }
    assert listing["scenarios"] == [{"name": "hello"}, {"name": "churn"}]
    assert listing["plans"] == [{"name": "tiny"}]


def test_a_dry_run_says_what_would_be_measured_and_measures_nothing(bench, tmp_path):
    told = bench("run", "tiny", "--dry-run", "--rounds", "3")
    assert told.exit_code == 0
    assert "hello, 4 connections: floor, one, one-fast, one~aa" in told.stdout
    assert "7 cells × 3 rounds × 2 sweeps = 67 slices with warm-ups" in told.stdout
    assert not (tmp_path / "project" / "results").exists()


def test_a_target_takes_the_place_of_all_contenders(bench):
    told = bench("run", "tiny", "--dry-run", "--target", "http://127.0.0.1:8000")
    assert told.exit_code == 0
    assert "hello, 4 connections: target\nchurn, 4 connections: target\n" in told.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "quik"], "bench: unknown plan quik; there is tiny"),
        (["run", "tiny", "--contender", "on"], "bench: plan tiny has no contender on; did you mean one"),
        (["run", "tiny", "--scenario", "helo"], "has no scenario helo; did you mean hello?"),
        (["verify", "flor"], "bench: unknown contender flor; did you mean floor?"),
        (["report", "nowhere"], "nowhere/run.json: No such file or directory"),
        (["run", "tiny", "--out", "plans/tiny.toml/x"], "Not a directory: name another folder with --out"),
        (["run", "tiny", "--rounds", "0"], "Invalid value for '--rounds'"),
        (["run", "--wait", "tiny"], "'tiny' is no duration: 90s, 2m30s, 1h; without one, --wait stands last"),
        (["run", "tiny", "--wait=0s"], "'0s' is no duration"),
        (["rnu"], "No such command 'rnu'"),
        (["run", "tiny", "--load-bind", "127.0.0.1:5557"], "--load-bind and --load-expect go together"),
        (["run", "tiny", "--load-expect", "2"], "--load-bind and --load-expect go together"),
        (
            ["run", "tiny", "--load-bind", "5557", "--load-expect", "2"],
            "--load-bind 5557: write it as HOST:PORT",
        ),
        (["run", "tiny", "--load-bind", "0.0.0.0:1", "--load-expect", "2"], "that they can reach with"),
        (["run", "tiny", "--target", "https://127.0.0.1"], "TLS is not supported"),
        (["run", "tiny", "--target", "127.0.0.1:8000"], "write it as http://HOST:PORT"),
        (["run", "tiny", "--target", "http://h", "--contender", "one"], "leave --contender out"),
    ],
)
def test_a_wrong_word_is_one_line_with_the_remedy_and_exit_2(bench, words, said):
    told = bench(*words)
    assert told.exit_code == 2
    assert said in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""


@pytest.mark.parametrize("wait", [["--wait"], ["--wait", "90s"], ["--wait=1h"]])
def test_waiting_may_be_for_so_long_at_most(bench, wait):
    assert bench("run", "tiny", "--dry-run", "--runtime", "process", *wait).exit_code == 0


def test_a_mistake_in_a_file_is_one_line_and_exit_2(tmp_path, monkeypatch):
    root = make_project(tmp_path, plan="rounds = ?")
    monkeypatch.chdir(root)
    told = CliRunner().invoke(commands, ["run", "tiny"])
    assert told.exit_code == 2
    assert told.stderr.count("\n") == 1
    assert "plans/tiny.toml: " in told.stderr


def test_who_cannot_be_served_here_is_skipped_with_the_remedy(tmp_path, monkeypatch):
    cached = '[cached]\nof = "one"\nservices = ["postgres", "memcached"]\n'
    monkeypatch.chdir(make_project(tmp_path / "project", contenders=CONTENDERS + cached))
    monkeypatch.setenv("PATH", str(tmp_path))
    told = CliRunner().invoke(commands, ["verify", "cached", "--runtime", "process"])
    remedy = "memcached is not on PATH: install it, or use --runtime compose"
    assert told.stdout == f"cached: skipped: {remedy}\n"
    assert told.exit_code == 3  # nobody else was asked for
    assert "no contender was checked against the contract" in told.stderr


def test_outside_a_project_bench_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(commands, ["list"])
    assert told.exit_code == 2
    assert "run bench inside a project" in told.stderr


def test_a_crash_never_looks_like_a_regression():
    crash = "import bench.cli; bench.cli.commands = lambda **_: 1 / 0; bench.cli.main()"
    told = subprocess.run([sys.executable, "-c", crash], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "ZeroDivisionError" in told.stderr
