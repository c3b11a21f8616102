"""When data are put back, by whole experiments with stand-ins; how, is in the tests of the runtime."""

from collections import Counter
from dataclasses import replace

import pytest

from bench.project import plans
from bench.run import experiment, store
from bench.run.lab import Lab
from tests.support.fakes import FakeLoad, FakeNullServers, FakeObserver, FakeOnce, FakeProgress, FakeRuntime
from tests.support.projects import PLAN, begun_journal, make_project

TWO = (
    '[[block]]\ncontenders = ["one"]\nscenarios = ["churn"]\nloads = [{ kind = "closed", connections = 9 }]\n'
)


def carried_out(tmp_path, changes=None, written=PLAN, **runtime):
    root = make_project(tmp_path / "project", plan=written)
    chosen = replace(plans.read(root, "tiny"), **(changes or {}))
    journal = begun_journal(root, chosen, tmp_path / "run")
    diary = []
    lab = Lab(
        observer=FakeObserver(),
        progress=FakeProgress(),
        memory=tmp_path / "memory",
        runtime=FakeRuntime(diary, only_timed=True, **runtime),
        once=FakeOnce(),
        load=FakeLoad(diary),
        null_server=FakeNullServers(diary),
    )
    experiment.carry_out(journal, lab)
    counting_ends = diary.index("stop")
    return journal, diary[counting_ends + 1 :]


def states(diary):
    """Yield each slice as (role, scenario, contender) with the seconds-worth of slices written before it."""
    written = Counter()
    for entry in diary:
        what, _, rest = entry.partition(" ")
        if what == "stop":
            written.clear()
        elif what == "reset":
            assert written[rest], f"{rest} had nothing to put back"
            del written[rest]
        elif what in ("warm-up", "measure", "control", "capacity"):
            scenario, contender = rest.split()
            yield what, scenario, contender, written[contender]
            if scenario == "churn":
                written[contender] += 1


def test_every_contender_of_a_sweep_starts_it_with_as_much_written_to_its_data(tmp_path):
    _, diary = carried_out(tmp_path, {"sweeps": 6, "warm_up_s": 0.3})
    met = [state for state in states(diary) if state[1] == "churn" and state[0] != "warm-up"]
    sweeps = [met[at : at + 3] for at in range(0, len(met), 3)]
    assert len(sweeps) == 2 * 6
    for sweep in sweeps:
        assert {state[2] for state in sweep} == {"one", "one-fast", "one~aa"}
        assert len({state[3] for state in sweep}) == 1
    assert {state[3] for sweep in sweeps for state in sweep} == {0, 1}  # half a second is two slices


def test_the_first_counted_sweep_starts_from_the_seeded_state_however_short_the_warm_up(tmp_path):
    _, diary = carried_out(tmp_path, {"warm_up_s": 0.05})
    firsts = {}
    for role, scenario, contender, written in states(diary):
        if role != "warm-up":
            firsts.setdefault((scenario, contender), written)
    assert set(firsts.values()) == {0}


def test_another_scenario_or_load_never_meets_what_was_written_before(tmp_path):
    written = PLAN.replace('scenarios = ["hello", "churn"]', 'scenarios = ["churn", "hello"]') + TWO
    _, diary = carried_out(tmp_path, {"warm_up_s": 0.0}, written)
    assert all(met == 0 for _, scenario, _, met in states(diary) if scenario == "hello")
    nines = [
        met for _, scenario, contender, met in states(diary) if scenario == "churn" and contender == "one"
    ]
    assert nines.count(0) >= 4  # each load's first sweep, in each round


def test_what_was_written_is_a_fact_of_the_run_once_per_round_and_scenario(tmp_path):
    journal, _ = carried_out(tmp_path)
    told = [(one.contender, one.round, one.scenario, one.left) for one in journal.run.written]
    names = ("one", "one-fast", "one~aa")
    assert sorted(told) == sorted((name, number, "churn", None) for name in names for number in (1, 2))
    assert store.load(journal.folder).written == journal.run.written


@pytest.mark.parametrize("warm_up_s", [0.0, 0.1, 1.0])
def test_data_that_are_not_put_back_are_reported_from_the_first_slice_that_wrote(tmp_path, warm_up_s):
    journal, diary = carried_out(tmp_path, {"warm_up_s": warm_up_s}, left={"one": "in memory"})
    left = [one for one in journal.run.written if one.left]
    assert [(one.contender, one.round, one.left) for one in left] == [
        ("one", 1, "in memory"),
        ("one", 2, "in memory"),
    ]
    for one in left:
        wrote = [
            record.started_s
            for record in journal.run.records
            if (record.slice.cell.contender, record.slice.round) == ("one", one.round)
            and record.slice.cell.scenario == "churn"
        ]
        assert one.at_s == min(wrote)
    assert diary.count("reset one") == 2  # no second time in a round: it would be in vain


def test_a_get_that_writes_without_saying_so_is_noticed_and_put_back(tmp_path):
    journal, diary = carried_out(tmp_path, writing=frozenset({"hello"}))
    assert {(one.contender, one.scenario) for one in journal.run.written} >= {
        ("floor", "hello"),
        ("one", "hello"),
    }
    assert "reset floor" in diary


def test_servers_that_only_read_are_left_alone(tmp_path):
    journal, diary = carried_out(tmp_path)
    assert "reset floor" not in diary
    assert not any(one.contender == "floor" for one in journal.run.written)
