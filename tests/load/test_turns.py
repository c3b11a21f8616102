import os
import platform
import threading

import pytest

from bench.load.child.turns import SHORT_NS, short_turns, turn_ns

RELEASE = tuple(map(int, platform.release().split("-")[0].split(".")[:2])) if os.name == "posix" else ()
GRANTED = pytest.mark.skipif(
    platform.system() != "Linux" or RELEASE < (6, 12), reason="only Linux since 6.12 grants short turns"
)


@GRANTED
def test_turns_are_short_meanwhile_and_as_before_afterwards():
    before = turn_ns()
    with short_turns():
        assert turn_ns() == SHORT_NS
    assert turn_ns() == before != SHORT_NS


@GRANTED
def test_a_niceness_is_kept_and_other_threads_keep_their_turns():
    found = {}

    def run():
        me = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, me, 7)
        with short_turns():
            found["own"] = turn_ns(), os.getpriority(os.PRIO_PROCESS, me)

    usual = turn_ns()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found["own"] == (SHORT_NS, 7)
    assert turn_ns() == usual != SHORT_NS
