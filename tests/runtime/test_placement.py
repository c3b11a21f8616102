import os
import subprocess
import sys
import time

import psutil
import pytest

from bench.runtime.placement import available_cores, moved, pinned, placed

# Three processes, each of which goes on starting threads until there are 128.
SPROUTING = """
import subprocess, sys, threading

def sprout(depth):
    for _ in range(2 if depth else 0):
        threading.Event().wait(0.005)
        threading.Thread(target=sprout, args=(depth - 1,), daemon=True).start()
    threading.Event().wait()

threading.Thread(target=sprout, args=(6,), daemon=True).start()
print("begun", flush=True)
threading.Event().wait(0.02)
if int(sys.argv[1]):
    subprocess.Popen([sys.executable, "-c", sys.argv[2], str(int(sys.argv[1]) - 1), sys.argv[2]])
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("cores", "server", "client", "database"),
    [
        ([5], (5,), (5,), (5,)),
        ([0, 1], (0,), (1,), (1,)),
        ([0, 1, 2], (0,), (1,), (2,)),
        ([0, 1, 2, 3], (0, 1), (2,), (3,)),
        ([9, 2, 4, 6, 8, 7], (2, 4, 6, 7), (8,), (9,)),
    ],
)
def test_servers_get_what_client_and_database_leave(cores, server, client, database):
    placement = placed(cores)

    assert (placement.server, placement.client, placement.database) == (server, client, database)


@pytest.mark.parametrize(
    ("cores", "askers", "server", "client", "database"),
    [
        ([0, 1], 4, (0,), (1,), (1,)),
        ([0, 1, 2, 3], 2, (0,), (1, 2), (3,)),
        ([0, 1, 2, 3], 9, (0,), (1, 2), (3,)),
        (range(8), 2, (0, 1, 2, 3, 4), (5, 6), (7,)),
        ([0], 0, (0,), (), (0,)),
        ([0, 1], 0, (0,), (), (1,)),
        ([0, 1, 2], 0, (0, 1), (), (2,)),
    ],
)
def test_each_process_that_asks_gets_a_core_where_there_are_enough(cores, askers, server, client, database):
    placement = placed(cores, askers=askers)

    assert (placement.server, placement.client, placement.database) == (server, client, database)


@pytest.mark.parametrize("cores", [None, [0], [0, 1]])
def test_shared_cores_are_a_caveat(cores):
    assert placed(cores).caveats


def test_three_cores_need_no_caveat():
    assert placed([0, 1, 2]).caveats == ()


def test_nothing_is_pinned_where_the_system_cannot():
    placement = placed(None)

    assert (placement.server, placement.client, placement.database) == (None, None, None)


def threads(pids):
    return [int(thread) for pid in pids for thread in os.listdir(f"/proc/{pid}/task")]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin processes")
def test_a_tree_is_pinned_with_what_it_is_just_starting_and_will_start():
    core = {min(available_cores())}
    command = [sys.executable, "-c", SPROUTING, "2", SPROUTING]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        first = psutil.Process(process.pid)

        def pids():
            return [process.pid, *(child.pid for child in first.children(recursive=True))]

        try:
            process.stdout.readline()
            assert pinned(pids, core)
            deadline = time.monotonic() + 20
            while len(grown := threads(pids())) < 3 * 128 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(grown) == 3 * 128
            assert all(os.sched_getaffinity(thread) == core for thread in grown)
        finally:
            for pid in reversed(pids()):
                psutil.Process(pid).kill()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no processes")
def test_a_process_that_is_not_ours_is_put_back_where_it_was():
    usual = os.sched_getaffinity(0)
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with moved(lambda: [process.pid], {min(usual)}) as stays:
                assert (stays, os.sched_getaffinity(process.pid)) == (True, {min(usual)})
            assert os.sched_getaffinity(process.pid) == usual
        finally:
            process.kill()
