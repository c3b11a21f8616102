"""`bench compare` as a shell sees it: what it says where, and its exit code."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench.cli import commands
from bench.files import to_json
from tests.support.synthetic import failing, synthetic_run, with_records

SPEEDS = {"flask": 4300.0, "fastapi": 9000.0, "django": 2100.0}


def measured(seed, changed=(), **kwargs):
    return synthetic_run({**SPEEDS, **dict(changed)}, noise=0.01, seed=seed, **kwargs)


@pytest.fixture
def bench(tmp_path):
    def call(baseline, candidate, *options):
        for name, run in (("a", baseline), ("b", candidate)):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "run.json").write_bytes(to_json(run))
        return CliRunner().invoke(commands, ["compare", str(tmp_path / "a"), str(tmp_path / "b"), *options])

    return call


def test_two_runs_of_the_same_are_fine(bench):
    told = bench(measured(1), measured(2))
    assert told.exit_code == 0
    assert told.stdout.count("EQUIVALENT") == 4
    assert "flask, the reference: " in told.stdout
    assert told.stderr == ""


def test_a_regression_is_exit_1_and_still_printed(bench):
    told = bench(measured(1), measured(2, {"fastapi": 7800.0}))
    assert told.exit_code == 1
    assert told.stdout.count("REGRESSED ") >= 2
    assert told.stderr == ""


def test_an_improvement_is_fine(bench):
    told = bench(measured(1), measured(2, {"fastapi": 10_500.0}))
    assert told.exit_code == 0
    assert "IMPROVED" in told.stdout


def test_json_is_all_that_goes_to_stdout(bench):
    told = bench(measured(1), measured(2, {"fastapi": 7800.0}), "--json")
    assert told.exit_code == 1
    changes = json.loads(told.stdout)["changes"]
    assert {(one["contender"], one["metric"]): one["verdict"] for one in changes} == {
        ("fastapi", "throughput_rps"): "REGRESSED",
        ("fastapi", "service_demand_us"): "REGRESSED",
        ("django", "throughput_rps"): "EQUIVALENT",
        ("django", "service_demand_us"): "EQUIVALENT",
    }


def silent(run):
    return with_records(
        run, lambda record: failing(record) if record.slice.cell.contender == "django" else record
    )


@pytest.mark.parametrize(
    ("candidate", "code", "said"),
    [
        (replace(measured(2), runtime="compose"), 2, "runtime: process here, compose there"),
        (measured(2, reference="django"), 2, "ratios to flask in the baseline, to django in the candidate"),
        (
            replace(measured(2), ended="interrupted"),
            3,
            "the candidate is partial: interrupted; measure it again",
        ),
        (measured(2, rounds=5), 3, "nothing of the two runs compares"),
        (silent(measured(2)), 1, ": django"),
    ],
)
def test_what_cannot_be_said_is_one_line_with_its_exit_code(bench, candidate, code, said):
    told = bench(measured(1), candidate)
    assert told.exit_code == code
    assert said in told.stderr
    assert told.stderr.count("\n") == 1
    assert "Traceback" not in told.output


def test_a_run_that_is_not_there_is_named(tmp_path):
    told = CliRunner().invoke(commands, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert told.exit_code == 2
    assert "a/run.json: No such file or directory" in told.stderr
