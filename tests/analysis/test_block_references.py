"""Blocks with references of their own: servers beside the default of their framework."""

from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.compare.two_runs import compare
from bench.errors import UsageError
from bench.report.blocks import besides
from bench.report.charts.style import looks_of
from bench.report.markdown import report_text
from bench.report.panels import panels
from bench.report.sentences import notes
from bench.report.webpage import report_html
from tests.support.synthetic import synthetic_run

SPEEDS = {
    "flask": 4_000.0,
    "flask-granian": 6_000.0,
    "fastapi": 10_000.0,
    "fastapi-granian": 11_000.0,
}


def measured(speeds=SPEEDS):
    run = synthetic_run(speeds, rounds=9, noise=0.01)
    (block,) = run.plan.blocks
    blocks = tuple(
        replace(block, contenders=tuple(name for name in speeds if name.startswith(base)), reference=base)
        for base in ("flask", "fastapi")
    )
    return replace(run, plan=replace(run.plan, reference="flask", blocks=blocks))


def ratios(run):
    return {
        one.cell.contender: (one.reference, one.ratio.estimate)
        for one in analyse(run).comparisons
        if one.metric == "throughput_rps"
    }


def test_ratios_are_to_the_reference_of_the_block():
    found = ratios(measured())
    assert found.keys() == {"flask-granian", "fastapi-granian"}
    assert found["flask-granian"] == ("flask", pytest.approx(1.5, rel=0.02))
    assert found["fastapi-granian"] == ("fastapi", pytest.approx(1.1, rel=0.02))


def test_a_panel_of_several_references_says_so_and_one_of_one_names_it():
    (panel,) = panels(analyse(measured()))
    assert (panel.reference, panel.references) == ("its reference", {"flask", "fastapi"})
    assert "× its reference" in report_text(analyse(measured()), {})
    (alone,) = panels(analyse(measured({name: SPEEDS[name] for name in ("fastapi", "fastapi-granian")})))
    assert alone.reference == "fastapi"


def test_a_reference_that_was_not_measured_takes_its_own_block_along_and_no_other():
    speeds = {name: speed for name, speed in SPEEDS.items() if name != "flask"}
    (panel,) = panels(analyse(measured(speeds)))
    assert "No ratio for flask-granian: its reference was not measured here." in notes(panel)
    assert any(note.startswith("1 comparison with its reference") for note in notes(panel))


def test_each_block_has_a_table_of_its_own():
    run = measured()
    analysis = analyse(run)
    flask, fastapi = besides(analysis)
    (table,) = flask.tables
    assert flask.title.endswith(" (flask)")
    assert [column.heading for column in table.columns] == ["contender", "hello"]
    (_, reference), (_, other) = table.rows
    assert reference.text.endswith(" req/s")
    assert other.text.startswith("1.5")
    assert other.detail.endswith(", faster")
    assert [name.text for name, _ in fastapi.tables[0].rows] == ["fastapi", "fastapi-granian"]
    for page in (report_text(analysis, {}), report_html(analysis, {}, looks_of(SPEEDS))):
        assert "Beside its own reference" in page
    assert "Beside its own reference" not in report_text(analyse(synthetic_run(SPEEDS)), {})


def test_a_table_names_no_verdict_of_a_run_that_is_not_valid():
    (_, line), _ = (one.tables[0].rows for one in besides(analyse(replace(measured(), ended="failed"))))
    assert line[1].detail.endswith(", cannot tell")


def test_runs_with_other_references_do_not_compare():
    with pytest.raises(UsageError, match="ratios to fastapi in the baseline, to flask in the candidate"):
        compare(measured(), synthetic_run(SPEEDS, rounds=9))
