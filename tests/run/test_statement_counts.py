from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from bench.errors import CannotMeasure
from bench.histogram import Histogram
from bench.project import contenders, scenarios
from bench.records import Sample
from bench.run import statement_counts
from bench.runtime.statements import StatementSource
from tests.support.fakes import FakeServer
from tests.support.projects import CONTENDERS, make_project

PG = StatementSource(by="PostgreSQL")
COSTS = {  # exchange → what one request of it has the database run
    "hello": {},
    "create": {"BEGIN": 1, "INSERT": 1, "COMMIT": 1},
    "delete": {"BEGIN": 1, "DELETE": 1, "COMMIT": 1},
}


@dataclass
class CountingServer(FakeServer):
    ran: Counter = field(default_factory=Counter)

    source: StatementSource = PG

    def statements(self):
        return dict(self.ran)

    def statement_source(self):
        return self.source


@dataclass
class CountingLab:
    """A runtime and a load generator in one: requests of a slice cost what COSTS says, and no more."""

    answered: int = 10
    setting_up: int = 0  # slices on one connection in which a connection to the database is set up
    failing: str = ""
    sources: dict[str, StatementSource] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()  # contenders that do not start
    served: list[str] = field(default_factory=list)

    @contextmanager
    def serve(self, contenders, *, hash_seed, counting):
        assert counting == "statements"
        names = [one.name for one in contenders]
        if self.broken.intersection(names):
            raise CannotMeasure(f"{' and '.join(names)} ended before it was ready")
        self.served += names
        self.servers = {
            one.name: CountingServer(one, [], source=self.sources.get(one.name, PG)) for one in contenders
        }
        yield self.servers

    def prepare(self, targets, scenarios):
        self.scenarios = {scenario.name: scenario for scenario in scenarios}

    def forget(self, target):
        pass

    def begin(self, step):
        self.step = step
        return 0, 1

    def finish(self):
        asked, step = self.scenarios[self.step.cell.scenario], self.step
        ran = self.servers[step.cell.contender].ran
        for number in range(self.answered + 1):
            exchanges = asked.exchanges
            ran.update(COSTS[exchanges[number % len(exchanges)].name])
        if step.cell.load.connections == 1 and self.setting_up:
            self.setting_up -= 1
            ran["SET"] += 1
        failures = {"status 500": 1} if step.cell.scenario == self.failing else {}
        return Sample(
            window_s=step.window_s,
            latency=Histogram(),
            failures=failures,
            unfinished=1,
            slice_requests=self.answered,
        )


@pytest.fixture
def root(tmp_path):
    return make_project(tmp_path / "project")


def counted(root, lab, *names):
    tables, known = contenders.declared(root), scenarios.declared(root)
    asked = [(contenders.resolve(name, tables), [known["hello"], known["churn"]]) for name in names]
    return list(statement_counts.count(asked, lab, lab, root / ".bench"))


def costs(found):
    return {one.exchange: dict(one.statements) for one in found}


def test_each_exchange_costs_what_the_database_ran_for_it_alone(root):
    found = counted(root, CountingLab(), "one")
    assert costs(found) == COSTS
    assert {one.exchange: one.per_request for one in found} == {"hello": 0, "create": 3, "delete": 3}
    assert {one.exchange: one.requests for one in found} == {"hello": 11, "create": 11, "delete": 5}


def test_what_it_needs_is_saved_first_and_not_counted_with_it(root):
    known = scenarios.declared(root)
    probe = statement_counts.probes([known["churn"]])[-1]
    assert (probe.exchange.name, [one.name for one in probe.savers]) == ("delete", ["create"])
    assert probe.requested(5) == {"create": 3, "delete": 2}


def test_a_connection_set_up_meanwhile_is_not_part_of_a_request(root):
    assert costs(counted(root, CountingLab(setting_up=2), "one")) == COSTS


def test_what_is_no_whole_number_every_time_stays_none(root):
    found = counted(root, CountingLab(setting_up=1000), "one")
    assert found[0].per_request == pytest.approx(1 / 11)


def test_counts_are_remembered_until_the_app_changes(root):
    first, again, changed = CountingLab(), CountingLab(), CountingLab()
    counted(root, first, "one")
    assert all(one.remembered for one in counted(root, again, "one"))
    (root / "apps" / "one_app" / "views.py").write_text("changed = True\n")
    counted(root, changed, "one")
    assert (first.served, again.served, changed.served) == (["one"], [], ["one"])


def test_a_twin_is_not_asked_twice(root):
    lab = CountingLab()
    found = counted(root, lab, "one", "one~aa")
    assert lab.served == ["one"]
    assert [one.contender for one in found] == ["one"] * 3 + ["one~aa"] * 3


def test_without_a_database_of_ours_drivers_count_and_the_count_says_so(root):
    by_driver = StatementSource(by="driver", drivers=("sqlite3",))
    lab = CountingLab(sources={"floor": by_driver})
    found = counted(root, lab, "floor", "one")
    assert lab.served == ["floor", "one"]
    assert {(one.contender, one.counted_by, one.drivers) for one in found} == {
        ("floor", "driver", ("sqlite3",)),
        ("one", "PostgreSQL", ()),
    }
    assert [one.counted_by for one in counted(root, CountingLab(), "floor")] == ["driver"] * 3


def test_what_nobody_counts_has_the_reason_and_is_no_count_of_none(root):
    lab = CountingLab(sources={"floor": StatementSource(by=None, why="nobody looks")})
    found = counted(root, lab, "floor")
    assert {(one.exchange, one.per_request, one.why) for one in found} == {
        (exchange, None, "nobody looks") for exchange in COSTS
    }
    again = CountingLab()
    assert costs(counted(root, again, "floor")) == COSTS
    assert again.served == ["floor"]


def test_a_server_that_does_not_start_while_it_is_counted_stops_nobody(root):
    lab = CountingLab(broken=frozenset({"floor"}))
    alone = CONTENDERS.replace(
        "[floor]",
        '[other]\nstack = "Other"\ninterface = "wsgi"\nserver = "tiny"\ncommand = "serve"\n\n[floor]',
    )
    (root / "apps" / "one_app" / "contenders.toml").write_text(alone)
    found = counted(root, lab, "floor", "other", "one")
    assert sorted(lab.served) == ["one", "other"]
    assert {one.why for one in found if one.contender == "floor"} == {
        "its server does not start while drivers are counted: floor ended before it was ready"
    }
    assert costs([one for one in found if one.contender == "other"]) == COSTS


def test_a_server_with_a_database_of_ours_that_does_not_start_is_an_error(root):
    with pytest.raises(CannotMeasure, match="one ended"):
        counted(root, CountingLab(broken=frozenset({"one"})), "one", "floor")


def test_a_window_too_short_for_a_saver_and_what_it_saves_for_gives_no_count(root):
    lab = CountingLab(answered=0)
    assert {one.exchange: one.per_request for one in counted(root, lab, "one")}["delete"] is None
    again = CountingLab()
    assert costs(counted(root, again, "one")) == COSTS
    assert again.served == ["one"]


def test_requests_that_fail_give_no_count_and_nothing_to_remember(root):
    found = counted(root, CountingLab(failing="create"), "one")
    assert {one.exchange: one.per_request for one in found}["create"] is None
    again = CountingLab()
    counted(root, again, "one")
    assert again.served == ["one"]


LOG_IN = """
[exchanges.login]
request = "POST /login"
body = { name = "ann" }
save = { session = "cookie:session" }

[exchanges.page]
request = "GET /page"
needs = ["session"]

[exchanges.hello]
request = "GET /"

[scenarios.hello]
mix = { hello = 1 }

[scenarios.pages]
cookies = true
mix = { page = 1, login = 0 }
"""


@dataclass
class LoggingIn(CountingLab):
    """The first log-in of a window ends no session before it, and makes a row that others only change."""

    rate_rps: float = 200.0  # of pages and log-ins
    now_and_then: int = 0  # one page in so many has a statement more

    def finish(self):
        name, step = self.step.cell.scenario, self.step
        ran = self.servers[step.cell.contender].ran
        requests = round(self.rate_rps * step.window_s)
        log_ins = {"page": 1, "login": requests}.get(name, 0)
        pages = requests - 1 if name == "page" else 0
        for number in range(log_ins):
            first = {"INSERT session": 1, "INSERT seen": 1}
            ran.update(first if number == 0 else {"DELETE session": 1, "INSERT session": 1})
        ran.update({"SELECT session": pages, "SELECT page": 2 * pages})
        if self.now_and_then:
            ran["SELECT rare"] += pages // self.now_and_then
        return Sample(window_s=step.window_s, latency=Histogram(), slice_requests=requests)


def counted_pages(tmp_path, lab):
    root = make_project(tmp_path / "site", scenarios=LOG_IN)
    tables, known = contenders.declared(root), scenarios.declared(root)
    asked = [(contenders.resolve("one", tables), [known["pages"]])]
    return costs(statement_counts.count(asked, lab, lab, root / ".bench"))


@pytest.mark.parametrize("rate_rps", [130.0, 200.0, 370.0, 1000.0])
def test_a_first_log_in_that_costs_something_else_is_no_part_of_what_needs_it(tmp_path, rate_rps):
    assert counted_pages(tmp_path, LoggingIn(rate_rps=rate_rps)) == {
        "login": {"DELETE session": 1.0, "INSERT session": 1.0},
        "page": {"SELECT session": 1.0, "SELECT page": 2.0},
    }


def test_what_runs_for_some_requests_only_stays_a_fraction(tmp_path):
    found = counted_pages(tmp_path, LoggingIn(rate_rps=1000.0, now_and_then=4))["page"]
    assert found["SELECT rare"] == pytest.approx(0.25, abs=0.01)
    assert found["SELECT page"] == 2.0
