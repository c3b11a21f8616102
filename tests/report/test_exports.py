"""Exports, held to the schemas of who reads them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Required

import pytest
from click.testing import CliRunner
from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from bench.analysis import analyse
from bench.cli import commands
from bench.report.exports import FORMATS, export
from bench.run.store import Journal
from tests.support.synthetic import failing, synthetic_run, with_records

STRICT = ConfigDict(extra="forbid", strict=True)
BIGGER, SMALLER = "github-action-benchmark-bigger.json", "github-action-benchmark-smaller.json"


@with_config(STRICT)
class Entry(TypedDict, total=False):
    """BenchmarkResult of github-action-benchmark, src/extract.ts."""

    name: Required[str]
    unit: Required[str]
    value: Required[float]
    range: str
    extra: str


@with_config(STRICT)
class Metric(TypedDict, total=False):
    """JsonNewMetric of Bencher."""

    value: Required[float]
    lower_value: float
    upper_value: float


def exported(tmp_path, name, run=None):
    files = export(analyse(run or synthetic_run(scenarios=("hello", "users-read"))), tmp_path, name)
    return {
        file.name: json.loads(file.read_text()) if file.suffix == ".json" else file.read_text()
        for file in files
    }


def test_github_action_benchmark_gets_a_list_for_each_direction(tmp_path):
    told = exported(tmp_path, "github-action-benchmark")
    assert set(told) == {BIGGER, SMALLER}
    for content in told.values():
        entries = TypeAdapter(list[Entry]).validate_json(json.dumps(content))
        assert len({one["name"] for one in entries}) == len(entries)
        assert all(one["value"] > 0 for one in entries)
        assert not any("~aa" in one["name"] for one in entries)
    first = told[BIGGER][0]
    assert first["name"] == "stdlib / hello / 32 connections: throughput"
    assert (first["unit"], first["range"][:2]) == ("req/s", "± ")
    assert {one["unit"] for one in told[SMALLER]} == {"us", "ms"}


def test_bencher_gets_its_own_measures_in_its_own_units(tmp_path):
    run = synthetic_run()
    document = exported(tmp_path, "bencher", run)["bencher.json"]
    TypeAdapter(dict[str, dict[str, Metric]]).validate_json(json.dumps(document))
    row = next(row for row in analyse(run).rows if row.cell.contender == "fastapi")
    measures = document["fastapi / hello / 32 connections"]
    assert measures["throughput"]["value"] == pytest.approx(row.throughput_rps.estimate, rel=1e-5)
    assert measures["latency"]["value"] == pytest.approx(row.latency.p50_ms * 1e6, rel=1e-5)
    assert measures["cpu-time-per-request"]["lower_value"] < measures["cpu-time-per-request"]["value"]
    assert all(len(name) <= 1024 for name in document)


def test_pytest_benchmark_compares_it_with_its_own_command(tmp_path):
    (tmp_path / "other").mkdir()
    for folder in (tmp_path, tmp_path / "other"):
        exported(folder, "pytest-benchmark")
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "--columns", "median,rounds,ops"]
    files = [tmp_path / "pytest-benchmark.json", tmp_path / "other" / "pytest-benchmark.json"]
    done = subprocess.run(
        [*command, *map(str, files)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "fastapi" in done.stdout
    assert "stdlib" in done.stdout


def test_pytest_benchmark_s_numbers_are_seconds_per_request_over_our_rounds(tmp_path):
    run = synthetic_run(rounds=9)
    document = exported(tmp_path, "pytest-benchmark", run)["pytest-benchmark.json"]
    assert {"machine_info", "commit_info", "benchmarks", "datetime", "version"} == document.keys()
    stats = next(one["stats"] for one in document["benchmarks"] if one["name"] == "flask")
    assert stats["rounds"] == len(stats["data"]) == 9
    assert stats["median"] == pytest.approx(1 / 4300, rel=0.02)
    assert stats["min"] <= stats["q1"] <= stats["median"] <= stats["q3"] <= stats["max"]
    assert stats["ops"] == pytest.approx(1 / stats["mean"])


def test_what_is_no_number_is_left_out_never_null(tmp_path):
    run = with_records(
        synthetic_run(rounds=1),
        lambda record: failing(record) if record.slice.cell.contender == "django" else record,
    )
    for name in FORMATS:
        for content in exported(tmp_path, name, run).values():
            assert "null" not in json.dumps([content]) or name == "pytest-benchmark"
            assert "django" not in json.dumps(content)


def test_an_empty_run_exports_nothing_that_looks_like_a_number(tmp_path):
    run = replace(synthetic_run(), records=())
    assert exported(tmp_path, "github-action-benchmark", run) == {BIGGER: [], SMALLER: []}


def test_bench_report_exports(tmp_path):
    Journal(synthetic_run(), tmp_path).save()
    words = ["report", str(tmp_path), "--export", "bencher", "--export", "pytest-benchmark"]
    told = CliRunner().invoke(commands, words)
    assert told.exit_code == 0, told.output
    assert {file.name for file in Path(tmp_path).glob("*.json")} >= {"bencher.json", "pytest-benchmark.json"}
    told = CliRunner().invoke(commands, ["report", str(tmp_path), "--export", "excel"])
    assert told.exit_code == 2
    assert "'excel' is not one of 'github-action-benchmark', 'bencher', 'pytest-benchmark'" in told.stderr
