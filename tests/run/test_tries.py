"""The first second of a run, and what a diff makes of it."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from bench.errors import Broken, CannotMeasure, UsageError
from bench.histogram import Histogram
from bench.model.contender import SAME_AGAIN
from bench.project import plans, scenarios
from bench.records import SCHEMA, Run
from bench.run import experiment, store
from bench.run.lab import Lab
from bench.run.tries import prepared, tries
from tests.support.fakes import FakeLoad, FakeNullServers, FakeObserver, FakeOnce, FakeProgress, FakeRuntime
from tests.support.projects import make_project
from tests.support.synthetic import contender

BASE, HEAD = "one@aaaaaaaa", "one@worktree"
TWIN = f"{BASE}{SAME_AGAIN}"


@dataclass
class Failing(FakeRuntime):
    """Some contenders cannot be prepared, or do not start."""

    unprepared: dict[str, str] = field(default_factory=dict)
    unready: dict[str, str] = field(default_factory=dict)

    def prepare(self, contenders):
        super().prepare(contenders)
        for one in contenders:
            if why := self.unprepared.get(one.name):
                raise CannotMeasure(why)

    @contextmanager
    def serve(self, contenders, *, hash_seed, timed=True, counting=None):
        for one in contenders:
            if why := self.unready.get(one.name):
                raise CannotMeasure(why)
        with super().serve(contenders, hash_seed=hash_seed, timed=timed) as up:
            yield up


@pytest.fixture
def root(tmp_path):
    return make_project(tmp_path / "project")


def journal_of(root, folder, *names, baseline=None, changed=()):
    chosen = plans.read(root, "tiny")
    blocks = tuple(replace(chosen.blocks[0], contenders=pair) for pair in names)
    folder.mkdir(exist_ok=True)
    own = {name: replace(contender(name), app="one_app", root=str(root)) for pair in names for name in pair}
    made = replace(chosen, blocks=blocks, reference=names[0][0], baseline=baseline, changed=changed)
    return store.Journal(
        Run(
            schema=SCHEMA,
            plan=made,
            runtime="fake",
            started_at="2026-11-23T04:00:00+00:00",
            fingerprint={"commit": None},
            contenders=tuple(own.values()),
            scenarios=tuple(plans.scenarios(made, scenarios.declared(root)).values()),
        ),
        folder,
    )


def lab_of(tmp_path, wrong=(), **failing):
    diary = []
    return Lab(
        runtime=Failing(diary, **failing),
        load=FakeLoad(diary),
        observer=FakeObserver(),
        null_server=FakeNullServers(diary),
        progress=FakeProgress(),
        once=FakeOnce(dict.fromkeys(wrong, "expected status 200")),
        memory=tmp_path / "memory",
    ), diary


def diff(root, tmp_path, wrong=(), pairs=((BASE, HEAD), (BASE, TWIN)), changed=(), **failing):
    journal = journal_of(root, tmp_path / "run", *pairs, baseline="aaaaaaaa", changed=changed)
    lab, diary = lab_of(tmp_path, wrong, **failing)
    experiment.carry_out(journal, lab)
    return journal.run, diary


def requested(diary):
    return {entry.split()[1] for entry in diary if entry.startswith("measure ")}


def test_a_run_stops_at_the_first_wrong_answer_before_anything_is_timed(root, tmp_path):
    journal = journal_of(root, tmp_path / "run", ("one", "floor"))
    lab, diary = lab_of(tmp_path, [("floor", "create")])
    said = "floor answers wrongly, create: GET /create: expected status 200, got 404 gone; nothing was timed"
    with pytest.raises(CannotMeasure, match=said):
        experiment.carry_out(journal, lab)
    assert not requested(diary)
    assert len(journal.run.tries) == 6
    journal.save()
    assert store.load(journal.folder).tries == journal.run.tries


def test_a_broken_head_ends_a_diff_before_anything_is_timed_and_all_of_it_is_counted(root, tmp_path):
    with pytest.raises(
        Broken, match=r"one@worktree \(the head\) answers wrongly, hello.*; and 1 more"
    ) as told:
        diff(root, tmp_path, [(HEAD, "hello"), (HEAD, "create")])
    assert told.value.exit_code == 1


def test_where_both_sides_answer_wrongly_a_diff_cannot_be_measured(root, tmp_path):
    with pytest.raises(CannotMeasure, match=r"\(the head, and the base likewise\) answers wrongly, hello"):
        diff(root, tmp_path, [(HEAD, "hello"), (BASE, "hello")])


@pytest.mark.parametrize("wrong", [[(HEAD, "hello")], [(BASE, "hello")], [(HEAD, "hello"), (BASE, "hello")]])
def test_what_is_wrong_now_and_then_is_told_and_left_to_the_load(root, tmp_path, wrong):
    journal = journal_of(root, tmp_path / "run", (BASE, HEAD), baseline="aaaaaaaa")
    lab, diary = lab_of(tmp_path, wrong)
    lab.once.right_again = 2
    experiment.carry_out(journal, lab)
    assert requested(diary) == {"hello", "churn"}
    assert len(journal.run.events) == len(wrong)
    assert journal.run.events[0].what.endswith("got 404 gone; right in 2 more requests")


def test_what_the_base_answers_wrongly_is_compared_with_nothing_and_the_rest_is(root, tmp_path):
    run, diary = diff(root, tmp_path, [(BASE, "hello")])
    assert requested(diary) == {"churn"}
    (event,) = run.events
    assert event.what.startswith(f"{BASE} (the base) answers wrongly, hello: GET /hello: expected status 200")
    assert event.what.endswith("; the head does not: compared with nothing")


def test_a_changed_exchange_that_the_base_cannot_answer_is_left_out_of_its_scenario(root, tmp_path):
    run, diary = diff(root, tmp_path, [(BASE, "delete")], changed=("delete",))
    assert requested(diary) == {"hello", "churn"}
    (churn,) = [one for one in run.scenarios if one.name == "churn"]
    assert [one.name for one in churn.exchanges] == ["create"]
    assert run.events[0].what.startswith("delete changed, and the base does not answer it as the head's ")


def test_where_nothing_remains_a_diff_ends_and_fails_nobody(root, tmp_path):
    wrong = [(BASE, name) for name in ("hello", "create", "delete")]
    run, diary = diff(root, tmp_path, wrong)
    assert run.plan.blocks == ()
    assert not requested(diary)
    assert len(run.events) == 3


@pytest.mark.parametrize("how", ["unready", "unprepared"])
def test_a_head_that_cannot_be_served_is_broken(root, tmp_path, how):
    with pytest.raises(
        Broken, match=r"one@worktree \(the head\) cannot be served: no shop today; the base can"
    ):
        diff(root, tmp_path, **{how: {HEAD: "no shop today"}})


@pytest.mark.parametrize("how", ["unready", "unprepared"])
def test_where_neither_side_can_be_served_nothing_can_be_measured(root, tmp_path, how):
    whole = dict.fromkeys((BASE, HEAD, TWIN), "no shop today")
    with pytest.raises(CannotMeasure, match="no shop today"):
        diff(root, tmp_path, **{how: whole})


def test_a_base_that_cannot_be_served_is_compared_with_nothing_and_others_are_measured(root, tmp_path):
    pairs = ((BASE, HEAD), ("two@aaaaaaaa", "two@worktree"))
    run, diary = diff(root, tmp_path, pairs=pairs, unready={BASE: "no shop yesterday"})
    assert {record.slice.cell.contender for record in run.records} >= set(pairs[1])
    assert not any("one@" in entry for entry in diary if entry.startswith("measure"))
    assert "cannot be served: no shop yesterday; the head can" in run.events[0].what


def test_an_index_that_cannot_be_reached_is_nobody_s_fault(root, tmp_path):
    why = "the environment of requirements.txt cannot be made: dns error: failed to lookup address"
    with pytest.raises(CannotMeasure, match="dns error"):
        diff(root, tmp_path, unprepared={HEAD: why})


def test_a_service_that_died_is_nobody_s_fault(root, tmp_path):
    with pytest.raises(CannotMeasure, match="PostgreSQL ended"):
        diff(root, tmp_path, unready={HEAD: "no database"}, database_dies_in=1)


def test_a_mistake_in_what_is_prepared_stays_the_user_s(root):
    class Mistaken(FakeRuntime):
        def prepare(self, contenders):
            raise UsageError("no requirements.txt")

    with pytest.raises(UsageError, match=r"no requirements\.txt"):
        prepared([contender("a"), contender("b")], Mistaken([]))


def test_contenders_are_tried_a_few_at_a_time_on_servers_that_are_not_timed():
    runtime = FakeRuntime([])
    asked = [(contender(f"c{number}"), []) for number in range(13)]
    assert list(tries(asked, runtime, FakeOnce())) == []
    assert runtime.servings == 0  # nothing to request of anyone


class Refusing(FakeLoad):
    """Of some contenders, every answer is a refusal."""

    refused: tuple[str, ...] = (HEAD,)

    def finish(self):
        sample = super().finish()
        if self.step.cell.contender not in self.refused:
            return sample
        return replace(
            sample,
            latency=Histogram(),
            failures={"status 429": 900},
            examples=("GET /: expected status 200, got 429 slow down",),
        )


@pytest.mark.parametrize(
    ("refused", "error", "said"),
    [
        ((HEAD,), Broken, r"one@worktree \(the head\) gave wrong answers under load, .*got 429 slow down"),
        (
            (BASE, HEAD, TWIN),
            CannotMeasure,
            "no contender gave a right answer in the first .*status 429 × ",
        ),
    ],
)
def test_a_diff_in_which_a_side_answers_nothing_rightly_ends_after_one_round(
    root, tmp_path, refused, error, said
):
    journal = journal_of(root, tmp_path / "run", (BASE, HEAD), (BASE, TWIN), baseline="aaaaaaaa")
    lab, diary = lab_of(tmp_path)
    refusing = Refusing(diary)
    refusing.refused = refused
    with pytest.raises(error, match=said):
        experiment.carry_out(journal, replace(lab, load=refusing))
    assert {record.slice.round for record in journal.run.records} == {1}


CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--url")
"""


def with_checks(root, *, passing):
    checks = root / "apps" / "checks"
    checks.mkdir(parents=True)
    (checks / "pytest.ini").write_text("[pytest]\naddopts = --disable-plugin-autoload\n")
    (checks / "conftest.py").write_text(CONFTEST)
    (checks / "test_it.py").write_text(f"def test_hello(): assert {passing}, 'GET /: got 500'\n")
    return root


def checked(root, tmp_path, *failing):
    """A diff whose contenders lie in roots of their own, with checks that pass or fail."""
    journal = journal_of(root, tmp_path / "run", (BASE, HEAD), (BASE, TWIN), baseline="aaaaaaaa")
    roots = {
        passing: str(with_checks(tmp_path / f"passing-{passing}", passing=passing))
        for passing in (True, False)
    }
    served = tuple(replace(one, root=roots[one.name not in failing]) for one in journal.run.contenders)
    journal.run = replace(journal.run, contenders=served)
    lab, diary = lab_of(tmp_path)
    experiment.carry_out(journal, lab)
    return journal.run, diary


def test_a_head_that_fails_its_checks_where_its_base_passes_is_broken(root, tmp_path):
    with pytest.raises(
        Broken, match=r"one@worktree \(the head\) fails its checks: test_hello: GET /: got 500"
    ):
        checked(root, tmp_path, HEAD)


def test_where_both_sides_fail_their_checks_nothing_can_be_measured(root, tmp_path):
    with pytest.raises(CannotMeasure, match="the base likewise\\) fails its checks"):
        checked(root, tmp_path, HEAD, BASE, TWIN)


def test_a_base_that_failed_its_checks_is_compared_with_nothing(root, tmp_path):
    run, diary = checked(root, tmp_path, BASE, TWIN)
    assert run.plan.blocks == ()
    assert not requested(diary)
