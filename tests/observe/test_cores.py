import os
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from bench.observe.cores import cores, run_delay_s, spent

STAT = """cpu  100 0 0 0 0 0 0 0 0 0
cpu0 10 20 30 400 50 6 7 8 0 0
cpu12 1 1 1 1 1 1 1 1 0 0
intr 5
"""


def test_a_cores_times_are_told_apart(tmp_path):
    (tmp_path / "stat").write_text(STAT)
    read = cores(tmp_path / "stat")
    second = os.sysconf("SC_CLK_TCK")
    assert list(read) == ["0", "12"]
    assert read["0"].busy_s == pytest.approx((10 + 20 + 30 + 6 + 7) / second)
    assert read["0"].softirq_s == pytest.approx(7 / second)
    assert read["0"].steal_s == pytest.approx(8 / second)


def test_where_the_system_does_not_tell_there_is_nothing(tmp_path):
    assert cores(tmp_path / "absent") == {}
    assert run_delay_s([]) is None


def test_a_core_that_was_switched_off_is_left_out(tmp_path):
    (tmp_path / "stat").write_text(STAT)
    before = cores(tmp_path / "stat")
    after = {"0": before["0"]}
    assert list(spent(before, after)) == ["0"]
    assert spent(before, after)["0"].busy_s == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_keeps_a_core_busy_shows():
    before, began = cores(), time.perf_counter()
    while time.perf_counter() - began < 0.3:
        pass
    by_core = spent(before, cores())
    assert sum(core.busy_s for core in by_core.values()) >= 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_shares_its_core_with_another_waits_for_it():
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, {{{core}}}); print(flush=True)\nwhile True: pass"
    with ExitStack() as stack:
        spinners = [
            stack.enter_context(subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE))
            for _ in range(2)
        ]
        for spinner in spinners:
            stack.callback(spinner.kill)
        for spinner in spinners:
            spinner.stdout.readline()
        before = run_delay_s([spinner.pid for spinner in spinners])
        time.sleep(0.5)
        after = run_delay_s([spinner.pid for spinner in spinners])
    assert after > before
