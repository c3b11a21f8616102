from dataclasses import replace
from pathlib import Path

import pytest

from bench import contenders, experiment, plan, scenarios, store
from bench.errors import CannotMeasure
from bench.histogram import Histogram
from bench.instruments import Lab
from bench.records import SCHEMA, Run
from tests.fakes import FakeLoad, FakeNullServers, FakeObserver, FakeProgress, FakeRuntime
from tests.projects import make_project

# Before the rounds: one warm-up and three exchanges of each contender that has a database.
COUNTING = 2 * (1 + 3)


@pytest.fixture
def root(tmp_path):
    return make_project(tmp_path / "project")


@pytest.fixture
def journal(root, tmp_path):
    chosen = plan.read(root, "tiny")
    (tmp_path / "run").mkdir()
    begun = Run(
        schema=SCHEMA,
        plan=chosen,
        runtime="fake",
        started_at="2026-11-23T04:00:00+00:00",
        fingerprint={"commit": None},
        contenders=tuple(plan.contenders(chosen, contenders.declared(root)).values()),
        scenarios=tuple(plan.scenarios(chosen, scenarios.declared(root)).values()),
    )
    return store.Journal(begun, tmp_path / "run")


def lab_with(tmp_path: Path, **fakes):
    diary = []
    parts = {"runtime": FakeRuntime(diary), "load": FakeLoad(diary)} | {
        name: fake(diary) for name, fake in fakes.items()
    }
    parts["null_server"] = FakeNullServers(diary)
    lab = Lab(observer=FakeObserver(), progress=FakeProgress(), memory=tmp_path / "memory", **parts)
    return lab, diary


def timed(journal):
    return [record for record in journal.run.records if record.slice.role != "ceiling"]


def test_every_round_starts_all_servers_afresh_measures_and_stops_them(journal, tmp_path):
    lab, diary = lab_with(tmp_path)
    experiment.carry_out(journal, lab)
    everyone = "floor one one-fast one~aa"
    first_round = diary.index(f"serve {everyone}")
    assert diary[0] == f"prepare {everyone}"
    assert diary[first_round : first_round + 2] == [f"serve {everyone}", f"aim at {everyone}"]
    assert diary[-2:] == ["aim at nobody", "stop"]
    assert diary[first_round:].count(f"serve {everyone}") == diary[first_round:].count("stop") == 2
    assert len(timed(journal)) == 2 * (4 + 3) * 3
    assert len(journal.run.starts) == 2 * 4
    assert store.load(journal.folder).records == journal.run.records


def test_sql_statements_are_counted_before_the_rounds_on_servers_that_are_not_timed(journal, tmp_path):
    lab, diary = lab_with(tmp_path)
    experiment.carry_out(journal, lab)
    counting = diary[1 : diary.index("stop")]
    assert counting[:2] == ["serve one one-fast", "aim at one"]
    assert len([entry for entry in counting if entry.startswith("warm-up")]) == COUNTING
    assert {(queries.contender, queries.exchange) for queries in journal.run.queries} == {
        (contender, exchange)
        for contender in ("one", "one-fast", "one~aa")
        for exchange in ("hello", "create", "delete")
    }


def test_data_is_put_back_before_a_server_is_loaded_again_after_writes(journal, tmp_path):
    lab, diary = lab_with(tmp_path)
    experiment.carry_out(journal, lab)
    dirty = set()
    for entry in diary:
        what, _, rest = entry.partition(" ")
        if what == "stop":
            dirty.clear()
        elif what == "reset":
            dirty.remove(rest)
        elif what in ("warm-up", "measure", "control"):
            scenario, contender = rest.split()
            assert contender not in dirty
            if scenario == "churn":
                dirty.add(contender)
    assert any(entry.startswith("reset") for entry in diary)


def test_the_ceiling_is_measured_beside_the_servers_with_responses_as_long_as_theirs(journal, tmp_path):
    lab, diary = lab_with(tmp_path, load=lambda diary: FakeLoad(diary, response_bytes=150))
    experiment.carry_out(journal, lab)
    everyone = "floor one one-fast one~aa"
    first = diary.index("null server of hello, 150 bytes")
    assert diary[first : first + 5] == [
        "null server of hello, 150 bytes",
        f"aim at {everyone} null-server",
        "ceiling hello null-server",
        f"aim at {everyone}",
        "null server stops",
    ]
    ceilings = [record.slice for record in journal.run.records if record.slice.role == "ceiling"]
    assert [(step.round, step.cell.scenario) for step in ceilings] == [
        (1, "hello"),
        (1, "churn"),
        (2, "hello"),
        (2, "churn"),
    ]


def test_a_slice_that_the_load_generator_sent_late_is_void_and_kept(journal, tmp_path):
    late = Histogram.of([2_000_000] * 2 + [10_000] * 98)
    lab, _ = lab_with(tmp_path, load=lambda diary: FakeLoad(diary, lag=late))
    experiment.carry_out(journal, lab)
    assert {record.void for record in journal.run.records} == {"the load generator sent late"}


class LosingLoad(FakeLoad):
    """Loses a worker in the third slice of the first round."""

    def finish(self):
        lost = ("load worker 2 (there, process 7) has ended",) if self.slices == COUNTING + 3 else ()
        return replace(super().finish(), lost_workers=lost)


def test_a_lost_load_worker_voids_its_slice_and_the_run_goes_on(journal, tmp_path):
    lab, _ = lab_with(tmp_path, load=LosingLoad)
    experiment.carry_out(journal, lab)
    assert [record.void for record in journal.run.records[:4]] == [
        None,
        None,
        "a load worker was lost",
        None,
    ]
    (event,) = journal.run.events
    assert event.what.startswith("load worker 2 (there, process 7) has ended: its slice is void")
    assert len(timed(journal)) == 2 * (4 + 3) * 3


def test_a_server_that_dies_is_told_once_and_the_others_go_on(journal, tmp_path):
    lab, _ = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, dying={"one": 2}))
    experiment.carry_out(journal, lab)
    (event,) = journal.run.events
    assert (event.contender, event.what, event.log) == ("one", "killed by signal 9", "its last words")
    assert len(timed(journal)) == 2 * (4 + 3) * 3


def test_a_dead_database_ends_the_run_with_what_was_measured_kept(journal, tmp_path):
    lab, diary = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, database_dies_in=3))
    with pytest.raises(CannotMeasure, match="PostgreSQL ended"):
        experiment.carry_out(journal, lab)
    assert diary[-1] == "stop"
    assert {record.slice.round for record in journal.run.records} == {1, 2}


def test_an_interrupted_run_is_kept_and_its_servers_are_stopped(journal, tmp_path):
    lab, diary = lab_with(tmp_path, load=lambda diary: FakeLoad(diary, interrupt_at=COUNTING + 13))
    with pytest.raises(KeyboardInterrupt):
        experiment.carry_out(journal, lab)
    assert len(journal.run.records) == 12
    assert diary[-1] == "stop"


def test_an_unequal_contender_is_not_timed(root, journal, tmp_path):
    checks = root / "apps" / "checks"
    checks.mkdir()
    (checks / "pytest.ini").write_text("[pytest]\n")
    (checks / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--url')\n    parser.addoption('--scenarios')\n"
    )
    (checks / "test_it.py").write_text("def test_hello(): assert False, 'GET /: expected 200, got 500'\n")
    lab, diary = lab_with(tmp_path)
    with pytest.raises(CannotMeasure, match="no contender passed its checks"):
        experiment.carry_out(journal, lab)
    assert [known.outcome for known in journal.run.verifications] == ["failed"] * 4
    assert "not timed: one: test_hello: GET /: expected 200, got 500" in lab.progress.said
    assert not any(entry.startswith("measure") for entry in diary)
