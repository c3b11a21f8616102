"""Users of a locustfile: what they request, whether Locust finds it right, and what they may not do."""

from pathlib import Path

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.load.driver import LocustLoad, Workers
from bench.load.once import requested
from bench.loads import Closed
from bench.model.cell import Cell, Slice
from bench.model.scenario import Scenario
from bench.project.locustfiles import declared_users
from tests.support.servers import GOOD, HELLO_SCENARIO, Talk, always, server, stalling_server

WRONG = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"
KINDS = ("HttpUser", "FastHttpUser")
SHOP = """
from time import sleep
from locust import {kind}, TaskSet, between, task

class Browsing(TaskSet):
    wait_time = between(5, 9)
    @task
    def page(self):
        self.client.get("/page")
        self.interrupt()

class Shopper({kind}):
    host = "https://shop.example"
    wait_time = between(5, 9)
    tasks = [Browsing]
    def on_start(self):
        self.client.get("/login")
    def on_stop(self):
        self.client.get("/logout")
    @task
    def home(self):
        with self.client.get("/home", catch_response=True) as response:
            if "Hello" not in response.text:
                response.failure("no hello")
"""
ONE_TASK = """
from time import sleep
from locust import {kind}, task

class Shopper({kind}):
    @task
    def home(self):
        {does}
"""


def one_task(does, kind="HttpUser"):
    return ONE_TASK.format(kind=kind, does=does)


def scenario(folder: Path, text: str, *users: str) -> Scenario:
    (folder / "locustfile.py").write_text(text)
    file, exchange = declared_users(folder, "bench.toml", "shop", "locustfile.py", users)
    return Scenario(name="shop", exchanges=(exchange,), weights=(1,), locustfile=file)


def sample_of(load, address, shop, *, connections=2, window_s=0.4):
    cell = Cell(contender="t", scenario="shop", load=Closed(connections=connections))
    load.prepare({"t": address}, [shop])
    load.begin(Slice(cell=cell, role="measure", round=1, sweep=1, seed=1, lead_in_s=0.1, window_s=window_s))
    return load.finish()


@pytest.fixture(scope="module")
def load():
    with LocustLoad() as load:
        yield load


def but(path: bytes, answer: bytes):
    """Answer rightly, but for *path*."""

    def behave(talk: Talk) -> None:
        while line := talk.request():
            talk.send(answer if path in line else GOOD)

    return behave


@pytest.mark.parametrize("kind", KINDS)
def test_users_request_as_they_are_and_do_not_wait(load, tmp_path, kind):
    with server(always(GOOD)) as up:
        sample = sample_of(load, up.address, scenario(tmp_path, SHOP.format(kind=kind)))
        paths = [request.split()[1] for request in up.requests]
    assert (sample.client, sample.failed, sample.examples) == (kind, 0, ())
    assert sample.requests > 0  # with its think time there would be none
    assert (sample.setup_requests, sample.setup_failed) == (2, 0)
    assert paths.count(b"/login") == 2
    assert paths[:2] == [b"/login"] * 2
    assert paths[-2:] == [b"/logout"] * 2
    counted = len(paths) - 4
    assert sample.slice_requests <= counted <= sample.slice_requests + sample.unfinished
    assert {b"/page", b"/home"} <= set(paths)


def test_an_answer_is_right_if_locust_says_so(load, tmp_path):
    with server(but(b"/home", GOOD.replace(b"Hello", b"Howdy"))) as up:
        sample = sample_of(load, up.address, scenario(tmp_path, SHOP.format(kind="HttpUser")))
    assert sample.requests > 0
    assert sample.failures.keys() == {"body"}
    assert sample.examples[0] == "GET /home: no hello"


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_from_400_on_is_a_failure_with_its_kind(load, tmp_path, kind):
    text = one_task('self.client.get("/home")', kind)
    with server(always(WRONG)) as up:
        sample = sample_of(load, up.address, scenario(tmp_path, text))
    assert sample.requests == 0
    assert sample.failures.keys() == {"status 404"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "elsewhere", ["https://shop.example/x", "http://192.0.2.1/x", "http://127.0.0.1:{}/"]
)
def test_another_server_is_not_reached(load, tmp_path, kind, elsewhere):
    with server(always(GOOD)) as other, server(always(GOOD)) as up:
        url = elsewhere.format(other.address[1])
        does = f'self.client.get("/home"); self.client.get("{url}")'
        sample = sample_of(load, up.address, scenario(tmp_path, one_task(does, kind)))
        assert other.requests == []
    assert sample.requests > 0
    assert sample.failures.keys() == {"other server"}
    assert "is another server: a locustfile's users reach 127.0.0.1:" in sample.examples[0]


def test_a_redirect_to_another_server_is_not_followed_there(load, tmp_path):
    with server(always(GOOD)) as other:
        away = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
        with server(always(away % other.address[1])) as up:
            sample = sample_of(load, up.address, scenario(tmp_path, one_task('self.client.get("/")')))
        assert other.requests == []
    assert sample.failures.keys() == {"other server"}


def test_what_a_task_raises_is_a_failure_beside_its_requests(load, tmp_path):
    text = one_task('self.client.get("/home").json()["id"]')
    with server(always(GOOD)) as up:
        sample = sample_of(load, up.address, scenario(tmp_path, text))
    assert sample.requests > 0
    assert sample.failures.keys() == {"exception"}
    assert sample.examples[0] == "Shopper: KeyError: 'id'"


def test_a_user_that_ends_is_a_failure(load, tmp_path):
    text = one_task('self.client.get("/home"); from locust.exception import StopUser; raise StopUser')
    with server(always(GOOD)) as up:
        sample = sample_of(load, up.address, scenario(tmp_path, text))
    assert sample.failures == {"user ended": 2}


def test_a_user_that_does_not_stop_delays_one_slice_and_no_later_one(load, tmp_path):
    def behave(talk: Talk) -> None:
        while line := talk.request():
            if b"/logout" not in line:
                talk.send(GOOD)

    with server(behave) as up:
        shop = scenario(tmp_path, SHOP.format(kind="HttpUser"))
        samples = [sample_of(load, up.address, shop) for _ in range(2)]
    assert [(one.setup_requests, one.failed) for one in samples] == [(2, 0), (2, 0)]
    assert min(one.requests for one in samples) > 10


def test_a_sleep_stays_and_caps_what_is_requested(load, tmp_path):
    text = one_task('self.client.get("/home"); sleep(0.1)')
    with server(always(GOOD)) as up:
        sample = sample_of(load, up.address, scenario(tmp_path, text), window_s=0.5)
    assert 2 <= sample.requests <= 12
    assert sample.failed == 0


def test_requests_without_an_answer_are_unfinished(load, tmp_path):
    with stalling_server(wait_ms=700) as up:
        shop = scenario(tmp_path, one_task('self.client.get("/home")'))
        sample = sample_of(load, up.address, shop, connections=3)
    assert (sample.requests, sample.failed, sample.unfinished) == (0, 0, 3)


def test_only_the_named_users_run(load, tmp_path):
    text = one_task('self.client.get("/home")') + one_task('self.client.get("/b")').replace(
        "Shopper", "Buyer"
    )
    with server(always(GOOD)) as up:
        sample_of(load, up.address, scenario(tmp_path, text, "Buyer"))
        assert {request.split()[1] for request in up.requests} == {b"/b"}


def test_a_fleet_shares_the_users_among_its_workers(tmp_path):
    with LocustLoad(workers=Workers(count=2)) as fleet, server(always(GOOD)) as up:
        sample = sample_of(
            fleet, up.address, scenario(tmp_path, SHOP.format(kind="FastHttpUser")), connections=5
        )
    assert sample.setup_requests == 5
    assert sample.client == "FastHttpUser"
    assert sample.locust_requests == sample.slice_requests > 0


def test_our_own_loop_goes_on_beside_it(load, tmp_path):
    with server(always(GOOD)) as up:
        sample_of(load, up.address, scenario(tmp_path, SHOP.format(kind="HttpUser")))
        sample = sample_of(
            load, up.address, Scenario(name="shop", exchanges=HELLO_SCENARIO.exchanges, weights=(1,))
        )
    assert (sample.client, sample.failed) == ("", 0)
    assert sample.requests > 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "import nowhere_to_be_found",
            "it needs the package of nowhere_to_be_found, which bench lacks: install it",
        ),
        (
            "x = 1\ny = x / 0",
            "it fails when it is imported, line 2: ZeroDivisionError: division by zero: mend it",
        ),
        ("import sys\nsys.exit(3)", "it fails when it is imported, line 2: SystemExit: 3: mend it"),
        ("x = 1", "it has no class of HttpUser or FastHttpUser"),
        ("from locust import HttpUser\nclass A(HttpUser): pass", "A has no tasks: leave it out"),
        ("from locust import User\nclass A(User): pass", "A has no client for HTTP: leave it out of `users`"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_remedy(load, tmp_path, text, says):
    shop = scenario(tmp_path, text)
    with pytest.raises(UsageError, match=r"^locustfile\.py: ") as refused:
        list(requested("t", ("127.0.0.1", 9), [shop]))
    assert says in str(refused.value)
    with pytest.raises(CannotMeasure) as failed:
        sample_of(load, ("127.0.0.1", 9), shop)
    assert says in str(failed.value)


def test_an_unknown_user_is_refused_with_those_that_there_are(tmp_path):
    shop = scenario(tmp_path, SHOP.format(kind="HttpUser"), "Shoper")
    with pytest.raises(UsageError, match="no user class Shoper: it has Shopper: correct `users`"):
        list(requested("t", ("127.0.0.1", 9), [shop]))


def test_each_task_is_tried_once(tmp_path):
    with server(always(GOOD)) as up:
        (one,) = requested("t", up.address, [scenario(tmp_path, SHOP.format(kind="HttpUser"))])
    assert (one.exchange, one.wrong, one.status) == ("shop", "", None)
    assert one.request == "locustfile.py: each task of Shopper once"
    assert one.body == "GET /login: 200, GET /page: 200, GET /home: 200, GET /logout: 200"


def test_the_first_failure_of_a_try_is_shown_with_its_answer(tmp_path):
    with server(but(b"/home", WRONG)) as up:
        (one,) = requested("t", up.address, [scenario(tmp_path, SHOP.format(kind="HttpUser"))])
    assert (one.request, one.status, one.answer, one.right_again) == ("GET /home", 404, "gone", 0)
    assert one.wrong == "no hello"


def test_a_task_that_raises_is_wrong(tmp_path):
    text = one_task('self.client.get("/home").json()["id"]')
    with server(always(GOOD)) as up:
        (one,) = requested("t", up.address, [scenario(tmp_path, text)])
    assert (one.request, one.wrong) == ("Shopper", "KeyError: 'id'")


def test_a_neighbour_of_the_file_is_imported_and_its_files_are_found(load, tmp_path):
    (tmp_path / "paths.py").write_text('HOME = open("home.txt").read()')
    (tmp_path / "home.txt").write_text("/neighbour")
    with server(always(GOOD)) as up:
        sample_of(
            load, up.address, scenario(tmp_path, "import paths\n" + one_task("self.client.get(paths.HOME)"))
        )
        assert {request.split()[1] for request in up.requests} == {b"/neighbour"}
