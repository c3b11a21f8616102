"""Runs that are taken up again, and what is said of one before it begins."""

import re
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.model.contender import Ready
from bench.project import content_hash, plans
from bench.records import Event, Start
from bench.run import execution, store
from bench.run.preview import preview
from tests.support.projects import SCENARIOS, make_project
from tests.support.synthetic import synthetic_run


@pytest.fixture
def root(tmp_path):
    return make_project(tmp_path / "project")


def kept(root, folder, **changes):
    """Keep a run of the project's plan in *folder* that stopped after a while."""
    folder.mkdir(parents=True)
    begun = execution.begin(root, plans.read(root, "tiny"))
    stopped = Event(at_s=12.5, what="it stopped")
    store.Journal(replace(begun, events=(stopped,), **changes), folder).save()
    return folder


def test_a_run_records_the_hashes_of_its_plan_before_anything_is_measured(root, tmp_path):
    run = store.load(kept(root, tmp_path / "run"))
    assert run.records == ()
    assert run.fingerprint["plan"] == content_hash.stamp(run.plan)


def test_a_run_is_taken_up_where_it_stopped(root, tmp_path):
    journal = execution.take_up(root, kept(root, tmp_path / "run", ended="interrupted"))
    assert journal.run.ended is None
    assert journal.run.verifications == ()
    assert [event.what for event in journal.run.events] == ["it stopped", "taken up again"]
    assert journal.elapsed_s() >= 12.5


def test_a_complete_run_is_not_taken_up(root, tmp_path):
    with pytest.raises(UsageError, match="is complete: there is nothing to resume"):
        execution.take_up(root, kept(root, tmp_path / "run", ended="complete"))


def test_a_run_of_other_code_is_refused_by_what_changed(root, tmp_path):
    folder = kept(root, tmp_path / "run")
    (root / "apps" / "scenarios.toml").write_text((root / "apps" / "scenarios.toml").read_text() + "\n")
    with pytest.raises(
        UsageError, match=r"cannot be resumed, start a new run: content\.scenarios was \w+, is \w+"
    ):
        execution.take_up(root, folder)


def test_a_run_goes_on_with_its_locustfile_unless_that_changed(root, tmp_path):
    (root / "locustfile.py").write_text("import locust\n")
    shop = '\n[scenarios.hello]\nlocustfile = "locustfile.py"\n'
    (root / "apps" / "scenarios.toml").write_text(
        SCENARIOS.replace("[exchanges.hello]", "[exchanges.hi]").replace(
            "[scenarios.hello]\nmix = { hello = 1 }\n", shop
        )
    )
    folder = kept(root, tmp_path / "run")
    assert str(tmp_path) not in (folder / "run.json").read_text()
    hello = execution.take_up(root, folder).run.scenarios[0]
    assert hello.locustfile.file == root / "locustfile.py"
    (root / "locustfile.py").write_text("from locust import *\n")
    with pytest.raises(UsageError, match="cannot be resumed, start a new run: "):
        execution.take_up(root, folder)


def test_a_run_of_another_machine_is_refused(root, tmp_path):
    folder = kept(root, tmp_path / "run")
    run = store.load(folder)
    machine = {**run.fingerprint["machine"], "class": "a bigger one"}
    store.Journal(replace(run, fingerprint={**run.fingerprint, "machine": machine}), folder).save()
    with pytest.raises(UsageError, match=r"machine\.class was a bigger one, is "):
        execution.take_up(root, folder)


def test_a_run_of_a_server_that_is_not_ours_is_refused(root, tmp_path):
    with pytest.raises(UsageError, match=r"measured a --target, .*: start a new run"):
        execution.take_up(root, kept(root, tmp_path / "run", runtime="external"))


def test_what_is_to_come_is_told_with_its_time_and_without_a_width_where_nothing_is_known(root, tmp_path):
    said = preview(execution.begin(root, plans.read(root, "tiny")), tmp_path / "results")
    assert "hello, 4 connections: floor, one, one-fast, one~aa" in said
    assert "7 cells × 2 rounds × 2 sweeps = " in said
    assert said.endswith("no run of this machine has measured the same")


def test_the_width_to_expect_is_that_of_the_last_run_scaled_to_the_rounds(tmp_path):
    run = synthetic_run(rounds=9)
    for name, rounds in (("old", 9), ("damaged", 9), ("partial", 9)):
        (tmp_path / name).mkdir(parents=True)
        store.Journal(synthetic_run(rounds=rounds), tmp_path / name).save()
    (tmp_path / "damaged" / "run.json").write_text("{")
    store.Journal(replace(run, ended="interrupted"), tmp_path / "partial").save()
    four_times = replace(run, plan=replace(run.plan, rounds=36))
    said = [preview(begun, tmp_path).splitlines()[-1] for begun in (run, four_times)]
    widths = [float(line.partition("±")[2].partition(" %")[0]) for line in said]
    assert all(line.endswith("as old had them") for line in said)
    assert widths[1] == pytest.approx(widths[0] / 2, abs=0.06)


def test_another_machines_run_says_nothing_of_this_one(tmp_path):
    run = synthetic_run()
    (tmp_path / "old").mkdir()
    elsewhere = {**run.fingerprint, "machine": {**run.fingerprint["machine"], "class": "another"}}
    store.Journal(replace(run, fingerprint=elsewhere), tmp_path / "old").save()
    here = {**run.fingerprint, "machine": {**run.fingerprint["machine"], "class": "this one"}}
    assert "intervals will be is not known" in preview(replace(run, fingerprint=here), tmp_path)


def test_a_pilot_says_that_it_is_one(tmp_path):
    run = synthetic_run()
    auto = replace(run, plan=replace(run.plan, budget_s=600.0))
    assert "as a pilot; then as many as it requires, 10.0 min in all at most" in preview(auto, tmp_path)
    assert "very long" not in preview(auto, tmp_path)
    built_in = replace(run, plan=replace(auto.plan, fewer_connections=10))
    assert ", on 10 connections where they take very long" in preview(built_in, tmp_path)


def test_a_start_that_took_long_counts_in_the_time_that_is_said(tmp_path):
    run = synthetic_run()
    before = preview(run, tmp_path)
    (tmp_path / "old").mkdir()
    slow = Start(contender=run.contenders[0].name, round=1, ready_s=600.0)
    store.Journal(replace(run, starts=(slow,)), tmp_path / "old").save()
    minutes = [float(re.search(r"about ([\d.]+) min", said)[1]) for said in (before, preview(run, tmp_path))]
    assert minutes[1] - minutes[0] == pytest.approx(10 * run.plan.rounds, rel=0.02)


def test_a_start_that_may_take_long_is_said_where_nothing_is_known(root, tmp_path):
    begun = execution.begin(root, plans.read(root, "tiny"))
    patient = tuple(replace(one, ready=Ready(seconds=60)) for one in begun.contenders)
    assert "one may take 60 s to start, in each round" in preview(
        replace(begun, contenders=patient), tmp_path
    )
    assert "to start" not in preview(begun, tmp_path)
