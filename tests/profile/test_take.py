"""The order of a profile's steps, and py-spy from beside a server: with stand-ins for what is outside."""

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from bench.errors import CannotMeasure
from bench.loads import Closed
from bench.model.scenario import Exchange, Scenario
from bench.profile.cprofile import CProfile
from bench.profile.profiler import portable
from bench.profile.pyspy import PySpy
from bench.profile.record import Sampled, Window, all_samples, one_window
from bench.profile.take import TURNS, ProfilePlan, in_turns, profile
from bench.run.lab import Lab
from tests.support.fakes import FakeLoad, FakeNullServers, FakeObserver, FakeProgress, FakeRuntime
from tests.support.synthetic import contender, scenario


@dataclass
class FakeProfiler:
    diary: list
    name = "py-spy"
    version = "0"

    def dressed(self, one):
        return one

    @contextmanager
    def attached(self, pids):
        self.diary.append("attach")
        yield self
        self.diary.append("detach")

    def finish(self):
        return Sampled(stacks={"hello (./views.py)": 9}, period_s=0.01, watched_s=1, cpu_s=0.1)


def laboratory(diary, tmp_path, **runtime):
    return Lab(
        runtime=FakeRuntime(diary, **runtime),
        load=FakeLoad(diary),
        observer=FakeObserver(),
        null_server=FakeNullServers(diary),
        progress=FakeProgress(),
        memory=tmp_path,
    )


HELLO = (scenario("hello"),)


def asked(*names, scenarios=HELLO):
    load = Closed(connections=4)
    return ProfilePlan(contenders=tuple(map(contender, names)), scenarios=scenarios, load=load, window_s=1.0)


def test_a_window_with_the_profiler_stands_between_two_without_in_each_turn(tmp_path):
    diary = []
    lab = laboratory(diary, tmp_path)
    confined = lambda server: diary.append(f"confine {server.contender.name}")  # noqa: E731
    (one,) = profile(asked("flask"), lab, FakeProfiler(diary), confined)
    turn = ["measure hello flask", "attach", "measure hello flask", "detach", "measure hello flask"]
    assert diary == [
        *["prepare flask"] * 2,
        "serve flask",
        "confine flask",
        "aim at flask",
        "measure hello flask",  # a warm-up
        *turn * TURNS,
        "aim at nobody",
        "stop",
    ]
    assert (one.contender, one.scenario, len(one.beside)) == ("flask", "hello", 2 * TURNS)
    assert one.sampled.stacks == {"hello (./views.py)": 9 * TURNS}


def test_data_are_put_back_after_each_window_that_wrote(tmp_path):
    diary = []
    write = Scenario(name="write", exchanges=(Exchange(name="write", method="POST", path="/"),), weights=(1,))
    lab = laboratory(diary, tmp_path)
    list(profile(asked("flask", scenarios=(write,)), lab, FakeProfiler(diary), lambda server: None))
    assert diary.count("reset flask") == 1 + 3 * TURNS


def test_a_contender_that_dies_is_named_with_its_last_words(tmp_path):
    lab = laboratory([], tmp_path, dying={"flask": 1})
    with pytest.raises(CannotMeasure, match="flask killed by signal 9 in hello; its last lines:\nits last"):
        list(profile(asked("flask"), lab, FakeProfiler([]), lambda server: None))


def test_contenders_take_turns(tmp_path):
    diary = []
    lab = laboratory(diary, tmp_path)
    names = ("flask", "flask:pool=off")
    profiles = list(in_turns(asked(*names), lab, FakeProfiler(diary), lambda server: None))
    assert tuple(one.contender for one in profiles) == names
    attached = [diary[place + 1] for place, what in enumerate(diary) if what == "attach"]
    assert attached == [f"measure hello {name}" for name in names] * TURNS


def test_the_windows_of_all_turns_are_one_and_what_was_seen_in_them_is_added_up():
    window = Window(window_s=2.0, requests=100, failed=1, watched_s=2.1, server_cpu_s=1.5)
    whole = one_window([window, replace(window, requests=50)])
    assert (whole.requests, whole.failed, whole.window_s, whole.watched_s) == (150, 2, 4.0, 4.2)
    assert whole.server_cpu_s == 3.0
    assert one_window([window, replace(window, server_cpu_s=None)]).server_cpu_s is None
    seen = Sampled(stacks={"a": 2, "b": 1}, period_s=0.01, watched_s=1.0, cpu_s=0.5, errors=1)
    added = all_samples([seen, replace(seen, stacks={"a": 1})])
    assert added == Sampled(stacks={"a": 3, "b": 1}, period_s=0.01, watched_s=2.0, cpu_s=1.0, errors=2)


PROGRAM = """#!/bin/sh
{says}
"""
SAMPLES = """
while [ "$1" != --output ]; do shift; done
trap 'printf "%s" "$STACKS" > "$2"; echo "py-spy> Samples: 3 Errors: 2"; exit 0' INT
STACKS='process 1:"gunicorn";handle (/v/lib/python3.11/site-packages/gunicorn/sync.py);get (CWD/views.py) 2
process 1:"gunicorn";process 2:"gunicorn";run (/p/lib/python3.11/threading.py) 1
'
echo "py-spy> Sampling process 100 times a second. Press Control-C to exit."
while :; do sleep 0.05; done
"""


def pyspy(tmp_path, says):
    program = tmp_path / "py-spy"
    program.write_text(PROGRAM.format(says=says.replace("CWD", os.getcwd())))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return PySpy(program=program)


def test_what_py_spy_saw_is_told_without_where_this_machine_keeps_it(tmp_path):
    with pyspy(tmp_path, SAMPLES).attached(lambda: (os.getpid(),)) as attached:
        sampled = attached.finish()
    assert sampled.stacks == {
        "handle (gunicorn/sync.py);get (./views.py)": 2,
        "run (threading.py)": 1,
    }
    assert (sampled.errors, sampled.period_s, sampled.sampled_s) == (2, 0.01, pytest.approx(0.03))
    assert sampled.cpu_s is not None


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("echo 'Permission Denied: Try running again with sudo'; exit 1", "kernel.yama.ptrace_scope=0"),
        ("echo 'Error: Unsupported version of Python: 3.99'; exit 1", "it follows CPython 3.3 to 3.15; name"),
        (
            "echo 'Error: Failed to find python version from target process'; exit 1",
            "cannot follow this Pyth",
        ),
        ("echo 'Error: the moon is full'; exit 1", "py-spy ended: Error: the moon is full"),
        ("exit 1", "py-spy ended: it printed nothing"),
        (
            SAMPLES.replace("STACKS='p", "STACKS=''; U='p"),
            "found no thread that holds the interpreter's lock",
        ),
    ],
)
def test_where_py_spy_cannot_it_is_said_with_the_remedy(tmp_path, says, told):
    with pytest.raises(CannotMeasure) as error, pyspy(tmp_path, says).attached(lambda: (os.getpid(),)) as one:
        one.finish()
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("/home/me/apps/flask_app/views.py", "./views.py"),
        ("templates/users.html", "./templates/users.html"),
        ("/v/lib/python3.13t/site-packages/flask/app.py", "flask/app.py"),
        ("/p/lib/python3.11/json/decoder.py", "json/decoder.py"),
        ("/somewhere/else.py", "else.py"),
        ("<frozen abc>", "<frozen abc>"),
    ],
)
def test_files_are_told_by_app_and_package(file, shown):
    assert portable(file, "/home/me/apps/flask_app") == shown


def test_cprofile_is_refused_where_it_cannot_tell_threads_apart(tmp_path):
    threaded = replace(contender("flask"), threads=16, python="3.13")
    with pytest.raises(
        CannotMeasure, match=r"flask has 16 threads, and cProfile follows one since Python 3\.12"
    ):
        CProfile(tmp_path).dressed(threaded)
    assert CProfile(tmp_path).dressed(replace(threaded, threads=1)).name == "flask~cprofile"
    assert CProfile(tmp_path).dressed(replace(threaded, python="3.11")).env["PYTHONPATH"]
