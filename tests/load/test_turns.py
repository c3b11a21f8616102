import os
import platform
import threading

import pytest

from bench.load.turns import SHORT_NS, ahead_of_others, may_go_first, turn_ns

RELEASE = tuple(map(int, platform.release().split("-")[0].split(".")[:2])) if os.name == "posix" else ()
GRANTED = pytest.mark.skipif(
    platform.system() != "Linux" or RELEASE < (6, 12), reason="only Linux since 6.12 grants short turns"
)


@pytest.fixture
def in_a_thread():
    """Return what runs a function in a thread of its own, on all cores or on one, and returns its result."""

    def run(what, *, on_one_core):
        found = []

        def own():
            if on_one_core:
                os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
            found.append(what())

        thread = threading.Thread(target=own)
        thread.start()
        thread.join()
        return found[0]

    return run


def policies():
    with ahead_of_others():
        meanwhile = os.sched_getscheduler(0)
    return meanwhile, os.sched_getscheduler(0)


@pytest.mark.skipif(not may_go_first() or os.cpu_count() < 2, reason="real time is not allowed here")
def test_on_cores_of_its_own_a_thread_runs_in_real_time_meanwhile(in_a_thread):
    assert in_a_thread(policies, on_one_core=True) == (os.SCHED_FIFO, os.SCHED_OTHER)
    assert in_a_thread(policies, on_one_core=False) == (os.SCHED_OTHER, os.SCHED_OTHER)


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="this system has no such policies")
def test_a_policy_that_a_user_chose_stays():
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        assert policies() == (os.SCHED_BATCH, os.SCHED_BATCH)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@GRANTED
def test_turns_are_short_meanwhile_and_as_before_afterwards():
    before = turn_ns()
    with ahead_of_others():
        assert turn_ns() == SHORT_NS
    assert turn_ns() == before != SHORT_NS


@GRANTED
def test_a_niceness_is_kept_and_other_threads_keep_their_turns():
    found = {}

    def run():
        me = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, me, 7)
        with ahead_of_others():
            found["own"] = turn_ns(), os.getpriority(os.PRIO_PROCESS, me)

    usual = turn_ns()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found["own"] == (SHORT_NS, 7)
    assert turn_ns() == usual != SHORT_NS
