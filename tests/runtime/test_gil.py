"""A free-threaded Python shows in its server that the lock is off: a stand-in says what it would."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial

import pytest

from bench.model.contender import Contender
from bench.runtime.gil import GilWatch, is_free_threaded
from bench.runtime.hooks import hook
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime
from tests.support.projects import tiny

# Imported by our hook, as any sitecustomize that it hides.
STAND_IN = "import os, sys\nsys._is_gil_enabled = lambda: os.path.exists(os.environ['TURNED_ON'])\n"
WAITS = "import time; time.sleep(60)"
WARNING = (
    "RuntimeWarning: The global interpreter lock (GIL) has been enabled to load module 'old._c', which has "
    "not declared that it can run safely without the GIL."
)
SILENT = "nothing shows that its GIL is off: a process of it did not answer"


@contextmanager
def started(folder, code=WAITS, stand_in=STAND_IN):
    more = folder / "more"
    more.mkdir()
    (more / "sitecustomize.py").write_text(stand_in)
    with hook("bench_gil", folder) as own:
        watch = GilWatch(own)
        env = {**os.environ, "PYTHONPATH": str(more), "TURNED_ON": str(folder / "on")}
        process = subprocess.Popen([sys.executable, "-c", code], env=watch.environment(env))
        try:
            yield watch, process, own.folder
        finally:
            process.kill()
            process.wait()


def waiting(folder, processes=1):
    """Wait until so many processes can be asked, and return their ids."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        pipes = [name for name in os.listdir(folder) if name.endswith(".counts")]
        if len(pipes) == processes:
            time.sleep(0.05)  # until its thread has opened it
            return [int(name.partition(".")[0]) for name in pipes]
        time.sleep(0.02)
    pytest.fail("it did not start")


def test_a_server_shows_that_its_lock_is_off_and_when_a_module_turned_it_on(tmp_path):
    with started(tmp_path) as (watch, process, folder):
        waiting(folder)
        assert watch.why_on([process.pid], "") is None
        (tmp_path / "on").touch()
        assert watch.why_on([process.pid], WARNING) == "the GIL is on: old._c turned it on"
        assert watch.why_on([process.pid], "") == "the GIL is on"


def test_a_forked_worker_is_asked_too(tmp_path):
    with started(tmp_path, f"import os; os.fork(); {WAITS}") as (watch, _, folder):
        pids = waiting(folder, 2)
        try:
            assert watch.why_on(pids, "") is None
            (tmp_path / "on").touch()
            assert watch.why_on(pids, "") == "the GIL is on"
        finally:
            os.kill(max(pids), 9)


def test_a_process_that_says_nothing_proves_nothing(tmp_path):
    with started(tmp_path) as (watch, _, folder):
        waiting(folder)
        assert watch.why_on([1], "") == SILENT


@pytest.mark.parametrize(("python", "is_free"), [("3.14t", True), ("3.14", False)])
def test_a_free_threaded_build_is_named_with_a_t(python, is_free):
    one = Contender(
        name="one", base="one", app="one_app", root="/", stack="One", interface="wsgi", server="s",
        command="s", python=python,
    )  # fmt: skip
    assert is_free_threaded(one) is is_free


SERVER = """
import http.server, os
os.fork() or __import__("time").sleep(60)  # as a worker of gunicorn
handler = http.server.SimpleHTTPRequestHandler
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), handler).serve_forever()
"""


def test_a_server_on_such_a_build_is_asked_and_any_other_is_not(tmp_path, monkeypatch):
    """The interpreter is the usual one under the name of such a build: so its lock is on."""
    app, programs = tmp_path / "project" / "apps" / "tiny_app", tmp_path / "programs"
    app.mkdir(parents=True)
    programs.mkdir()
    (app / "requirements.txt").touch()
    (app / "server.py").write_text(SERVER)
    (app / "health").touch()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}t"
    (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    contender = partial(tiny, tmp_path / "project", env={"PORT": "{port}"})
    two = [contender("free", python=name.removeprefix("python")), contender("usual")]
    runtime = ProcessRuntime(
        project=tmp_path / "project", placement=placed(None), scratch=tmp_path / "run", logs=tmp_path / "logs"
    )
    with runtime:
        runtime.prepare(two)
        with runtime.serve(two, hash_seed=0) as servers:
            assert servers["free"].gil_on() == "the GIL is on"
            assert servers["usual"].gil_on() is None
        environments = runtime.facts()["environment_of"]
    assert environments["free"] != environments["usual"]
