"""Contenders beside their earlier selves: what an upgrade changed."""

from dataclasses import replace

from bench.analysis import analyse
from bench.model.plan import Block
from bench.records import CountedWindow, Event, Instructions, Queries, Start
from bench.report import blocks, upgrades
from bench.report.answer import answer
from bench.report.details import served_table
from bench.report.markdown import report_text
from tests.support.synthetic import synthetic_run

OLD, NEW, OTHER = "flask:lock=flask-2.3", "flask", "fastapi"
ENVIRONMENTS = {
    "flask_app-py311-a": {
        "python": "3.11.7",
        "packages": {"flask": "2.3.3", "gunicorn": "27.0.1", "click": "8"},
    },
    "flask_app-py311-b": {
        "python": "3.11.7",
        "packages": {"flask": "3.1.3", "gunicorn": "27.0.1", "click": "8"},
    },
}


def measured(*, names=(OLD, NEW), reference=OLD, **changes):
    speeds = dict.fromkeys(names, 4_000.0) | {NEW: 5_000.0}
    run = synthetic_run(speeds, reference=reference, rounds=12, noise=0.01)
    block = replace(run.plan.blocks[0], contenders=tuple(names), reference=reference)
    counted = {
        OLD: (1_000_000.0, 1.0),
        NEW: (900_000.0, 2.0),
    }
    return replace(
        run,
        plan=replace(run.plan, blocks=(block,)),
        fingerprint={
            **run.fingerprint,
            "environments": ENVIRONMENTS,
            "environment_of": {OLD: "flask_app-py311-a", NEW: "flask_app-py311-b"},
        },
        queries=tuple(
            Queries(contender=name, exchange="hello", requests=10, statements={"SELECT": calls})
            for name, (_, calls) in counted.items()
        ),
        instructions=tuple(
            Instructions(
                contender=name,
                scenario="hello",
                counter="callgrind",
                requests=60,
                windows={1: (CountedWindow(usual=usual, collections=0.0),)},
            )
            for name, (usual, _) in counted.items()
        ),
        **changes,
    )


def test_a_version_is_relative_to_the_oldest_with_its_counts_beside():
    (part,) = upgrades.section(analyse(measured())).parts
    (row,) = part.tables[0].rows
    assert [cell.text for cell in row[:2]] == ["flask", "hello"]
    assert row[2].text.startswith("1.2")
    assert row[2].detail.startswith("1.2")  # the interval
    assert row[4].text == "0.900"
    assert (row[5].text, row[6].text) == ("1 → 2", "faster")
    assert part.notes == (
        "The oldest has python 3.11.7, flask 2.3.3, gunicorn 27.0.1.",
        "flask, beside the oldest: flask 2.3.3 → 3.1.3.",
    )


def test_the_report_has_it_in_place_of_the_table_of_blocks():
    analysis = analyse(measured())
    assert blocks.section(analysis) is None
    assert "## Upgrades" in report_text(analysis, {})
    assert answer(analysis)[0].startswith("Of 1 comparisons with the oldest version: 1 faster")


def test_contenders_of_other_kinds_are_no_upgrade():
    load = measured().plan.blocks[0].loads
    for names in ((OLD, OTHER), ("flask:pool=off", "flask"), ("flask",)):
        assert not upgrades.is_upgrade(
            Block(contenders=names, scenarios=("hello",), loads=load, reference=names[0])
        )
    for names in (("flask:python=3.11", "flask:python=3.15"), (OLD, "flask:lock=requirements.txt")):
        assert upgrades.is_upgrade(
            Block(contenders=names, scenarios=("hello",), loads=load, reference=names[0])
        )


def free_threaded(*events):
    run = measured(starts=(Start(contender=NEW, round=1, ready_s=0.5),), events=events)
    own = tuple(replace(one, python="3.14t") if one.name == NEW else one for one in run.contenders)
    return replace(run, contenders=own)


def test_a_row_shows_that_its_lock_was_off():
    _, row = served_table(free_threaded()).rows
    assert row[1].text.endswith("the GIL is off: so its server showed before and after each round")
    assert {row.rank for row in analyse(free_threaded()).rows} == {1, 2}


def test_a_row_whose_lock_was_on_stands_apart_and_names_the_module():
    what = "the GIL is on: old._c turned it on"
    run = free_threaded(Event(at_s=3.0, what=what, contender=NEW))
    ranks = {row.cell.contender: row.rank for row in analyse(run).rows}
    assert ranks == {OLD: 1, NEW: None}
    (row,) = (row for row in analyse(run).rows if row.cell.contender == NEW)
    assert any(what in caveat for caveat in row.caveats)
    assert what in served_table(run).rows[1][1].text
