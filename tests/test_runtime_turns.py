import subprocess
import sys

import pytest

from bench.errors import CannotMeasure
from bench.runtime.turns import turn


def test_only_one_measures_at_a_time_and_the_next_may_when_it_has_ended(tmp_path):
    with turn(tmp_path), pytest.raises(CannotMeasure, match=r"process \d+ is measuring on this machine"):
        turn(tmp_path).__enter__()
    with turn(tmp_path):
        pass


def test_a_killed_process_lets_its_turn_go(tmp_path):
    program = (
        "import sys, pathlib; from bench.runtime.turns import turn\n"
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
