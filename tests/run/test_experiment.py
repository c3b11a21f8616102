from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import analyse
from bench.errors import CannotMeasure, UsageError
from bench.histogram import Histogram
from bench.project import plans
from bench.records import Usage
from bench.run import execution, experiment, store
from bench.run.lab import Lab
from tests.support.fakes import FakeLoad, FakeNullServers, FakeObserver, FakeOnce, FakeProgress, FakeRuntime
from tests.support.projects import PLAN, SCENARIOS, begun_journal, make_project

# Before the rounds: one warm-up and three exchanges of each contender that has a database.
COUNTING = 2 * (1 + 3)


@pytest.fixture
def root(tmp_path):
    return make_project(tmp_path / "project")


@pytest.fixture
def journal(root, tmp_path):
    return begun_journal(root, plans.read(root, "tiny"), tmp_path / "run")


def lab_with(tmp_path: Path, **fakes):
    diary = []
    parts = {"runtime": FakeRuntime(diary), "load": FakeLoad(diary)} | {
        name: fake(diary) for name, fake in fakes.items()
    }
    parts["null_server"] = FakeNullServers(diary)
    parts["runtime"].only_timed = True
    parts.setdefault("once", FakeOnce())
    lab = Lab(observer=FakeObserver(), progress=FakeProgress(), memory=tmp_path / "memory", **parts)
    return lab, diary


def timed(journal):
    return [record for record in journal.run.records if record.slice.role != "ceiling"]


def test_every_round_starts_all_servers_afresh_measures_and_stops_them(journal, tmp_path):
    lab, diary = lab_with(tmp_path)
    experiment.carry_out(journal, lab)
    everyone = {"floor", "one", "one-fast", "one~aa"}
    assert diary[0] == "prepare floor one one-fast one~aa"
    rounds = [at for at, entry in enumerate(diary) if set(entry.split()) == {"serve", *everyone}]
    assert diary[rounds[0] + 1] == diary[rounds[0]].replace("serve", "aim at")
    assert diary[-2:] == ["aim at nobody", "stop"]
    assert len(rounds) == diary[rounds[0] :].count("stop") == 2
    assert len(timed(journal)) == 2 * (4 + 3) * 3
    assert len(journal.run.starts) == 2 * 4
    assert store.load(journal.folder).records == journal.run.records


def test_sql_statements_are_counted_before_the_rounds_on_servers_that_are_not_timed(journal, tmp_path):
    lab, diary = lab_with(tmp_path)
    experiment.carry_out(journal, lab)
    counting = diary[1 : diary.index("stop")]
    assert counting[:2] == ["serve floor one one-fast", "aim at one"]
    assert len([entry for entry in counting if entry.startswith("warm-up")]) == COUNTING
    assert {(one.contender, one.exchange) for one in journal.run.queries if one.counted_by} == {
        (contender, exchange)
        for contender in ("one", "one-fast", "one~aa")
        for exchange in ("hello", "create", "delete")
    }
    assert [one.contender for one in journal.run.queries if not one.counted_by] == ["floor"]


def test_where_no_null_server_starts_only_the_ceiling_is_not_known(journal, tmp_path):
    lab, diary = lab_with(tmp_path)
    lab = replace(lab, null_server=FakeNullServers(diary, refuses="no port is left"))
    experiment.carry_out(journal, lab)
    ceilings = [record for record in journal.run.records if record.slice.role == "ceiling"]
    assert {record.void for record in ceilings} == {"no port is left"}
    events = [event.what for event in journal.run.events]
    assert events.count("hello, 4 connections: no ceiling: no port is left") == 1
    assert any(record.slice.role == "measure" for record in journal.run.records)


def test_the_ceiling_and_the_statements_of_a_locustfile_are_unknown_and_nothing_is_tried(root, tmp_path):
    (root / "locustfile.py").write_text("import locust\n")
    shop = '\n[scenarios.shop]\nlocustfile = "locustfile.py"\n'
    (root / "apps" / "scenarios.toml").write_text(SCENARIOS + shop)
    (root / "plans" / "tiny.toml").write_text(PLAN.replace('"hello", "churn"', '"shop"'))
    journal = begun_journal(root, plans.read(root, "tiny"), tmp_path / "run")
    lab, diary = lab_with(tmp_path)
    experiment.carry_out(journal, lab)
    ceilings = [record for record in journal.run.records if record.slice.role == "ceiling"]
    why = "the null server cannot know what a locustfile requests"
    assert [record.void for record in ceilings] == [why] * 2
    assert not any("null" in entry for entry in diary)
    assert journal.run.events == ()
    assert {one.contender for one in journal.run.queries} == {"one", "one-fast", "one~aa"}
    assert {(one.exchange, one.per_request) for one in journal.run.queries} == {("shop", None)}
    assert all("locustfile" in one.why for one in journal.run.queries)


def test_streams_have_no_ceiling(root, tmp_path):
    pace = "{ events = 2, every_ms = 5 }"
    exchange = f'[exchanges.t]\nrequest = "GET /"\nexpect = {{ stream = {pace} }}\n'
    ticker = f"{exchange}[scenarios.t]\nmix = {{ t = 1 }}\n"
    (root / "apps" / "scenarios.toml").write_text(SCENARIOS + ticker)
    (root / "plans" / "tiny.toml").write_text(PLAN.replace('"hello", "churn"', '"t"'))
    journal = begun_journal(root, plans.read(root, "tiny"), tmp_path / "run")
    lab, diary = lab_with(tmp_path)
    experiment.carry_out(journal, lab)
    ceilings = [record.void for record in journal.run.records if record.slice.role == "ceiling"]
    assert ceilings == ["the null server sends no streams"] * 2
    assert not any("null" in entry for entry in diary)


def test_the_ceiling_is_measured_beside_the_servers_with_responses_as_long_as_theirs(journal, tmp_path):
    lab, diary = lab_with(tmp_path, load=lambda diary: FakeLoad(diary, response_bytes=150))
    experiment.carry_out(journal, lab)
    first = diary.index("null server of hello, 150 bytes")
    everyone = diary[first + 3].removeprefix("aim at ")
    assert set(everyone.split()) == {"floor", "one", "one-fast", "one~aa"}
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


class BrokenLoad(FakeLoad):
    """This machine cannot carry out a slice of churn."""

    def finish(self):
        broken = "no port left: widen the range" if self.step.cell.scenario == "churn" else ""
        latency = Histogram() if broken else super().finish().latency
        return replace(super().finish(), latency=latency, broken=broken)


def test_what_this_machine_cannot_carry_out_voids_its_cells_alone_and_is_said_once_of_each(journal, tmp_path):
    lab, _ = lab_with(tmp_path, load=BrokenLoad)
    experiment.carry_out(journal, lab)
    voids = {record.slice.cell.scenario: record.void for record in journal.run.records}
    assert voids == {"hello": None, "churn": "no port left: widen the range"}
    assert {event.what for event in journal.run.events} == {
        f"{name}, churn, 4 connections: no port left: widen the range"
        for name in ("one", "one-fast", "one~aa")
    }
    assert len(journal.run.events) == 3
    assert {event.contender for event in journal.run.events} == {None}


def test_connections_forget_what_they_saved_whenever_data_are_put_back(journal, tmp_path):
    lab, diary = lab_with(tmp_path)
    journal.run = replace(journal.run, plan=replace(journal.run.plan, sweeps=6, warm_up_s=0.3))
    experiment.carry_out(journal, lab)
    resets = [at for at, what in enumerate(diary) if what.startswith("reset ")]
    assert resets
    assert [diary[at + 1] for at in resets] == [f"forget {diary[at].removeprefix('reset ')}" for at in resets]


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


class Dead(FakeLoad):
    """Every connection is refused."""

    def finish(self):
        return replace(super().finish(), latency=Histogram(), failures={"refused": 900})


def test_where_nobody_answers_as_a_server_ended_that_is_named_first(journal, tmp_path):
    died = {contender.name: 2 for contender in journal.run.contenders}
    lab, _ = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, dying=died), load=Dead)
    with pytest.raises(CannotMeasure, match=r"one: its server ended \(killed by signal 9\); .*refused × "):
        experiment.carry_out(journal, lab)


def test_a_dead_database_ends_the_run_with_what_was_measured_kept(journal, tmp_path):
    lab, diary = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, database_dies_in=3))
    with pytest.raises(CannotMeasure, match="PostgreSQL ended"):
        experiment.carry_out(journal, lab)
    assert diary[-1] == "stop"
    assert {record.slice.round for record in journal.run.records} == {1, 2}


def test_a_server_that_answers_nothing_is_told_once_with_its_log(journal, tmp_path):
    lab, _ = lab_with(tmp_path, load=lambda diary: FakeLoad(diary, latencies_ns=()))
    with pytest.raises(CannotMeasure, match="no contender gave a right answer in round 1: nothing came"):
        experiment.carry_out(journal, lab)
    assert {record.slice.round for record in journal.run.records} == {1}
    assert [(event.contender, event.what) for event in journal.run.events] == [
        (name, "no right answer in a whole slice")
        for name in dict.fromkeys(e.contender for e in journal.run.events)
    ]
    assert {event.contender for event in journal.run.events} == {"floor", "one", "one-fast", "one~aa"}
    assert {event.log for event in journal.run.events} == {"its last words"}


class SometimesIdle(FakeLoad):
    """At half a request per second: nothing is due in every second slice."""

    def finish(self):
        sample = super().finish()
        if self.slices % 2:
            return replace(sample, due=len(self.latencies_ns))
        return replace(sample, due=0, latency=Histogram())


def test_a_slice_in_which_nothing_was_due_is_no_fault_of_the_server(journal, tmp_path):
    lab, _ = lab_with(tmp_path, load=SometimesIdle)
    experiment.carry_out(journal, lab)
    assert any(record.sample.due == 0 for record in journal.run.records)
    assert not journal.run.events


class Disturbed(FakeObserver):
    """Others use the server's core in the third slice that is watched in a round's sweeps."""

    def __init__(self):
        self.watched = 0

    def watch(self, *about) -> Usage:
        self.watched += 1
        busy_s = {"0": 0.2 if self.watched == 10 else 0.1, "1": 0.0}
        return replace(super().watch(*about), busy_s=busy_s)


def test_a_slice_that_others_disturbed_is_made_up_for_by_a_spare_sweep(journal, tmp_path):
    lab, _ = lab_with(tmp_path)
    cores = {"placement": {"server": [0], "client": [1], "database": [1], "caveats": []}}
    lab.runtime.facts = lambda: cores
    experiment.carry_out(journal, replace(lab, observer=Disturbed()))
    void = [record for record in journal.run.records if record.void]
    assert [record.void for record in void] == ["others used the server's cores"]
    spare = [record.slice for record in journal.run.records if record.slice.sweep == 3]
    members = {"hello": 4, "churn": 3}[void[0].slice.cell.scenario]
    assert len(spare) == members
    assert {step.cell.scenario for step in spare} == {void[0].slice.cell.scenario}


class Slow(FakeLoad):
    """Every connection gets an answer in 300 ms, where that is within the window."""

    answer_s = 0.3

    def finish(self):
        closes_s = self.step.lead_in_s + self.step.window_s
        each = int(closes_s / self.answer_s) - int(self.step.lead_in_s / self.answer_s)
        answers = Histogram.of([round(self.answer_s * 1e9)] * each * self.step.cell.load.connections)
        return replace(super().finish(), latency=answers, unfinished=self.step.cell.load.connections)


def probing(journal, **changes):
    changes = {"rounds": 2, "budget_s": 10_000.0, "longest_window_s": 30.0} | changes
    journal.run = replace(journal.run, plan=replace(journal.run.plan, **changes))


def test_answers_are_probed_on_servers_of_their_own_before_the_first_round(journal, tmp_path):
    probing(journal)
    lab, diary = lab_with(tmp_path, load=Slow)
    experiment.carry_out(journal, lab)
    probes = [at for at, entry in enumerate(diary) if entry.startswith("probe")]
    first = next(at for at, entry in enumerate(diary) if entry.startswith("measure"))
    assert "stop" in diary[probes[-1] : first]
    assert not any("~aa" in diary[at] for at in probes)
    assert {start.round for start in journal.run.starts} == {1, 2}
    assert journal.run.rounds == 2
    counted = [one.slice for one in timed(journal) if one.slice.role in ("measure", "control")]
    (window_s,) = {step.window_s for step in counted}
    assert 5 <= window_s < 7  # eighty answers on four connections
    assert min(step.lead_in_s for step in counted) >= 0.25
    events = [event.what for event in journal.run.events]
    assert events[0].startswith("hello, 4 connections: an answer takes up to ")
    assert len(events) == len(set(events)) == 2
    assert set(events) <= set(lab.progress.lines)
    assert any(what.startswith("set-up took ") for what in lab.progress.lines)


class VerySlow(Slow):
    """Answers after 0.7 s, however many connections there are."""

    answer_s = 0.7


@pytest.mark.parametrize("stopped_at", [None, 3, 13, 18, 27, 40])
def test_a_built_in_plan_has_fewer_connections_where_answers_take_very_long(
    journal, root, tmp_path, stopped_at
):
    probing(journal, fewer_connections=2)
    if stopped_at:
        at = COUNTING + stopped_at
        lab, _ = lab_with(tmp_path, load=lambda diary: VerySlow(diary, interrupt_at=at))
        with pytest.raises(KeyboardInterrupt):
            experiment.carry_out(journal, lab)
        journal.save()
        journal = execution.take_up(root, journal.folder)
    lab, _ = lab_with(tmp_path, load=VerySlow)
    experiment.carry_out(journal, lab)
    loads = {one.slice.cell.load.connections for one in journal.run.records if one.slice.role != "probe"}
    assert loads == {2}
    assert {load.connections for block in journal.run.plan.blocks for load in block.loads} == {2}
    assert journal.run.rounds == 2
    probed = [one.slice for one in journal.run.records if one.slice.role == "probe"]
    assert len(probed) == len(set(map(str, probed)))
    assert {step.sweep for step in probed if step.cell.load.connections == 4} == {1, 2}
    notes = [event.what for event in journal.run.events if "with 2 connections instead" in event.what]
    assert len(notes) == 2  # one for each scenario
    assert notes[0].startswith("hello, 4 connections: an answer takes 1 s or longer")
    assert {row.cell.load.connections for row in analyse(journal.run).rows} == {2}


QUERIED = """
[exchanges.note]
request = "GET /notes/{id}"
fields = { id = { query = "SELECT id FROM notes" } }
expect = { json = { id = "{id}" } }

[exchanges.hello]
request = "GET /"

[scenarios.hello]
mix = { hello = 1 }

[scenarios.churn]
mix = { note = 1, hello = 1 }
"""


def test_values_that_are_queried_are_those_of_the_whole_run_and_of_a_resumed_one(tmp_path):
    root = make_project(tmp_path / "notes", scenarios=QUERIED)
    journal = begun_journal(root, plans.read(root, "tiny"), tmp_path / "run")
    rows = dict.fromkeys(("one", "one-fast", "one~aa"), ((3,), (5,)))
    lab, diary = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, rows=rows))
    experiment.carry_out(journal, lab)
    assert [entry for entry in diary if entry.startswith("query ")] == [f"query {name}" for name in rows]
    (churn,) = [one for one in store.load(journal.folder).scenarios if one.name == "churn"]
    assert churn.exchanges[0].fields == {"id": {"query": "SELECT id FROM notes", "values": [3, 5]}}
    journal.ended("interrupted")
    again = execution.take_up(root, journal.folder)
    others = dict.fromkeys(rows, ((3,), (6,)))
    lab, _ = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, rows=others))
    with pytest.raises(CannotMeasure, match="than in that of this run so far"):
        experiment.carry_out(again, lab)


class SlowerLater(Slow):
    """Answers at once in the probe, and after 0.3 s in the rounds."""

    def finish(self):
        if self.step.role == "probe":
            return replace(FakeLoad.finish(self), latency=Histogram.of([1_000_000] * 4000))
        return super().finish()


def test_windows_that_round_1_shows_to_be_too_short_are_longer_and_that_is_noted(journal, tmp_path):
    probing(journal)
    lab, _ = lab_with(tmp_path, load=SlowerLater)
    experiment.carry_out(journal, lab)
    counted = [one.slice for one in timed(journal) if one.slice.role in ("measure", "control")]
    assert {step.window_s for step in counted if step.round == 1} == {0.2}
    assert min(step.window_s for step in counted if step.round > 1) > 1
    assert {step.round for step in counted} == {1, 2, 3}
    events = [event.what for event in journal.run.events]
    notes = [what for what in events if "and round 1 does not count" in what]
    assert len(notes) == len(set(notes)) == 2
    assert notes[0].startswith("hello, 4 connections: in round 1 an answer took up to ")
    rows = analyse(journal.run).rows
    assert {row.rounds for row in rows} == {2}
    assert {row.silent for row in rows} == {None}


def test_what_does_not_fit_the_budget_is_refused_before_the_first_round(journal, tmp_path):
    probing(journal, rounds=9, budget_s=60.0)
    lab, _ = lab_with(tmp_path, load=Slow)
    with pytest.raises(UsageError, match=r"the budget of 60 s is too short for 6 rounds.*budget_s = "):
        experiment.carry_out(journal, lab)
    assert {record.slice.role for record in journal.run.records} == {"probe"}


def test_windows_that_a_plan_fixes_are_warned_of_before_the_first_sweep(journal, tmp_path):
    lab, _ = lab_with(tmp_path, load=Slow)
    experiment.carry_out(journal, lab)
    lines = [what for what in lab.progress.lines if "windows of 200 ms are too short" in what]
    assert lines[0].startswith("hello, 4 connections, ")
    assert len(lines) == 2


def test_an_interrupted_run_is_kept_and_its_servers_are_stopped(journal, tmp_path):
    lab, diary = lab_with(tmp_path, load=lambda diary: FakeLoad(diary, interrupt_at=COUNTING + 13))
    with pytest.raises(KeyboardInterrupt):
        experiment.carry_out(journal, lab)
    assert len(journal.run.records) == 12
    assert diary[-1] == "stop"


@pytest.mark.parametrize("stopped_at", [2, 9, 13, 20, 25])
def test_a_run_taken_up_again_measures_the_rest_once_on_servers_that_are_warm(
    journal, root, tmp_path, stopped_at
):
    lab, _ = lab_with(tmp_path, load=lambda diary: FakeLoad(diary, interrupt_at=COUNTING + stopped_at))
    with pytest.raises(KeyboardInterrupt):
        experiment.carry_out(journal, lab)
    journal.save()
    kept = store.load(journal.folder).records
    again = execution.take_up(root, journal.folder)
    lab, diary = lab_with(tmp_path)
    experiment.carry_out(again, lab)
    assert again.run.records[: len(kept)] == kept
    counted = [r.slice for r in again.run.records if r.slice.role in ("measure", "control")]
    assert len(counted) == len(set(map(str, counted))) == 2 * (4 + 3) * 2
    warm = set()
    for entry in diary:
        what, _, rest = entry.partition(" ")
        if what == "serve":
            warm.clear()
        elif what == "warm-up":
            warm.add(rest)
        elif what in ("measure", "control"):
            assert rest in warm


def test_an_unequal_contender_is_not_timed(root, journal, tmp_path):
    checks = root / "apps" / "checks"
    checks.mkdir()
    (checks / "pytest.ini").write_text("[pytest]\naddopts = --disable-plugin-autoload\n")
    (checks / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--url')\n    parser.addoption('--scenarios')\n"
    )
    (checks / "test_it.py").write_text("def test_hello(): assert False, 'GET /: expected 200, got 500'\n")
    lab, diary = lab_with(tmp_path)
    with pytest.raises(CannotMeasure, match="no contender is left: floor: not timed: test_hello: GET"):
        experiment.carry_out(journal, lab)
    assert [known.outcome for known in journal.run.verifications] == ["failed"] * 4
    assert "one: not timed: test_hello: GET /: expected 200, got 500" in lab.progress.lines
    assert not any(entry.startswith("measure") for entry in diary)


def test_a_contender_that_cannot_be_served_here_is_left_out_and_the_others_are_measured(journal, tmp_path):
    why = "memcached is not on PATH: install it"
    lab, diary = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, lacking={"one-fast": why}))
    experiment.carry_out(journal, lab)
    assert diary[0] == "prepare floor one one~aa"
    assert not any("one-fast" in entry for entry in diary)
    assert f"one-fast: not timed: {why}" in lab.progress.lines
    skipped = [known for known in journal.run.verifications if known.outcome == "skipped"]
    assert [(known.contender, known.differences) for known in skipped] == [("one-fast", (why,))]
    assert {record.slice.cell.contender for record in timed(journal)} == {"floor", "one", "one~aa"}


def test_a_gil_that_is_on_is_noted_once_with_its_contender(journal, tmp_path):
    why = "the GIL is on: old._c turned it on"
    lab, _ = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, gil={"one": why}))
    experiment.carry_out(journal, lab)
    assert [one.contender for one in journal.run.events if one.what == why] == ["one"]
    rows = {row.cell.contender: row for row in analyse(journal.run).rows}
    assert any(why in caveat for caveat in rows["one"].caveats)
    assert rows["one"].rank is None


def test_where_none_can_be_served_the_remedy_is_in_the_message(journal, tmp_path):
    lacking = {one.name: "memcached is not on PATH: install it" for one in journal.run.contenders}
    lab, _ = lab_with(tmp_path, runtime=lambda diary: FakeRuntime(diary, lacking=lacking))
    with pytest.raises(
        CannotMeasure, match="no contender is left: floor: not timed: memcached is not on PATH"
    ):
        experiment.carry_out(journal, lab)
