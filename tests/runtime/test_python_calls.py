"""Calls of Python functions, counted in servers that truly run here."""

import os
import time
import urllib.request
from collections import Counter

import pytest

from bench.model.contender import Contender
from bench.runtime.interpreters import found
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime

TOP = """
import http.server, json, os, sys, threading

def twice():
    return [once(number) for number in (1, 2)]

def once(number):
    return number

def items():
    yield 1
    yield 2
    yield 3

async def waited():
    return await inner()

async def inner():
    return 1

class Post:
    def title(self):
        return (lambda: "title")()

def answer(path):
    if path == "/health":
        return {}
    twice()
    list(items())
    try:
        waited().send(None)
    except StopIteration:
        pass
    return Post().title()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps(answer(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

address = ("127.0.0.1", int(os.environ["PORT"]))
"""
THREADED = TOP + "http.server.ThreadingHTTPServer(address, Handler).serve_forever()\n"
PREFORKED = (
    TOP
    + """
server = http.server.HTTPServer(address, Handler)
for _ in range(3):
    if not os.fork():
        server.serve_forever()
os.wait()
"""
)
FORKING = (
    TOP
    + """
import socketserver

class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    pass

Server(address, Handler).serve_forever()
"""
)
SCRIPTS = {"threaded": THREADED, "preforked": PREFORKED, "forking": FORKING}
A_REQUEST = {
    "twice": 1,
    "once": 2,
    "items": 1,  # however often it goes on
    "waited": 1,
    "inner": 1,
    "Post.title": 1,
    "Post.title.<locals>.<lambda>": 1,
    "answer": 1,
    "Handler.do_GET": 1,
    "Handler.log_message": 1,
}


@pytest.fixture
def served(tmp_path):
    """Return a function that serves a script with its calls counted, and returns what *look* returns."""
    app = tmp_path / "apps" / "tiny_app"
    app.mkdir(parents=True)
    (app / "requirements.txt").touch()
    for name, text in SCRIPTS.items():
        (app / f"{name}.py").write_text(text)

    def serve(script, look, *, command="python", python=None, counting="calls"):
        one = Contender(
            name=script,
            base="tiny",
            app="tiny_app",
            root=str(tmp_path),
            stack="Tiny",
            interface="wsgi",
            server="tiny",
            command=f"{command} {script}.py",
            python=python,
        )
        facts = {"placement": placed(None), "scratch": tmp_path / "run", "logs": tmp_path / "logs"}
        with ProcessRuntime(project=tmp_path, **facts) as runtime:
            runtime.prepare([one])
            with runtime.serve([one], hash_seed=0, timed=False, counting=counting) as servers:
                return look(servers[one.name])

    return serve


def get(server):
    host, port = server.address
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=5) as response:
        response.read()


def called(server, requests=10):
    """Return the functions of the script that *requests* called, without what came before them."""
    before = Counter(server.calls.counts())
    for _ in range(requests):
        get(server)
    time.sleep(0.1)
    more = Counter(server.calls.counts()) - before
    return {one.name: calls for one, calls in more.items() if os.path.basename(one.file) in OURS}


OURS = {f"{script}.py" for script in SCRIPTS}


@pytest.mark.parametrize("script", ["threaded", "preforked", "forking"])
@pytest.mark.parametrize("python", [None, "3.12", "3.13"])
def test_each_call_is_counted_once_in_every_thread_and_process(served, script, python):
    if python and not found(python):
        pytest.skip(f"there is no Python {python}")
    counted = served(script, called, python=python)
    expected = {name: 10 * calls for name, calls in A_REQUEST.items()}
    # Until Python 3.11 a list comprehension is a function.
    comprehension = {name: 10 for name in counted if name == "twice.<locals>.<listcomp>"}
    assert counted == expected | comprehension


@pytest.mark.parametrize("script", ["preforked", "forking"])
def test_a_forked_process_writes_into_no_file_of_its_parent(served, script):
    """Each file numbers its functions itself: a number that comes twice is of two processes."""

    def look(server):
        for _ in range(3):
            get(server)
        return {name: list(lines) for name, lines in server.calls._hook.lines()}

    files = served(script, look)
    assert len(files) > 1
    for lines in files.values():
        numbers = [line.partition(" ")[0] for line in lines]
        assert len(numbers) == len(set(numbers))


def test_imports_are_before_the_first_request_and_the_hook_itself_is_in_no_count(served):
    def look(server):
        before = server.calls.counts()
        get(server)
        return before, server.calls.counts()

    before, after = served("threaded", look)
    assert any(one.name == "<module>" for one in before)
    assert {one for one in after if one.name == "<module>"} == {
        one for one in before if one.name == "<module>"
    }
    assert not [one for one in after if one.file.endswith(("bench_calls.py", "counted/sitecustomize.py"))]


@pytest.mark.parametrize("command", ["python -I", "sh -c 'unset PYTHONPATH; exec python threaded.py; :'"])
def test_a_server_without_the_hook_has_no_counts_and_the_reason(served, command):
    def look(server):
        return server.calls.uncounted(server.pids(), server.address[1]), server.calls.counts()

    why, counts = served("threaded", look, command=command)
    assert (why, dict(counts)) == ("what listens on its port is no Python that reads PYTHONPATH", {})


def test_a_server_with_the_hook_is_counted(served):
    assert served("threaded", lambda server: server.calls.uncounted(server.pids(), server.address[1])) is None


def test_other_servers_have_no_counter_of_calls(served):
    assert served("threaded", lambda server: server.calls, counting="statements") is None
