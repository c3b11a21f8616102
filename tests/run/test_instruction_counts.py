"""How instructions are counted, on servers whose cost is known."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from time import monotonic, sleep
from types import SimpleNamespace

import pytest

from bench.errors import CannotMeasure
from bench.project import contenders
from bench.records import CountedWindow, Instructions
from bench.run import instruction_counts
from bench.runtime.callgrind import Executed
from tests.support.fakes import FakeProgress
from tests.support.projects import make_project
from tests.support.servers import GOOD, HELLO_SCENARIO, always, server

ARBITER, WORKER = 7, 8
SETTLING = (900, 700, 600)  # executed per request before the server is warm
PER_REQUEST = 500


@dataclass
class FakeCounter:
    """Executes so much a request, of each process and window."""

    costs: list[int]
    died: bool = False
    name: str = "counter 1"
    read_pids: list[tuple[int, ...]] = field(default_factory=list)

    def begin(self, pids):
        self.windows = chain(SETTLING, self.costs, repeat(PER_REQUEST))

    def read(self, pids):
        self.read_pids.append(tuple(pids))
        requests = instruction_counts.REQUESTS
        cost = next(self.windows)
        found = {WORKER: Executed((cost + 40) * requests, 40 * requests), ARBITER: Executed(3, 0)}
        return {pid: found[pid] for pid in pids}

    def ended(self):
        return self.died


@dataclass
class CountingRuntime:
    address: tuple[str, int]
    name: str = "fake"
    costs: list[int] = field(default_factory=list)
    lack: str | None = None
    broken: frozenset[str] = frozenset()
    died: bool = False
    python: str = "3.11.7"
    served: list[tuple[str, ...]] = field(default_factory=list)
    counters: list[FakeCounter] = field(default_factory=list)

    def uncounted(self):
        return self.lack

    def check(self):
        pass

    def facts(self):
        made = {"python": self.python, "built": "GCC 12.2.0, -O3"}
        return {"environments": {"one": made}, "environment_of": {"one": "one"}}

    @contextmanager
    def serve_counted(self, seeded):
        self.served.append(tuple(f"{one.name}/{seed}" for one, seed in seeded))
        if broken := self.broken.intersection(one.name for one, _ in seeded):
            raise CannotMeasure(f"{min(broken)} ended before it was ready:\nlog")
        yield [self._server(one) for one, _ in seeded]

    def _server(self, contender):
        self.counters.append(FakeCounter(self.costs, died=self.died))
        return SimpleNamespace(
            contender=contender,
            instructions=self.counters[-1],
            address=self.address,
            environment="one",
            path="/somewhere",
            pids=lambda: (ARBITER, WORKER),
            ended=lambda: None,
            log_tail=lambda: "",
        )


@pytest.fixture
def count(tmp_path):
    one = contenders.resolve("one", contenders.declared(make_project(tmp_path)))

    def counted(names=("one",), **given):
        options = {key: given.pop(key) for key in ("memory", "until_s", "together") if key in given}
        wanted = [(replace(one, name=name), HELLO_SCENARIO) for name in names]
        with server(given.pop("behave", None) or always(given.pop("answer", GOOD))) as up:
            runtime = CountingRuntime(up.address, **given)
            options = {"together": 2} | options
            return list(instruction_counts.count(wanted, runtime, FakeProgress([]), **options)), runtime

    return counted


def test_the_usual_count_has_neither_collections_nor_what_works_by_the_clock(count):
    (one,), runtime = count()
    window = CountedWindow(usual=PER_REQUEST, collections=40)
    assert one.windows == {0: (window,) * 5, 1: (window,) * 5}
    assert (one.per_request, one.with_collections, one.spread) == (500, 540, 0)
    assert one.counter == f"counter 1, method {instruction_counts.METHOD}"
    first, *others = runtime.counters[0].read_pids
    assert first == (ARBITER, WORKER)
    assert set(others) == {(WORKER,)}


def test_counting_begins_once_two_windows_agree(count):
    (one,), _ = count(costs=[560, 540, 520, 510, 509, 508])
    assert [window.usual for window in one.windows[0]] == [509, 508, 500, 500, 500]
    never_settled = [560, 540, 480, 560, 480, 700, 480, 600, 500, 520]  # eight are enough
    (one,), _ = count(costs=never_settled)
    assert one.windows[0][0].usual == 700
    assert one.spread == pytest.approx(100 / 520)


def test_the_median_of_windows_and_how_far_its_middle_half_is_apart(count):
    (one,), _ = count(costs=[512, 510, 500, 505, 900, 490])
    assert [window.usual for window in one.windows[0]] == [510, 500, 505, 900, 490]
    assert one.usual[0] == 505
    assert one.spread == pytest.approx(10 / 505)


def test_a_core_counts_one_server_after_another(count):
    (one,), runtime = count(together=1)
    assert runtime.served == [("one/0",), ("one/1",)]
    assert [*one.windows] == [0, 1]


def test_servers_run_together_and_alone_if_one_does_not_start(count):
    names = ("one", "two", "three")
    (one, two, three), runtime = count(names=names, broken=frozenset({"two"}), together=4)
    of_one, of_two, of_three = ((f"{name}/0", f"{name}/1") for name in names)
    assert runtime.served == [of_one + of_two, of_one, of_two, of_three]
    assert (two.windows, two.why) == ({}, "two ended before it was ready:")
    assert one.windows
    assert three.windows


def test_wrong_answers_are_no_count(count):
    (one,), _ = count(answer=GOOD.replace(b"Hello", b"Hallo"))
    assert one.per_request is None
    assert one.why.startswith("GET /: expected ")


def test_a_server_whose_processes_end_meanwhile_is_not_counted(count):
    (one,), _ = count(died=True)
    assert one.why == "a process of it ended meanwhile, whose instructions are in no count"


def test_a_runtime_that_cannot_count_says_so_of_each(count):
    found, runtime = count(names=("one", "two"), lack="valgrind is not installed")
    assert [one.why for one in found] == ["valgrind is not installed"] * 2
    assert runtime.served == []


def test_what_the_budget_has_no_time_for_is_left_out(count):
    (one,), runtime = count(until_s=0.0)
    assert one.why == "the budget left no time for it"
    assert runtime.served == []


def test_answers_too_slow_for_the_budget_end_the_count(count):
    def slow(talk):
        while talk.request():
            sleep(0.01)
            talk.send(GOOD)

    found, runtime = count(names=("one", "two"), behave=slow, until_s=monotonic() + 3.0)
    assert [one.why for one in found] == ["the budget left no time for it"] * 2
    assert runtime.served[0] == ("one/0", "one/1")
    assert all(len(counter.read_pids) <= 1 for counter in runtime.counters)  # the first window showed it


def test_ctrl_c_ends_what_is_still_being_counted(tmp_path):
    class Interrupted(FakeCounter):
        def begin(self, pids):
            raise KeyboardInterrupt

    class OneInterrupted(CountingRuntime):
        def _server(self, contender):
            found = super()._server(contender)
            found.instructions = (FakeCounter if len(self.counters) > 1 else Interrupted)([])
            return found

    def slow(talk):
        while talk.request():
            sleep(0.005)
            talk.send(GOOD)

    one = contenders.resolve("one", contenders.declared(make_project(tmp_path)))
    wanted = [(one, HELLO_SCENARIO), (replace(one, name="two"), HELLO_SCENARIO)]
    with server(slow) as up, pytest.raises(KeyboardInterrupt):
        list(instruction_counts.count(wanted, OneInterrupted(up.address), FakeProgress([]), together=2))
    assert len(up.requests) < 2 * (instruction_counts.WARM_UP + 1) * instruction_counts.REQUESTS


def test_what_is_doubtful_is_counted_with_more_seeds(tmp_path):
    one = contenders.resolve("one", contenders.declared(make_project(tmp_path)))
    wanted = [(replace(one, name=name), HELLO_SCENARIO) for name in ("one", "two")]
    judged = []

    def doubtful(found):
        judged.extend(one.contender for one in found)
        return {("two", HELLO_SCENARIO.name)}

    with server(always(GOOD)) as up:
        runtime = CountingRuntime(up.address)
        known, first, widened = instruction_counts.count_until_clear(
            wanted, runtime, FakeProgress([]), doubtful=doubtful
        )
    assert judged == ["one", "two"]
    assert (known.contender, first.contender, widened.contender) == ("one", "two", "two")
    assert ([*first.windows], [*widened.windows]) == ([0, 1], [0, 1, 2, 3, 4])
    served = [server for beside in runtime.served for server in beside]
    assert served == ["one/0", "one/1", "two/0", "two/1", "two/2", "two/3", "two/4"]


def test_counts_of_the_same_content_are_remembered(count, tmp_path):
    (first,), _ = count(memory=tmp_path / ".bench")
    (again,), runtime = count(memory=tmp_path / ".bench", costs=[9])
    assert runtime.served == []
    assert (first.remembered, again.remembered) == (False, True)
    assert again.windows == first.windows
    (anew,), _ = count(memory=tmp_path / ".bench", costs=[490], python="3.11.8")
    assert not anew.remembered


def test_why_nothing_was_counted_is_not_remembered(count, tmp_path):
    count(memory=tmp_path / ".bench", died=True)
    (one,), _ = count(memory=tmp_path / ".bench")
    assert isinstance(one, Instructions)
    assert one.windows
