import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from bench.analysis import analyse
from bench.cli import commands
from bench.compare.entries import entries, entry_of, keep
from bench.compare.history import trends
from bench.errors import UsageError
from bench.files import to_json
from bench.report.summary import summary_of, write_summary
from tests.support.synthetic import synthetic_run

BEGAN = datetime(2026, 1, 1, 2, 17, tzinfo=UTC)
LONG_AGO = datetime(2021, 1, 1, 2, 17, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def throughputs(places):
    found = trends(entries(places, NOW).runs)
    return [trend for trend in found if trend.track.metric == "throughput_rps"]


def kept_run(folder, day, **speeds):
    run = synthetic_run({"flask": 4300.0, "fastapi": 9000.0, **speeds}, rounds=9, seed=day)
    at = (BEGAN + timedelta(days=day)).isoformat(timespec="seconds")
    folder.mkdir(parents=True, exist_ok=True)
    write_summary(analyse(replace(run, started_at=at)), folder)
    return folder


def fill(folder, runs):
    """Write *runs* entries as fast as that goes: from day 700 on FastAPI is a tenth slower."""
    made = entry_of(summary_of(analyse(synthetic_run({"flask": 4300.0, "fastapi": 9000.0}))))
    entry = json.loads(to_json(asdict(made)))
    folder.mkdir(parents=True)
    for day in range(runs):
        at = (LONG_AGO + timedelta(days=day)).isoformat(timespec="seconds")
        cells = [
            cell | {"ratio": cell["ratio"] * (0.9 if day >= 700 else 1.0)} if cell["ratio"] else cell
            for cell in entry["cells"]
        ]
        (folder / f"{day:04}.json").write_text(json.dumps(entry | {"started_at": at, "cells": cells}))


def test_a_run_is_kept_once_under_its_machine_s_class(tmp_path):
    run = kept_run(tmp_path / "run", 1)
    file = keep(run, tmp_path / "history")
    assert file.name == "20260102T021700Z-synthetic-01234567.json"
    assert keep(run, tmp_path / "history") == file
    file.write_text("{}")
    with pytest.raises(UsageError, match="is there already, and entries do not change"):
        keep(run, tmp_path / "history")


def test_a_partial_run_is_not_kept(tmp_path):
    run = kept_run(tmp_path / "run", 1)
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"partial": True}))
    with pytest.raises(UsageError, match="partial or not valid"):
        keep(run, tmp_path / "history")


def test_of_a_run_that_is_not_valid_its_counts_are_kept(tmp_path):
    run = kept_run(tmp_path / "run", 1)
    summary = json.loads((run / "summary.json").read_text())
    changed = summary | {"valid": False, "queries": []}
    (run / "summary.json").write_text(json.dumps(changed))
    with pytest.raises(UsageError, match="partial or not valid"):
        keep(run, tmp_path / "history")
    counted = {"contender": "flask", "scenario": "hello", "per_request": 960_000.0, "spread": 0.001}
    changed["instructions"] = [counted | {"counter": "callgrind"}]
    (run / "summary.json").write_text(json.dumps(changed))
    entry = json.loads(keep(run, tmp_path / "history").read_text())
    assert entry["cells"] == []
    assert [one["per_request"] for one in entry["counts"]] == [960_000.0]


def test_trends_are_of_ratios_to_the_anchor_in_the_order_of_time(tmp_path):
    for day, speed in ((3, 8000.0), (1, 9000.0), (2, 9000.0)):
        keep(kept_run(tmp_path / f"run-{day}", day, fastapi=speed), tmp_path / "history")
    found = {trend.track.contender: trend for trend in throughputs([tmp_path / "history"])}
    fastapi = found["fastapi"]
    assert fastapi.anchor == "flask"
    assert [point.at.day for point in fastapi.points] == [2, 3, 4]
    assert fastapi.usual == pytest.approx(9000 / 4300, rel=0.02)
    assert fastapi.latest == pytest.approx(8000 / 4300, rel=0.02)
    assert found["flask"].anchor is None
    assert found["flask"].latest == pytest.approx(4300, rel=0.02)


def test_folders_of_runs_are_read_like_entries(tmp_path):
    kept_run(tmp_path / "results" / "a", 1)
    kept_run(tmp_path / "results" / "b", 2)
    assert [len(trend.points) for trend in throughputs([tmp_path / "results"])] == [2, 2]
    assert [len(trend.points) for trend in throughputs([tmp_path / "results" / "a"])] == [1, 1]


def test_machines_runtimes_and_plans_are_apart(tmp_path):
    first = kept_run(tmp_path / "a", 1)
    summary = json.loads((first / "summary.json").read_text())
    other = tmp_path / "b"
    other.mkdir()
    (other / "summary.json").write_text(json.dumps(summary | {"runtime": "compose"}))
    assert len(throughputs([first, other])) == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no complete run in"), ("{", "is damaged"), ('{"schema": 99}', "is no summary and no entry")],
)
def test_what_is_no_history_is_told(tmp_path, content, words):
    if content:
        (tmp_path / "entry.json").write_text(content)
    with pytest.raises(UsageError, match=words):
        entries([tmp_path], NOW)


def test_a_thousand_runs_are_drawn_with_a_line_for_each_contender(tmp_path):
    fill(tmp_path / "history", 1000)
    words = ["history", str(tmp_path / "history"), "--out", str(tmp_path / "charts")]
    told = CliRunner().invoke(commands, words)
    assert told.exit_code == 0, told.output
    line = next(line for line in told.stdout.splitlines() if "fastapi" in line)
    assert "1000" in line
    assert "× flask" in line
    close_up, chart = sorted((tmp_path / "charts").iterdir())
    assert close_up.name.startswith("fastapi")
    assert chart.read_text().count("<path") > 2


def test_bench_history_keeps(tmp_path):
    run = kept_run(tmp_path / "run", 1)
    told = CliRunner().invoke(commands, ["history", str(run), "--keep", str(tmp_path / "history")])
    assert told.exit_code == 0, told.output
    assert told.stdout.strip().endswith("20260102T021700Z-synthetic-01234567.json")
