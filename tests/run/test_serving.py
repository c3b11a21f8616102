import time
from contextlib import contextmanager

import httpx
import psutil
import pytest

from bench.errors import CannotMeasure
from bench.project import contenders
from bench.run import serving
from tests.support.fakes import FakeRuntime, FakeServer
from tests.support.projects import SCENARIOS, make_project
from tests.support.waiting import waiting_server


@pytest.fixture
def one(tmp_path):
    project = make_project(tmp_path, scenarios=SCENARIOS.replace('"Hello"', '"Hello, World!"'))
    return contenders.resolve("one", contenders.declared(project))


def test_the_address_is_told_and_an_end_by_itself_is_an_error_with_its_last_words(one):
    said, diary = [], []
    runtime = FakeRuntime(diary, dying={"one": 1})
    with pytest.raises(CannotMeasure, match=r"one killed by signal 9; its last lines:\nits last words"):
        serving.serve(one, runtime, said.append)
    assert said == ["one: http://127.0.0.1:9/ (Ctrl-C stops it)"]
    assert diary == ["prepare one", "serve one", "stop"]


def test_a_dead_database_ends_it(one):
    runtime = FakeRuntime([], database_dies_in=1)
    with pytest.raises(CannotMeasure, match="PostgreSQL ended"):
        serving.serve(one, runtime, print)


class Audience(FakeRuntime):
    """Serves what *address* is, lets *look* at Locust's page once it is open, then has had enough."""

    def __init__(self, address, look):
        super().__init__([])
        self._address = address
        self._look = look

    @contextmanager
    def serve(self, contenders, *, hash_seed):
        yield {one.name: FakeServer(one, self.diary, address=self._address) for one in contenders}

    def check(self):
        self._look()
        raise KeyboardInterrupt


def test_locusts_own_page_has_the_scenarios_as_users_and_leaves_nothing(one, tmp_path):
    said, seen = [], {}

    def look():
        url = said[-1].removeprefix("Locust: ")
        seen["page"] = httpx.get(url, trust_env=False).text
        start = {"user_count": 2, "spawn_rate": 2, "user_classes": "Hello"}
        assert httpx.post(f"{url}swarm", data=start, trust_env=False).json()["success"]
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            seen["stats"] = httpx.get(f"{url}stats/requests", trust_env=False).json()["stats"]
            if seen["stats"] and seen["stats"][0]["num_requests"] > 10:
                return
            time.sleep(0.2)

    with waiting_server(5) as address, pytest.raises(KeyboardInterrupt):
        serving.serve(one, Audience(address, look), said.append, locust_log=tmp_path / "locust.log")
    assert '"Churn"' in seen["page"]
    (hello, _) = seen["stats"]
    assert (hello["name"], hello["method"], hello["num_failures"]) == ("hello", "GET", 0)
    assert hello["num_requests"] > 10
    with pytest.raises(httpx.ConnectError):
        httpx.get(said[-1].removeprefix("Locust: "), trust_env=False)
    assert not [child for child in psutil.Process().children() if "locust" in child.cmdline()]


def test_a_locust_that_does_not_start_is_told_with_its_log(one, tmp_path):
    (tmp_path / "apps" / "scenarios.toml").write_text("")
    log = tmp_path / "locust.log"
    with pytest.raises(CannotMeasure, match=r"Locust ended with exit status 1: see .*locust\.log"):
        serving.serve(one, FakeRuntime([]), print, locust_log=log)
