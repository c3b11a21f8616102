"""How often a request calls each function: on servers that truly run here."""

import os
import sys

import pytest

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.model.scenario import Exchange, Expect, Scenario
from bench.profile.call_counts import NEVER, AppPlace, Called, count_calls
from bench.runtime.interpreters import found
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime
from tests.support.synthetic import contender

SITE = "/venv/lib/python3.11/site-packages"
APP = """
import http.server, json, os, sys, threading, time
sys.path.insert(0, os.path.abspath("../libs"))
from prices import tax

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        for _ in range(3):
            tax()
        if self.path.startswith("/odd"):
            odd()
        self.answer({"message": MESSAGE})

    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

def odd():
    pass

def tick():
    pass

def ticks():
    while True:
        tick()
        time.sleep(0.05)

MESSAGE = "Hello"
threading.Thread(target=ticks, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
HELLO = Exchange(name="hello", method="GET", path="/health", expect=Expect(json={"message": "Hello"}))
ODD = Exchange(name="odd", method="GET", path="/odd", expect=Expect(json={"message": "Hello"}))
MIXED = Scenario(name="mixed", exchanges=(HELLO, ODD), weights=(3, 2))


@pytest.fixture
def counted(tmp_path):
    """Return a function that serves *app* and counts the calls of a request."""

    def count(app, scenario=MIXED, *, command="python app.py", python=None, counting="calls"):
        for name, text in {
            "web/app.py": app,
            "web/requirements.txt": "",
            "libs/prices.py": "def tax():\n    return 7\n",
        }.items():
            (tmp_path / "apps" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "apps" / name).write_text(text)
        one = Contender(
            name="web",
            base="web",
            app="web",
            root=str(tmp_path),
            stack="Tiny",
            interface="wsgi",
            server="tiny",
            command=command,
            python=python,
        )
        facts = {"placement": placed(None), "scratch": tmp_path / "run", "logs": tmp_path / "logs"}
        with ProcessRuntime(project=tmp_path, **facts) as runtime:
            runtime.prepare([one])
            with runtime.serve([one], hash_seed=0, timed=False, counting=counting) as servers:
                return count_calls(servers["web"], scenario)

    return count


def test_a_request_has_exact_calls_and_files_have_names_that_every_tree_has(counted):
    calls = counted(APP)
    usual = {f"{one.file}:{one.name}": called.usual for one, called in calls.items() if called.is_steady}
    assert usual["./app.py:Handler.do_GET"] == 1
    assert usual["./app.py:odd"] == 2 / 5
    assert usual["../libs/prices.py:tax"] == 3
    assert usual["json/__init__.py:dumps"] == 1
    assert not [one for one in calls if os.path.isabs(one.file)]
    (tick,) = (called for one, called in calls.items() if one.name == "tick")
    assert tick.by_timers >= tick.usual  # so it never counts as a change
    assert not tick.is_apart_from(NEVER)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"command": "python -I app.py"},
            "not counted in web: what listens on its port is no Python that reads",
        ),
        ({"counting": "statements"}, r"not counted in web: .*\(add --runtime process\)"),
        ({"app": APP.replace('MESSAGE = "Hello"', 'MESSAGE = "Bye"')}, "web answers wrongly in mixed"),
    ],
)
def test_what_is_not_counted_has_a_reason(counted, options, why):
    with pytest.raises(CannotMeasure, match=why):
        counted(**{"app": APP, **options})


IN_FOREIGN_THREAD = (
    APP.replace("import http", "import _thread, http", 1)
    .replace("Threading", "")
    .replace("Handler).serve_forever()", "Handler)")
    .replace("threading.Thread(target=ticks, daemon=True).start()\n", "")
    .replace("http.server.HTTPServer((", "server = http.server.HTTPServer((")
    + """
_thread.start_new_thread(server.serve_forever, ())
while True:
    time.sleep(60)
"""
)


@pytest.mark.parametrize("python", [None, "3.12"])
def test_threads_that_python_did_not_start_are_counted_or_named(counted, python):
    if python and not found(python):
        pytest.skip(f"there is no Python {python}")
    if python is None and sys.version_info < (3, 12):
        with pytest.raises(CannotMeasure, match="call none in threads that Python has started"):
            counted(IN_FOREIGN_THREAD)
        return
    calls = counted(IN_FOREIGN_THREAD, python=python)
    assert [called.usual for one, called in calls.items() if one.name == "tax"] == [3]


def test_counts_are_apart_only_where_windows_and_timers_leave_no_doubt():
    two, three = Called((2.0, 2.0, 2.0)), Called((3.0, 3.0, 3.0))
    assert two.is_apart_from(three)
    assert three.is_apart_from(two)
    assert not Called((2.0, 3.0, 2.0)).is_apart_from(three)
    assert not Called((2.0, 2.0, 2.0), by_timers=0.5).is_apart_from(three._replace(by_timers=0.5))
    assert Called((2.0, 2.04, 2.0)).is_apart_from(three)
    assert Called((0.04,)).is_apart_from(NEVER)
    assert not two.is_apart_from(two)


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("/run/7/project/apps/flask_app/views.py", "./views.py"),
        ("/run/7/project/libs/prices.py", "../../libs/prices.py"),
        (f"{SITE}/flask/app.py", "flask/app.py"),
        (f"/run/7/project{SITE}/flask/app.py", "flask/app.py"),
        (f"/run/7/project/apps/flask_app{SITE}/flask/app.py", "flask/app.py"),
        ("/py/lib/python3.11/json/decoder.py", "json/decoder.py"),
        ("/else/where/module.py", "module.py"),
        ("<string>", "<string>"),
        ("app.py", "./app.py"),
    ],
)
def test_a_file_is_named_from_its_app_or_its_package(file, named):
    place = AppPlace.of(contender("flask"), "/run/7/project/apps/flask_app")
    assert place.named(file) == named
