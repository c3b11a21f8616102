import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.observe.usage import cpu_by_process, cpu_readings, cpu_seconds, memory_bytes, tree_seconds

NOBODY = 2**22 + 1  # beyond the largest process id


def test_a_process_that_computes_uses_cpu_and_its_readings_are_finer_than_ticks():
    before = cpu_readings([os.getpid()])
    sum(range(100_000))
    used = cpu_seconds(before, cpu_readings([os.getpid()]))

    assert 0 < used < 1


def test_another_process_can_be_read():
    command = [sys.executable, "-c", "print('up', flush=True); input()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        child.stdout.readline()
        assert list(cpu_readings([child.pid, NOBODY])) == [child.pid]
        assert memory_bytes([child.pid, NOBODY]) > 1_000_000


def test_a_worker_that_ended_does_not_make_the_sum_go_down():
    assert cpu_seconds({1: 5.0, 2: 7.0}, {1: 5.5}) == 0.5


def test_a_worker_that_began_counts_from_zero():
    assert cpu_seconds({1: 5.0}, {1: 5.5, 2: 0.25}) == 0.75


def test_a_process_id_that_came_back_counts_from_zero():
    assert cpu_seconds({1: 5.0}, {1: 0.25}) == 0.25


def test_each_process_has_its_own_share():
    assert cpu_by_process({1: 5.0, 2: 7.0, 3: 1.0}, {1: 5.5, 2: 7.0, 4: 0.25}) == {1: 0.5, 2: 0.0, 4: 0.25}


def test_nothing_readable_is_not_zero():
    assert cpu_seconds({1: 5.0}, {}) is None
    assert memory_bytes([NOBODY]) is None
    assert memory_bytes([]) is None


FORKING = """
import os, time
while True:
    if not (child := os.fork()):
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of children that have ended")
def test_children_that_have_ended_count():
    with subprocess.Popen([sys.executable, "-c", FORKING]) as parent:
        try:
            deadline = time.monotonic() + 30
            while tree_seconds([parent.pid]) < 0.5 and time.monotonic() < deadline:
                time.sleep(0.05)
            own_s = sum(cpu_readings([parent.pid]).values())
            assert tree_seconds([parent.pid]) > 2 * own_s
        finally:
            parent.kill()
    assert tree_seconds([parent.pid]) is None


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are listed by Linux alone")
def test_a_child_that_came_after_the_listing_is_in_the_sum_while_it_lives():
    computes = "import os\nif os.fork():\n    os.wait()\nwhile True:\n    pass"
    with subprocess.Popen([sys.executable, "-c", computes], start_new_session=True) as parent:
        try:
            deadline = time.monotonic() + 30
            while tree_seconds([parent.pid]) < 0.5 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert sum(cpu_readings([parent.pid]).values()) < 0.25 < 0.5 <= tree_seconds([parent.pid])
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
