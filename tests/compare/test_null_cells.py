import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.analysis.statistics import binomial_limit
from bench.cli import commands
from bench.compare.null_cells import (
    COLUMNS,
    LEDGER,
    added,
    append,
    false_alarms,
    is_of_equals,
    null_cells,
    read_ledger,
)
from bench.errors import UsageError
from bench.files import to_json
from tests.compare.test_instructions import counted
from tests.support.synthetic import SPEEDS, synthetic_run

ROOT = Path(__file__).parents[2]
BASE, SAME, NOW = "flask@01234567", "flask@01234567-head", "flask@worktree"


def quiet(**changes):
    return synthetic_run(noise=0.005, **changes)


def diff_of(head, speed=4_300.0, **changes):
    """Return a diff of BASE and *head*, which answers *speed* requests a second."""
    run = synthetic_run({BASE: 4_300.0, head: speed}, reference=BASE, noise=0.005, rounds=12)
    return replace(run, plan=replace(run.plan, name="diff", baseline="01234567"), **changes)


def test_a_twin_is_a_null_cell_in_each_metric_and_nothing_else_is():
    cells = null_cells(quiet())
    assert [(one.cell, one.beside, one.metric) for one in cells] == [
        ("flask, hello, 32 connections", "twin", "throughput_rps"),
        ("flask, hello, 32 connections", "twin", "service_demand_us"),
    ]
    for one in cells:
        assert (one.date, one.plan, one.rounds, one.flagged) == ("2026-11-23", "synthetic", 9, "")
        assert one.low < one.ratio < one.high


def test_a_twin_that_differs_by_more_than_the_margin_is_a_flag():
    cells = null_cells(quiet(speeds={**SPEEDS, "flask~aa": 3_900.0}))
    assert {one.metric: one.flagged for one in cells} == {
        "throughput_rps": "slower",
        "service_demand_us": "slower",
    }


def test_few_rounds_have_no_interval_and_are_no_cell():
    assert null_cells(quiet(rounds=5)) == ()


def test_a_run_that_no_report_shows_counts_for_nothing():
    with pytest.raises(UsageError, match="partial"):
        null_cells(replace(quiet(), ended="interrupted"))


@pytest.mark.parametrize(
    ("head", "project", "equal"),
    [
        (SAME, {}, True),
        (NOW, {"commit": "0123456789abcdef", "dirty": False}, True),
        (NOW, {"commit": "0123456789abcdef", "dirty": True}, False),
        (NOW, {"commit": "0123456789abcdef"}, False),
        (NOW, {"commit": "89abcdef01234567", "dirty": False}, False),
        ("flask@89abcdef", {"commit": "0123456789abcdef", "dirty": False}, False),
        ("flask@upgraded", {"commit": "0123456789abcdef", "dirty": False}, False),
    ],
)
def test_a_diff_is_of_equals_where_both_sides_are_one_commit(head, project, equal):
    run = diff_of(head, fingerprint={"project": project})
    assert is_of_equals(run) is equal
    assert bool(null_cells(run)) is equal


def test_servers_that_are_not_ours_may_be_of_any_code():
    assert not is_of_equals(replace(diff_of(SAME), runtime="external"))


def test_both_sides_of_a_diff_of_equals_are_null_cells_with_their_counts():
    counts = (counted(BASE, (1e6, 1e6)), counted(SAME, (1.02e6, 1.02e6)))
    cells = null_cells(diff_of(SAME, instructions=counts))
    found = {one.metric: one for one in cells}
    assert {one.beside for one in cells} == {"head"}
    assert found["throughput_rps"].flagged == ""
    assert (found["instructions"].flagged, found["instructions"].ratio) == ("slower", 1.02)
    assert (found["instructions"].margin, found["instructions"].low) == (0.005, None)


def test_the_ledger_has_each_run_once_and_its_lines_stay(tmp_path):
    file, one, other = tmp_path / LEDGER, null_cells(quiet()), null_cells(diff_of(SAME))
    append(file, added(read_ledger(file), one))
    before = file.read_text()
    append(file, added(read_ledger(file), (*one, *other)))
    append(file, added(read_ledger(file), (*one, *other)))
    assert file.read_text().startswith(before)
    assert read_ledger(file) == (*one, *other)
    assert "/" not in file.read_text()


def test_a_ledger_whose_last_line_does_not_end_is_not_damaged_further(tmp_path):
    file, one, other = tmp_path / LEDGER, null_cells(quiet()), null_cells(diff_of(SAME))
    append(file, one)
    file.write_bytes(file.read_bytes().removesuffix(b"\n"))
    append(file, other)
    assert read_ledger(file) == (*one, *other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "is no ledger of null cells"),
        ("{header}\n2026-11-23,x\n", "line 2, is damaged: it has not 14 columns"),
        ("{header}\n{row}\n", "line 2, is damaged: could not convert string to float: 'much'"),
    ],
)
def test_a_damaged_ledger_is_named_with_its_line(tmp_path, text, words):
    file = tmp_path / LEDGER
    row = "2026-11-23,x,x86,process,quick,flask,twin,throughput_rps,9,much,0.9,1.1,0.05,"
    file.write_text(text.format(header=",".join(COLUMNS), row=row))
    with pytest.raises(UsageError, match=words):
        read_ledger(file)


@pytest.mark.parametrize(
    ("successes", "trials", "limit"),
    [(0, 1, 0.95), (0, 5_990, 0.0005), (1, 100, 0.04656), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_the_limit_of_a_rate_is_clopper_and_pearsons(successes, trials, limit):
    assert binomial_limit(successes, trials) == pytest.approx(limit, rel=1e-3)


def kept(folder, run):
    folder.mkdir()
    (folder / "run.json").write_bytes(to_json(run))
    return str(folder)


def test_the_command_adds_names_what_it_leaves_out_and_shows_the_rate(tmp_path):
    good, partial = (
        kept(tmp_path / "good", quiet()),
        kept(tmp_path / "partial", replace(quiet(), ended=None)),
    )
    ledger = str(tmp_path / "kept" / LEDGER)
    told = CliRunner().invoke(commands, ["null-cells", good, good, partial, "--ledger", ledger])
    assert told.exit_code == 0, told.output
    assert told.stdout == (
        "0 of 2 null cells of 1 run were flagged: a rate of at most 77.64 % (exact, one-sided, 95 %)\n"
    )
    assert "left out: " in told.stderr
    assert "partial" in told.stderr
    again = CliRunner().invoke(commands, ["null-cells", good, "--ledger", ledger])
    assert (again.exit_code, again.stdout) == (0, told.stdout)
    assert "0 null cells added" in again.stderr


def test_without_any_run_that_can_be_used_it_is_a_mistake(tmp_path):
    told = CliRunner().invoke(commands, ["null-cells", str(tmp_path), "--ledger", str(tmp_path / LEDGER)])
    assert told.exit_code == 2
    assert "none of these runs can be used" in told.stderr
    assert not (tmp_path / LEDGER).exists()


def test_the_rate_in_the_documents_is_that_of_our_ledger():
    ledger = read_ledger(ROOT / "results" / LEDGER)
    assert ledger
    text = (ROOT / "docs" / "ci.md").read_text()
    (shown,) = re.findall(r"<!-- null cells: begin -->\n(.*?)\n<!-- null cells: end -->", text, re.DOTALL)
    assert " ".join(shown.split()) == f"{false_alarms(ledger)}."
