"""Cookies by the rules of RFC 6265, and a log-in that demands a cookie and a hidden field, as Django does."""

import secrets
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from random import Random
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load import cookies
from bench.load.answers import check
from bench.load.cookies import Jar
from bench.load.mix import Mix
from bench.load.null.responder import responder
from bench.load.null.right_answers import answers
from bench.load.once import requested
from bench.load.requests import JAR, compile_exchange
from bench.load.responses import Heads, read_response
from bench.loads import Closed, Load, Open
from bench.model.cell import Cell, Slice
from bench.model.scenario import Exchange, Expect, Scenario

SOON, PAST = "Fri, 01 Jan 2100 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"


@pytest.mark.parametrize(
    ("lines", "path", "sent"),
    [
        ("a=1", "/", "a=1"),
        ("a=1; Secure; HttpOnly; SameSite=Strict; Domain=shop.example", "/", "a=1"),
        ("a=1\nb=2\na=3", "/", "a=3; b=2"),
        ("a=1; Path=/x\na=2; Path=/x/y\na=3", "/x/y/z", "a=2; a=1; a=3"),
        ("a=1; Path=/x", "/xy", ""),
        ("a=1; Path=/x/", "/x", ""),
        ("a=1; Path=/x", "/x?y=/z", "a=1"),
        ("a=1; Path=x", "/", "a=1"),
        ("a=1; Max-Age=0", "/", ""),
        ("a=1; Max-Age=-5", "/", ""),
        ("a=1; Max-Age=60", "/", "a=1"),
        ("a=1; Max-Age=99999999999999999999999", "/", "a=1"),
        ("a=1; Max-Age=²", "/", "a=1"),
        (f"a=1; Expires={SOON}", "/", "a=1"),
        (f"a=1; Expires={PAST}", "/", ""),
        (f"a=1; Expires={PAST}; Max-Age=60", "/", "a=1"),
        ("a=1; Expires=never", "/", "a=1"),
        ("a=1\na=; Max-Age=0", "/", ""),
        ("a=1; path=/x\na=2; Max-Age=0", "/x", "a=1"),
        ('a="x=y, z"', "/", 'a="x=y, z"'),
        ("=1\nb\n\n;\nc=", "/", "c="),
        ("a=" + "x" * 4_096, "/", ""),
    ],
)
def test_a_cookie_is_sent_as_the_rules_say(lines, path, sent):
    jar = Jar()
    jar.take(lines, "/")
    assert jar.header(path) == sent
    assert jar.header(path) == sent


def test_without_a_path_a_cookie_belongs_to_the_folder_of_its_request():
    jar = Jar()
    jar.take("a=1", "/users/7/edit?next=/")
    assert (jar.header("/users/7/x"), jar.header("/users/7"), jar.header("/users/8")) == ("a=1", "a=1", "")


def test_a_cookie_keeps_its_place_when_its_value_changes_and_a_copy_changes_on_its_own():
    jar = Jar()
    jar.take("a=1\nb=2", "/")
    other = jar.copy()
    jar.take("a=3", "/")
    other.take("c=4\na=; Max-Age=0", "/")
    assert (jar.header("/"), other.header("/")) == ("a=3; b=2", "b=2; c=4")


def test_a_cookie_ends_when_its_time_is_over():
    jar = Jar()
    jar.take("a=1; Max-Age=1\nb=2", "/")
    assert jar.header("/") == "a=1; b=2"
    time.sleep(1.1)
    assert jar.header("/") == "b=2"


def test_a_server_cannot_fill_the_memory():
    jar = Jar()
    for number in range(1_000):
        jar.take(f"c{number}=1", "/")
        jar.header(f"/{number}")
    assert jar.header("/").count("=") == cookies.MOST
    assert "c999=1" in jar.header("/")


@given(
    st.lists(st.text(max_size=80).filter(lambda line: not {*line} & {*"\r\0"}), max_size=5),
    st.text(max_size=20),
)
def test_nothing_that_a_server_sets_makes_it_fail(lines, path):
    jar = Jar()
    jar.take("\n".join(line.encode().decode("latin-1") for line in lines), f"/{path}")
    assert "\n" not in jar.header(f"/{path}")
    jar.header(f"/{path}").encode("latin-1")


def sent(exchange: Exchange, saved) -> bytes:
    return compile_exchange(exchange, "h", cookies=True).request(Random(1), saved).payload


def test_cookies_stand_in_the_request_unless_the_exchange_has_its_own():
    saved = {JAR: [Jar()]}
    get = Exchange(name="x", method="GET", path="/")
    assert sent(get, saved) == b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    saved[JAR][0].take("a=\xe9\nb=2; Path=/y", "/")
    assert sent(get, saved) == b"GET / HTTP/1.1\r\nCookie: a=\xe9\r\nHost: h\r\n\r\n"
    own = Exchange(name="x", method="GET", path="/", headers={"cookie": "mine=1"})
    assert sent(own, saved).count(b"ookie") == 1
    template = compile_exchange(get, "h", cookies=True)
    assert template.request(Random(1), saved) is template.request(Random(1), saved)


FORM = Exchange(
    name="form", method="GET", path="/login/", save={"csrf": "css:input[name=csrfmiddlewaretoken]@value"}
)
LOGIN = Exchange(
    name="login",
    method="POST",
    path="/login/",
    form={"csrfmiddlewaretoken": "{csrf}", "username": "ann", "password": "secret"},
    consumes="csrf",
    expect=Expect(status=302),
    save={"session": "cookie:sessionid"},
)
HOME = Exchange(name="home", method="GET", path="/", needs=("session",), expect=Expect(contains="Hello, ann"))


def shop(*weights: int) -> Scenario:
    return Scenario(name="home", exchanges=(HOME, LOGIN, FORM), weights=weights, cookies=True)


@contextmanager
def site():
    """Run a server whose log-in needs a cookie and the same token in a hidden field; it rotates both."""
    seen: Counter[str] = Counter()
    sessions: set[str] = set()

    class Site(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *about: object) -> None:
            pass

        def cookie(self, name: str) -> str:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(name)
            return found.value if found else ""

        def answer(self, status: int, body: str, *fields: tuple[str, str]) -> None:
            content = body.encode()
            self.send_response(status)
            for name, value in (*fields, ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            seen[f"{self.command} {self.path} {status}"] += 1

        def do_GET(self) -> None:
            if self.path == "/login/":
                token = self.cookie("csrftoken") or secrets.token_hex(16)
                hidden = f'<form><input type="hidden" name="csrfmiddlewaretoken" value="{token}"></form>'
                self.answer(200, hidden, ("Set-Cookie", f"csrftoken={token}; expires={SOON}; Path=/; Secure"))
            elif self.cookie("sessionid") in sessions:
                self.answer(200, "<p>Hello, ann")
            else:
                self.answer(302, "", ("Location", "/login/"))

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            token = form.get("csrfmiddlewaretoken", [""])[0]
            if not token or token != self.cookie("csrftoken"):
                self.answer(403, "CSRF verification failed")
                return
            session = secrets.token_hex(8)
            sessions.add(session)
            self.answer(
                302,
                "",
                ("Location", "/"),
                ("Set-Cookie", f"csrftoken={secrets.token_hex(16)}; expires={SOON}; Path=/"),
                ("Set-Cookie", f"sessionid={session}; HttpOnly; Path=/; SameSite=Lax"),
                ("Set-Cookie", "flash=; Max-Age=0; Path=/"),
            )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[:2], seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def step(load: Load, seed: int = 1) -> Slice:
    cell = Cell(contender="t", scenario="home", load=load)
    return Slice(
        cell=cell,
        role="measure",
        round=1,
        sweep=1,
        seed=seed,
        lead_in_s=0.05,
        window_s=0.3,
        rate_rps=load.rate_rps(()),
    )


def test_each_exchange_once_logs_in_by_form_and_cookie():
    with site() as (address, _):
        tries = list(requested("shop", address, [shop(1, 0, 0)]))
    assert [(one.exchange, one.wrong) for one in tries] == [("form", ""), ("login", ""), ("home", "")]
    assert tries[2].headers["Cookie"].split("; ")[1].startswith("sessionid=")


@pytest.mark.parametrize("kind", ["closed", "open"])
def test_connections_log_in_before_a_slice_and_stay_logged_in(load, kind):
    wanted = Closed(connections=4) if kind == "closed" else Open(connections=40, rate=100, arrivals="uniform")
    fetching = 4 if kind == "closed" else 32
    with site() as (address, seen):
        load.prepare({"t": address}, [shop(1, 0, 0)])
        samples = []
        for seed in (1, 2):
            load.begin(step(wanted, seed))
            samples.append(load.finish())
        load.forget("t")
        load.begin(step(wanted, 3))
        samples.append(load.finish())
        load.prepare({}, [])
    assert [sample.failed for sample in samples] == [0, 0, 0]
    assert [sample.setup_requests for sample in samples] == [2 * fetching, 0, 2 * fetching]
    assert all(sample.requests > 0 for sample in samples)
    assert seen["POST /login/ 302"] == seen["GET /login/ 200"] == 2 * fetching
    assert not [answer for answer in seen if answer.endswith("403")]


def test_log_ins_in_the_mix_have_the_token_of_their_own_form(load):
    with site() as (address, seen):
        load.prepare({"t": address}, [shop(4, 2, 1)])
        load.begin(step(Closed(connections=3)))
        sample = load.finish()
        load.prepare({}, [])
    assert sample.failed == 0, sample.examples
    assert seen["POST /login/ 302"] > 5


def test_without_cookies_the_same_log_in_is_refused(load):
    scenario = Scenario(name="home", exchanges=(LOGIN, FORM), weights=(1, 1))
    with site() as (address, _):
        load.prepare({"t": address}, [scenario])
        load.begin(step(Closed(connections=1)))
        sample = load.finish()
        load.prepare({}, [])
    assert sample.failures["status 403"] > 0


def test_the_null_server_answers_a_scenario_with_cookies():
    respond, saved = responder(answers(shop(4, 2, 1))), {}
    for request in islice(Mix(shop(4, 2, 1), host="h").requests(1, 0, saved), 50):
        assert check(request, *read_response(respond(request.payload), Heads()), saved) is None
    assert saved[JAR][0].header("/login/") == "sessionid=1"
