import subprocess
import sys
import time

import pytest

from bench.observe.observer import ProcessObserver


@pytest.fixture
def busy():
    """A process that only computes."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield process.pid
    process.kill()
    process.wait()


def window(after_s, length_s):
    opens_ns = time.perf_counter_ns() + round(after_s * 1e9)
    return opens_ns, opens_ns + round(length_s * 1e9)


def test_cpu_is_what_was_used_between_the_readings_and_they_enclose_no_less_than_the_window(busy):
    opens_ns, closes_ns = window(0.05, 0.3)
    usage = ProcessObserver().watch((busy,), (), (busy,), opens_ns, closes_ns)
    assert time.perf_counter_ns() >= closes_ns
    assert usage.elapsed_s > 0.2
    assert 0 < usage.server_cpu_s <= usage.elapsed_s * 1.05
    assert usage.memory_bytes > 1_000_000
    assert usage.by_process_s == {str(busy): usage.server_cpu_s}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_the_cores_did_and_how_long_the_client_waited_for_one_is_told(busy):
    usage = ProcessObserver().watch((), (), (busy,), *window(0, 0.3))
    assert usage.client_wait_s >= 0
    assert usage.busy_s.keys() == usage.softirq_s.keys() == usage.steal_s.keys()
    assert sum(usage.busy_s.values()) > 0


def test_servers_and_database_are_told_apart(busy):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as idle:
        usage = ProcessObserver().watch((idle.pid,), (busy,), (), *window(0.1, 0.2))
        idle.kill()
    assert usage.database_cpu_s > usage.server_cpu_s


class SlowMeter:
    """Takes 5 ms to be read, and notes when that began."""

    def __init__(self):
        self.began_ns = []

    def read(self):
        self.began_ns.append(time.perf_counter_ns())
        time.sleep(0.005)


def test_a_reading_that_takes_long_begins_before_the_window_once_that_is_known(busy):
    meter = SlowMeter()
    observer = ProcessObserver(meter)
    early_ns = []
    for _ in range(6):
        opens_ns, closes_ns = window(0.05, 0.01)
        observer.watch((busy,), (), (), opens_ns, closes_ns)
        early_ns.append(opens_ns - meter.began_ns[-2])
    assert early_ns[0] <= 0
    assert max(early_ns[1:]) > 0  # in one at least: this process may wake late itself


def test_processes_that_are_gone_leave_nothing_to_tell(busy):
    usage = ProcessObserver().watch((), (busy,), (), *window(0, 0.01))
    assert (usage.server_cpu_s, usage.memory_bytes) == (None, None)
