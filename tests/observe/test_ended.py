"""CPU of processes that ended: servers that fork for each request, or recycle their workers."""

import os
import signal
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from itertools import pairwise

import pytest

from bench.observe.observer import ProcessObserver
from bench.observe.usage import STEPS_S, Clocks, ignores_children, used_between
from bench.records import ENDED

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of children that have ended"),
]

# Each writes a line per request, or per worker: when, and the CPU that it and all its children used so far.
BOOKS = """
import os, resource, signal, sys, time

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def note():
    mine, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    used = mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime
    print(time.perf_counter_ns(), used, flush=True)
"""
FORKING = (
    BOOKS
    + """
while True:
    if not (child := os.fork()):
        burn(0.002)
        os._exit(0)
    os.waitpid(child, 0)
    note()
"""
)
# A worker lives for some 60 ms of CPU, and starts a program of its own for every tenth of its requests.
RECYCLING = (
    BOOKS
    + """
while True:
    if not (worker := os.fork()):
        for request in range(20):
            burn(0.002)
            if request % 10 == 0 and not (program := os.fork()):
                burn(0.01)
                os._exit(0)
            elif request % 10 == 0:
                os.waitpid(program, 0)
        os._exit(0)
    os.waitpid(worker, 0)
    note()
"""
)
STEADY = BOOKS + "os.fork()\nwhile True:\n    burn(0.01)\n    time.sleep(0.001)"
IGNORING = (
    BOOKS
    + """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if not os.fork():
        burn(0.02)
        os._exit(0)
    time.sleep(0.03)
"""
)


@pytest.fixture
def served(tmp_path):
    """Return a function that starts a script, and returns its process id and its books, read anew."""
    running = []

    def start(script):
        file = tmp_path / "books"
        with file.open("wb") as books:
            server = subprocess.Popen(
                [sys.executable, "-c", script],
                stdout=books,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        running.append(server)
        time.sleep(0.3)

        def books():
            lines = [
                line.split() for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")
            ]
            return [int(when) for when, _ in lines], [float(used) for _, used in lines]

        return server.pid, books

    yield start
    for server in running:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def watched(pid, length_s, observer=None):
    opens_ns = time.perf_counter_ns() + 100_000_000
    closes_ns = opens_ns + round(length_s * 1e9)
    usage = (observer or ProcessObserver()).watch((pid,), (), (), opens_ns, closes_ns)
    return usage, opens_ns, closes_ns


@pytest.mark.parametrize("script", [FORKING, RECYCLING])
def test_cpu_per_request_of_processes_that_ended_is_within_a_tenth_of_the_truth(served, script):
    pid, books = served(script)
    usage, opens_ns, closes_ns = watched(pid, 1.5)
    time.sleep(0.3)
    moments, used = books()
    first, last = bisect_left(moments, opens_ns), bisect_right(moments, closes_ns) - 1
    true_rate = (used[last] - used[first]) / (moments[last] - moments[first]) * 1e9
    assert usage.server_cpu_s / usage.elapsed_s == pytest.approx(true_rate, rel=0.1, abs=STEPS_S / 1.5)
    assert usage.by_process_s[ENDED] > 0.5 * usage.server_cpu_s
    assert sum(usage.by_process_s.values()) == pytest.approx(usage.server_cpu_s)


def test_the_coarse_clock_errs_to_both_sides_alike(served):
    pid, books = served(FORKING)
    observer, measured_s, edges = ProcessObserver(), 0.0, []
    for _ in range(12):
        usage, opens_ns, closes_ns = watched(pid, 0.125, observer)
        measured_s += usage.server_cpu_s / usage.elapsed_s * (closes_ns - opens_ns) / 1e9
        edges += [opens_ns, closes_ns]
    time.sleep(0.3)
    moments, used = books()
    at = [used[bisect_left(moments, edge)] for edge in edges]
    true_s = sum(closed - opened for opened, closed in list(pairwise(at))[::2])
    assert measured_s == pytest.approx(true_s, rel=0.1, abs=STEPS_S * 12**0.5)  # where others take the core


def test_without_processes_that_end_nothing_comes_from_the_coarse_clock(served):
    pid, _ = served(STEADY)
    usage, *_ = watched(pid, 0.2)
    assert ENDED not in usage.by_process_s
    assert len(usage.by_process_s) == 2
    assert usage.server_cpu_s == sum(usage.by_process_s.values())


def test_memory_is_of_the_processes_that_are_there(served):
    pid, _ = served(RECYCLING)
    alone, *_ = watched(pid, 0.1)
    assert alone.memory_bytes > 1_000_000


def test_what_processes_took_along_is_not_taken_for_nothing(served):
    """Where a parent ignores SIGCHLD, what its children used is in no clock: then nothing is known."""
    pid, _ = served(IGNORING)
    assert ignores_children(pid)
    observer = ProcessObserver()
    usages = [watched(pid, 0.1, observer)[0] for _ in range(4)]
    assert usages[-1].server_cpu_s is None
    assert usages[-1].by_process_s


def test_what_ended_is_the_rise_of_its_parents_clock_less_what_was_known_of_it():
    before = Clocks(live={1: 5.0, 2: 7.0}, ended={1: 1.0})
    after = Clocks(live={1: 5.5, 3: 0.25}, ended={1: 8.4})
    assert used_between(before, after) == pytest.approx({"1": 0.5, "3": 0.25, ENDED: 0.4})


def test_a_child_whose_own_children_had_ended_hands_them_on():
    before = Clocks(live={1: 5.0, 2: 7.0}, ended={2: 2.0})
    after = Clocks(live={1: 5.0}, ended={1: 9.5})
    assert used_between(before, after) == pytest.approx({"1": 0.0, ENDED: 0.5})


def test_steps_of_the_coarse_clock_are_no_debt():
    before = Clocks(live={1: 5.0, 2: 7.0}, ended={})
    assert used_between(before, Clocks(live={1: 5.0}, ended={}))[ENDED] == -0.02
