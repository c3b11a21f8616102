import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from bench.errors import CannotMeasure
from bench.model.claim import Inquiry
from bench.project import contenders
from bench.run.probes import gather
from tests.support.fakes import FakeRuntime, FakeServer
from tests.support.projects import make_project

# What a probe is to bench: a program that prints JSON, or does not.
PROBE = """
import json, sys
topic, asked = sys.argv[1], sys.argv[2:]
if topic == "broken":
    raise SystemExit("nobody answers at all")
if topic == "garbled":
    print("{}")
elif topic == "undecided":
    json.dump({"outcome": "maybe", "shows": "It may.", "output": ""}, sys.stdout)
else:
    json.dump({"outcome": "yes", "shows": "It does.", "output": " ".join(asked)}, sys.stdout)
"""


@dataclass
class CountingServer(FakeServer):
    """One more `SELECT 1` whenever it is asked."""

    asked: int = 0

    def statements(self):
        self.asked += 1
        return {"BEGIN": 3, "SELECT 1": self.asked}


class CountingRuntime(FakeRuntime):
    @contextmanager
    def serve(self, contenders, *, hash_seed, timed=True):
        assert not timed
        yield {one.name: CountingServer(one, self.diary) for one in contenders}


class StubbornRuntime(FakeRuntime):
    @contextmanager
    def serve(self, contenders, *, hash_seed, timed=True):
        raise CannotMeasure("one-fast ended with 1")
        yield


def look(tmp_path, *topics, names=("one-fast",), runtime=CountingRuntime, known=("one", "one-fast")):
    root = make_project(tmp_path)
    (root / "apps" / "evidence").mkdir()
    (root / "apps" / "evidence" / "__main__.py").write_text(PROBE)
    tables = contenders.declared(root)
    inquiries = [Inquiry(topic=topic, asks="Does it?", contenders=names) for topic in topics]
    return gather(inquiries, {name: contenders.resolve(name, tables) for name in known}, runtime([]))


def test_a_probe_is_told_where_the_app_answers_and_what_it_is(tmp_path):
    (seen,) = look(tmp_path, "async")
    assert (seen.contender, seen.topic, seen.outcome, seen.shows) == ("one-fast", "async", "yes", "It does.")
    assert seen.output == (
        f"--url http://127.0.0.1:9 --app {tmp_path / 'apps' / 'one_app'} --environment MODE=fast LEVEL=1"
    )


def test_the_sql_that_the_database_ran_meanwhile_is_kept(tmp_path):
    (seen,) = look(tmp_path, "async")
    assert seen.statements == {"SELECT 1": 1}
    assert json.loads(json.dumps(asdict(seen)))["statements"] == {"SELECT 1": 1}


def test_how_long_a_start_took_is_told_with_the_learning_curve(tmp_path):
    (seen,) = look(tmp_path, "learning-curve")
    assert seen.output.endswith("\nfirst 200 after its start, beside all others: 0.50 s")


def test_a_probe_that_fails_is_told_and_keeps_nothing_else_from_being_looked_at(tmp_path):
    broken, garbled, undecided, fine = look(tmp_path, "broken", "garbled", "undecided", "async")
    assert broken.outcome == garbled.outcome == undecided.outcome == "not looked at"
    assert broken.shows == "Not looked at: the probe ended with 1: nobody answers at all."
    assert "outcome" in garbled.shows
    assert "outcome" in undecided.shows
    assert fine.outcome == "yes"


def test_a_contender_that_failed_its_checks_is_not_looked_at(tmp_path):
    first, second = look(tmp_path, "async", names=("one", "one-fast"), known=("one-fast",))
    assert (first.contender, first.outcome) == ("one", "not looked at")
    assert first.shows == "Not looked at: it failed its checks."
    assert second.outcome == "yes"


def test_servers_that_do_not_start_leave_the_run_to_go_on(tmp_path):
    (seen,) = look(tmp_path, "async", runtime=StubbornRuntime)
    assert seen.shows == "Not looked at: not all servers start: one-fast ended with 1."
