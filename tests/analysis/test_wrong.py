"""Rows of wrong answers: their numbers are kept, and nothing is concluded from them."""

from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.compare.entries import entry_of
from bench.histogram import Histogram
from bench.report.answer import answer
from bench.report.exports import FORMATS
from bench.report.panels import panels
from bench.report.sentences import headline, notes
from bench.report.summary import summary
from tests.support.synthetic import failing, failing_some, rate, synthetic_run, with_records

SPEEDS = {"flask": 4_000.0, "django": 2_000.0, "fastapi": 9_000.0}


def of(name, change):
    return lambda record: change(record) if record.slice.cell.contender == name else record


def shedding(record, status=503):
    """Half of all answers are refusals, and fast."""
    return failing_some(record, record.sample.requests, f"status {status}")


@pytest.fixture(scope="module")
def shed():
    return analyse(with_records(synthetic_run(SPEEDS), of("fastapi", shedding)))


def test_a_row_beyond_the_limit_has_no_rank_no_ratio_and_no_verdict(shed):
    rows = {row.cell.contender: row for row in shed.rows}
    assert {name: row.rank for name, row in rows.items()} == {"flask": 1, "django": 2, "fastapi": None}
    assert rows["fastapi"].throughput_rps is not None
    compared = [one for one in shed.comparisons if one.cell.contender == "fastapi"]
    assert {(one.ratio, one.verdict) for one in compared} == {(None, "invalid")}
    assert all("answers were wrong" in one.withheld for one in compared)


def test_it_is_in_no_sentence_as_the_fastest_and_in_no_file_for_other_tools(shed):
    (panel,) = panels(shed)
    assert "fastapi in no order, withheld: " in headline(panel)
    assert not headline(panel).startswith("FastAPI")
    assert not any("faster: fastapi" in note for note in notes(panel))
    assert not any(sentence for sentence in answer(shed) if "FastAPI" in sentence)
    for name, write in FORMATS.items():
        assert "fastapi" not in str(write(shed)), name


def test_machines_find_its_numbers_with_why_nothing_follows_and_history_keeps_none(shed):
    told = summary(shed.run)
    (row,) = [row for row in told["rows"] if row["contender"] == "fastapi"]
    assert row["throughput_rps"]["estimate"] > 0
    assert row["withheld"].startswith("withheld: ")
    (cell,) = [cell for cell in entry_of(told).cells if cell.contender == "fastapi"]
    assert (cell.throughput_rps, cell.ratio) == (None, None)


@pytest.mark.parametrize(("wrong", "is_wrong"), [(2, False), (4, True)])
def test_the_limit_is_one_in_a_thousand(wrong, is_wrong):
    run = synthetic_run({"flask": 4_000.0, "django": 2_000.0}, noise=0)  # 2,600 answers in a slice of flask
    (flask, _) = analyse(with_records(run, of("flask", lambda record: failing_some(record, wrong)))).rows
    assert bool(flask.withheld) is is_wrong


def test_where_the_reference_is_wrong_nobody_has_a_ratio_not_even_itself():
    analysis = analyse(with_records(synthetic_run(SPEEDS), of("flask", shedding)))
    (panel,) = panels(analysis)
    assert all(panel.ratio_of(row) is None for row in panel.rows)
    assert any(note.startswith("No ratios: flask, the reference: withheld: ") for note in notes(panel))


def test_a_reference_whose_every_slice_is_void_has_no_ratio_to_itself():
    void = of("flask", lambda record: replace(record, void="others used the server's cores"))
    (panel,) = panels(analyse(with_records(synthetic_run(SPEEDS), void)))
    assert all(panel.ratio_of(row) is None for row in panel.rows)


def test_wrong_answers_are_said_before_what_the_machine_did():
    def wrong_and_void(record):
        return replace(failing(record), void="others used the server's cores")

    analysis = analyse(with_records(synthetic_run(SPEEDS), wrong_and_void))
    assert analysis.invalid.startswith("no contender gave a right answer: status 500 × ")
    for row in analysis.rows:
        assert "failed (status 500 × " in row.caveats[0]
        assert any("slices void" in caveat for caveat in row.caveats[1:])


def test_a_refusal_for_too_much_is_told_to_be_the_app_s_own_limit():
    for status, hinted in ((503, True), (429, True), (500, False)):
        run = with_records(synthetic_run(SPEEDS), of("fastapi", lambda one, s=status: shedding(one, s)))
        (row,) = [row for row in analyse(run).rows if row.cell.contender == "fastapi"]
        assert ("a limit of the app itself" in row.caveats[0]) is hinted


def test_a_server_that_is_right_at_first_says_until_when():
    late = lambda record: failing(record) if record.slice.sweep else record  # noqa: E731 - after the warm-up
    (row, *_) = analyse(with_records(synthetic_run(SPEEDS), of("flask", late))).rows
    assert any(caveat.startswith("right at first: ") and "of" not in caveat[:20] for caveat in row.caveats)
    (row, *_) = analyse(with_records(synthetic_run(SPEEDS), of("flask", shedding))).rows
    assert not any(caveat.startswith("right at first") for caveat in row.caveats)


def test_a_round_without_a_right_answer_withholds_the_row():
    def hung(record):
        lost = replace(record.sample, latency=Histogram(), unfinished=32)
        return replace(record, sample=lost) if record.slice.round == 5 else record

    (row, *_) = analyse(with_records(synthetic_run(SPEEDS), of("flask", hung))).rows
    assert row.withheld == "withheld: no right answer in round 5"
    assert row.rank is None


def test_what_an_open_load_did_not_keep_up_with_is_no_wrong_answer():
    run = synthetic_run(SPEEDS, loads=[rate(0.5)])
    behind = lambda record: replace(record, sample=replace(record.sample, due=2 * (record.sample.due or 0)))  # noqa: E731
    for row in analyse(with_records(run, behind)).rows:
        assert row.withheld == ""
        assert any(caveat.startswith("did not keep up") for caveat in row.caveats)


def test_examples_are_text_whatever_came():
    def binary(record):
        told = failing_some(record, 5)
        return replace(
            told, sample=replace(told.sample, examples=("GET /: expected it, got \0\x1b[2J\x07 ok",))
        )

    (row, *_) = analyse(with_records(synthetic_run(SPEEDS), of("flask", binary))).rows
    assert row.examples == ("GET /: expected it, got \ufffd\ufffd[2J\ufffd ok",)
