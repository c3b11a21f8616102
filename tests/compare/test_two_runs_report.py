"""How a comparison of two runs is told. UPDATE_GOLDEN=1 in the environment writes tests/expected/ anew."""

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.compare.two_runs import compare
from bench.compare.two_runs_report import changes_document, print_changes
from tests.support.synthetic import failing_some, synthetic_run, with_records

EXPECTED = Path(__file__).parents[1] / "expected"
SPEEDS = {"flask": 4300.0, "django": 2100.0, "django-drf": 1500.0, "fastapi": 9000.0}


@pytest.fixture(scope="module")
def two():
    """A pair with every verdict, failures, a client that was the limit and cells that only one run has."""
    baseline = synthetic_run(
        {**SPEEDS, "granian": 60_000.0}, noise=0.012, scenarios=("hello", "churn"), seed=1
    )
    after = {**SPEEDS, "django": 1880.0, "django-drf": 1525.0, "fastapi": 10_300.0}
    candidate = synthetic_run(
        {**after, "granian": 140_000.0, "stdlib": 9000.0}, noise=0.012, scenarios=("hello", "users"), seed=2
    )

    def fail_once(record):
        place = (record.slice.cell.contender, record.slice.round, record.slice.sweep)
        return failing_some(record, 20) if place == ("django", 3, 1) else record

    packages = {"fastapi_app-py313": {"packages": {"fastapi": "0.166.0", "uvicorn": "0.40.0"}}}
    return compare(
        baseline,
        replace(
            with_records(candidate, fail_once),
            started_at="2026-11-25T04:43:00+00:00",
            fingerprint={**candidate.fingerprint, "environments": packages},
        ),
    )


def printed(two, width):
    told = io.StringIO()
    print_changes(two, Console(file=told, width=width))
    return "".join(f"{line.rstrip()}\n" for line in told.getvalue().splitlines())


def held(name, text):
    if os.environ.get("UPDATE_GOLDEN"):
        (EXPECTED / name).write_text(text, encoding="utf-8")
    assert text == (EXPECTED / name).read_text(encoding="utf-8")


def test_two_fixed_runs_are_told_as_expected(two):
    held("compare.txt", printed(two, 80))


def test_two_fixed_runs_are_told_to_machines_as_expected(two):
    text = json.dumps(changes_document(two), indent=2, ensure_ascii=False, allow_nan=False)
    held("compare.json", f"{text}\n")


def test_every_word_of_a_verdict_is_there(two):
    assert {one["verdict"] for one in changes_document(two)["changes"]} == {
        "REGRESSED",
        "IMPROVED",
        "EQUIVALENT",
        "INCONCLUSIVE",
        "INVALID",
    }
    for one in changes_document(two)["changes"]:
        assert (one["change"] is None) == (one["verdict"] == "INVALID")
        assert one["why"] or one["verdict"] != "INVALID"


def test_warnings_past_the_first_are_counted_and_all_told_to_machines(two):
    many = replace(two, warnings=tuple(f"fact {number}" for number in range(20)))
    text = printed(many, 80)
    assert "fact 11" in text
    assert "fact 12" not in text
    assert "… and 8 more differences" in text
    assert len(changes_document(many)["warnings"]) == 20
