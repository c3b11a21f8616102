"""What written data leave to be concluded: rows that say so, and response bytes that are not judged."""

from dataclasses import replace
from datetime import date

import pytest

from bench.analysis import analyse
from bench.compare.changes import count_changes
from bench.compare.verdict import concluded
from bench.compare.verdict_report import document, text
from bench.model.contender import SAME_AGAIN
from bench.model.scenario import Exchange, Scenario
from bench.records import Written
from tests.support.synthetic import synthetic_run, with_records

BASE, HEAD = "fastapi@aaaaaaaa", "fastapi@worktree"
MEMORY = "bench knows none of them"


def written(contender, number=1, scenario="hello", at_s=0.0, left=None):
    return Written(contender=contender, round=number, scenario=scenario, at_s=at_s, left=left)


def told(run, contender, scenario="hello"):
    (row,) = [
        row for row in analyse(run).rows if (row.cell.contender, row.cell.scenario) == (contender, scenario)
    ]
    return [caveat for caveat in row.caveats if "put back" in caveat]


def measured(base_rps, head_rps, lengths, *, writing=True, noise=0.01, rounds=12):
    """A diff of a base and a head; *lengths*: side → bytes of an answer by how many a slice had before it."""
    speeds = {BASE: base_rps, HEAD: head_rps, f"{BASE}{SAME_AGAIN}": base_rps}
    run = synthetic_run(speeds, reference=BASE, rounds=rounds, sweeps=8, noise=noise, seed=3)

    def grown(record):
        if record.slice.role == "ceiling":
            return record
        count = record.sample.requests
        length = lengths[record.slice.cell.contender.removesuffix(SAME_AGAIN)](count)
        return replace(record, sample=replace(record.sample, received_bytes=round(count * length)))

    scenarios = run.scenarios
    if writing:
        exchange = Exchange(name="hello", method="POST", path="/hello")
        scenarios = (Scenario(name="hello", exchanges=(exchange,), weights=(1,)),)
    plan = replace(run.plan, baseline="aaaaaaaa")
    return replace(with_records(run, grown), plan=plan, scenarios=scenarios)


def begun(run, contender, number):
    """When slices of scenario "later" began in a round."""
    of = (contender, "later", number)
    return [
        record.started_s
        for record in run.records
        if (record.slice.cell.contender, record.slice.cell.scenario, record.slice.round) == of
    ]


def bytes_of(run):
    (change,) = [one for one in count_changes(run, {}) if one.counted == "response_bytes"]
    return change


def growing(count):
    return 100 + count / 10


def test_every_row_that_met_written_data_says_why_they_are_not_put_back():
    run = synthetic_run({"flask": 400, "django": 200}, scenarios=("hello", "later"), rounds=3)
    at_s = min(begun(run, "flask", 3))
    run = replace(run, written=(written("flask", 3, "later", at_s, MEMORY), written("django", 3)))
    assert told(run, "flask", "later") == [f"its data are not put back after writing: {MEMORY}"]
    assert told(run, "flask", "hello") == []  # asked before anything was written
    assert told(run, "django", "later") == []


def test_a_server_that_goes_on_from_round_to_round_keeps_what_was_written():
    run = synthetic_run({"flask": 400}, scenarios=("hello", "later"), rounds=3)
    at_s = max(begun(run, "flask", 1))
    run = replace(run, written=(written("flask", 1, "later", at_s, MEMORY),))
    assert told(run, "flask", "hello") == []
    assert told(replace(run, runtime="external"), "flask", "hello") != []


def test_the_same_reason_is_given_once():
    run = synthetic_run({"flask": 400}, rounds=3)
    run = replace(run, written=tuple(written("flask", number, left=MEMORY) for number in (1, 2, 3)))
    assert len(told(run, "flask")) == 1


@pytest.mark.parametrize("left_of", [BASE, HEAD])
def test_response_bytes_are_not_judged_where_data_are_not_put_back(left_of):
    run = measured(5_000.0, 5_000.0, {BASE: lambda _: 100, HEAD: lambda _: 150}, writing=False)
    assert bytes_of(run).verdict == "slower"
    run = replace(run, written=(written(left_of, left=MEMORY),))
    change = bytes_of(run)
    assert (change.verdict, change.why) == (
        "inconclusive",
        f"data are not put back after writing: {MEMORY}",
    )
    conclusion = concluded(analyse(run), today=date(2026, 11, 25))
    assert conclusion.overall == "INCONCLUSIVE"
    assert not conclusion.regressed
    assert f"no verdict: {change.why}" in text(analyse(run), conclusion)
    assert any(MEMORY in note for note in conclusion.notes)
    (plain,) = [
        one for one in document(analyse(run), conclusion, 0)["counts"] if one["metric"] == "response_bytes"
    ]
    assert (plain["verdict"], plain["why"]) == ("INCONCLUSIVE", change.why)


def test_bytes_within_their_margin_are_equivalent_whatever_was_written():
    run = measured(5_000.0, 5_000.0, {BASE: lambda _: 100, HEAD: lambda _: 101})
    run = replace(run, written=(written(HEAD, left=MEMORY),))
    assert bytes_of(run).verdict == "equivalent"


def test_longer_answers_of_who_wrote_more_are_no_regression():
    change = bytes_of(measured(4_000.0, 5_000.0, {BASE: growing, HEAD: growing}))
    assert change.head > change.base * 1.1
    assert (change.verdict, change.why) == (
        "inconclusive",
        "the longer side wrote more, and answers grow with what is written",
    )


def test_longer_answers_of_a_base_that_wrote_more_are_no_improvement():
    assert bytes_of(measured(5_000.0, 4_000.0, {BASE: growing, HEAD: growing})).verdict == "inconclusive"


def test_a_head_that_sends_more_and_writes_as_much_has_regressed():
    lengths = {BASE: growing, HEAD: lambda count: 1.3 * growing(count)}
    for seed_rps in (4_900.0, 5_000.0):
        change = bytes_of(measured(5_000.0, seed_rps, lengths))
        assert (change.verdict, change.why) == ("slower", "")


def test_rows_of_a_get_that_was_found_to_write_are_no_regression_either():
    run = measured(4_000.0, 5_000.0, {BASE: growing, HEAD: growing}, writing=False)
    assert bytes_of(run).verdict == "slower"
    assert bytes_of(replace(run, written=(written(HEAD),))).verdict == "inconclusive"


def test_a_scenario_that_only_reads_is_judged_as_ever():
    lengths = {BASE: lambda _: 100, HEAD: lambda _: 150}
    assert bytes_of(measured(4_000.0, 5_000.0, lengths, writing=False)).verdict == "slower"
