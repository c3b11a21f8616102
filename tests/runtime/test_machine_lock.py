import re
import subprocess
import sys
import threading

import pytest

from bench.errors import CannotMeasure
from bench.runtime.machine_lock import turn


def test_only_one_measures_at_a_time_and_the_next_may_when_it_has_ended(tmp_path):
    with turn(tmp_path), pytest.raises(CannotMeasure, match=r"process \d+ is measuring on this machine"):
        turn(tmp_path).__enter__()
    with turn(tmp_path):
        pass


def test_a_killed_process_lets_its_turn_go(tmp_path):
    program = (
        "import sys, pathlib; from bench.runtime.machine_lock import turn\n"
        "with turn(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CannotMeasure, match=f"process {holder.pid} is measuring"):
            turn(tmp_path).__enter__()
        holder.kill()
        holder.wait()
        with turn(tmp_path):
            pass


def test_who_waits_gets_the_turn_when_it_is_let_go_and_reads_once_who_has_it(tmp_path):
    said = []
    first = turn(tmp_path)
    first.__enter__()
    release = threading.Timer(1.2, first.__exit__, (None, None, None))
    release.start()
    with turn(tmp_path, wait_s=60, say=said.append):
        pass
    release.join()
    assert len(said) == 1
    assert re.fullmatch(r"process \d+ is measuring on this machine: waiting until it has ended .*", said[0])


def test_who_has_waited_in_vain_reads_for_how_long(tmp_path):
    with (
        turn(tmp_path),
        pytest.raises(CannotMeasure, match=r"is measuring still, after 1 s: .*--wait"),
        turn(tmp_path, wait_s=1),
    ):
        pytest.fail("two at once")
