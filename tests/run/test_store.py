import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.histogram import Histogram
from bench.loads import Closed
from bench.model.cell import Cell, Slice
from bench.model.plan import Block, Plan
from bench.records import SCHEMA, Event, Record, Run, Sample, Start, Usage, Verification
from bench.run import store

LOAD = Closed(connections=32)


@pytest.fixture
def run():
    plan = Plan(
        name="tiny",
        blocks=(Block(contenders=("a",), scenarios=("x",), loads=(LOAD,)),),
        reference="a",
        rounds=1,
        sweeps=1,
        lead_in_s=0.1,
        window_s=0.5,
        warm_up_s=0.0,
        seed=1,
    )
    step = Slice(
        cell=Cell(contender="a", scenario="x", load=LOAD),
        role="measure",
        round=1,
        sweep=1,
        seed=7,
        lead_in_s=0.1,
        window_s=0.5,
    )
    sample = Sample(window_s=0.5, latency=Histogram.of([123_456, 99]), failures={"status": 2})
    return Run(
        schema=SCHEMA,
        plan=plan,
        runtime="process",
        started_at="2026-11-23T04:00:00+00:00",
        fingerprint={"machine": {"cores": 2}, "commit": None},
        contenders=(),
        scenarios=(),
        verifications=(Verification(contender="a", outcome="passed", checks=9),),
        starts=(Start(contender="a", round=1, ready_s=0.4),),
        records=(Record(slice=step, sample=sample, usage=Usage(elapsed_s=0.5), started_s=1.5),),
        events=(Event(at_s=2.0, what="it rained"),),
        ended="complete",
    )


def test_a_run_comes_back_as_it_was(run, tmp_path):
    store.Journal(run, tmp_path).save()
    assert store.load(tmp_path) == run
    assert store.load(tmp_path / "run.json") == run


def test_a_damaged_file_is_refused_with_the_place(run, tmp_path):
    store.Journal(run, tmp_path).save()
    file = tmp_path / "run.json"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match=r"run.json is damaged .*line 1 column \d+"):
        store.load(tmp_path)
    content = json.loads(whole)
    content["records"][0]["sample"]["window_s"] = "half"
    file.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"records\.0\.sample\.window_s"):
        store.load(tmp_path)


def test_time_goes_on_where_a_run_stopped(run, tmp_path):
    assert 2.1 <= store.Journal(run, tmp_path).elapsed_s() < 60  # the slice ended at 1.5 + 0.1 + 0.5
    assert store.Journal(replace(run, records=(), events=()), tmp_path).elapsed_s() < 60


def test_a_run_that_cannot_be_written_ends_with_the_remedy_and_keeps_what_was_saved(run, tmp_path):
    journal = store.Journal(run, tmp_path)
    journal.save()
    (tmp_path / ".run.json.partial").mkdir()  # as if there were no room for it
    journal.happened(Event(at_s=3.0, what="the disk is full"))
    with pytest.raises(CannotMeasure, match=r"run.json: .*make room, then go on with --resume"):
        journal.save()
    assert store.load(tmp_path) == run


@pytest.mark.parametrize("of", ["a diff", "a target"])
def test_a_run_that_is_never_taken_up_again_is_not_offered_to_be(run, tmp_path, of):
    alone = replace(run, plan=replace(run.plan, baseline="abc")) if of == "a diff" else run
    journal = store.Journal(replace(alone, runtime="process" if of == "a diff" else "external"), tmp_path)
    (tmp_path / ".run.json.partial").mkdir()
    with pytest.raises(CannotMeasure, match=r"make room, then start again$"):
        journal.save()


def test_another_schema_is_refused_by_its_number(run, tmp_path):
    store.Journal(run, tmp_path).save()
    content = json.loads((tmp_path / "run.json").read_text()) | {"schema": 99}
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="has schema 99, this bench reads 1"):
        store.load(tmp_path)


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        store.load(tmp_path)


def test_a_run_is_never_written_over(run, tmp_path):
    store.Journal(run, tmp_path).save()
    with pytest.raises(UsageError, match="already holds a run"):
        store.make_folder(tmp_path)


def test_a_folder_that_cannot_be_made_is_told_with_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="name another folder with --out"):
        store.make_folder(tmp_path / "file" / "run")


def test_a_folder_is_named_after_time_plan_and_commit():
    at = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)
    assert store.folder_name(at, "quick", "0123456789ab", True) == "20261123T040506Z-quick-01234567-dirty"
    assert store.folder_name(at, "quick", None, False) == "20261123T040506Z-quick-nocommit"
