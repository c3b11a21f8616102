"""What callgrind's files say, and true counts of a small server."""

import os
import subprocess
import sys

import pytest

from bench.runtime import callgrind
from bench.runtime.callgrind import PATIENTLY, Callgrind, Executed, executed, together, unknown_instruction

PROFILE = """\
# callgrind format
version: 1
positions: line
events: Ir
summary: 1000

ob=(1) /usr/lib/libpython3.11.so.1.0
fl=(1) gcmodule.c
fn=(10) gc_collect_main
10 300
cfn=(11) visit_decref
calls=7 20
+1 50

fn=(12) _PyObject_GC_Link
5 100
cfn=(10)
calls=1 10
* 350

fn=(13) gc_collect_generations
7 20
cfn=(10)
calls=1 10
* 0

fn=(11)
20 50

fn=(14) main
1 530

totals: 1000
"""
DIED = """\
[INFO] Booting worker with pid: 12
vex amd64->IR: unhandled instruction bytes: 0x66 0xF 0x3A 0x61 0xC0 0x4
==12==
==12== Process terminating with default action of signal 4 (SIGILL): dumping core
==12==  Illegal opcode at address 0x6A1F4B0
==12==    at 0x6A1F4B0: phr_parse_request (in /srv/.venvs/app/lib/site-packages/gunicorn_h1c/_h1c.so)
==12==    by 0x49D2F3A: PyObject_Vectorcall (in /usr/lib/libpython3.13.so.1.0)
"""
SERVER = """
import sys
for line in sys.stdin:
    sum(range(int(line)))
    print("done", flush=True)
"""


def test_collections_are_told_apart_and_counted_once():
    assert executed(PROFILE) == Executed(everything=1000, collections=350)


def test_an_interpreter_without_symbols_does_not_tell_collections_apart():
    of_python = PROFILE.replace("(14) main", "(14) _PyEval_EvalFrameDefault")
    assert executed(of_python) == executed(PROFILE)
    stripped = of_python.replace("gc_collect_main", "0x00000000001a2b30")
    stripped = stripped.replace("gc_collect_generations", "0x0000000000cafe00")
    assert executed(stripped) == Executed(everything=1000, collections=None)


def test_of_several_processes_one_without_symbols_hides_the_collections_of_all():
    assert together([Executed(10, 1), Executed(5, 0)]) == Executed(15, 1)
    assert together([Executed(10, 1), Executed(5, None)]) == Executed(15, None)


def test_parts_of_a_file_are_added_up():
    assert executed(PROFILE + PROFILE) == Executed(everything=2000, collections=700)


def test_a_file_that_was_cut_short_is_no_count():
    with pytest.raises(callgrind.CannotMeasure, match="does not add up: 470 of 1,000 instructions"):
        executed(PROFILE.replace("1 530\n", ""))


def test_an_instruction_that_valgrind_does_not_know_is_named_by_its_module():
    assert unknown_instruction(DIED) == "_h1c.so"
    assert unknown_instruction(DIED.replace("SIGILL", "SIGSEGV")) is None


@pytest.mark.parametrize(
    ("command", "raised"),
    [
        ("gunicorn app:app --timeout 30", "by an option"),
        ("/srv/venv/bin/gunicorn app:app", "by an option"),
        ("python -m gunicorn app:app", "by its environment"),
        ("uv run gunicorn app:app", "by its environment"),
        ("sh start.sh", "by its environment"),
        ("uvicorn app:app", ""),
    ],
)
def test_a_gunicorn_that_is_slow_is_not_killed_by_itself(tmp_path, command, raised):
    counted = Callgrind(tmp_path).command(command.split())
    assert (counted[-2:] == ["--timeout", "600"]) == (raised == "by an option")
    assert (counted[:3] == ["sh", "-c", PATIENTLY]) == (raised == "by its environment")
    assert "valgrind" in counted[:5]
    begins = len(counted) - len(command.split()) - 2 * (raised == "by an option")
    assert counted[begins:][: len(command.split())] == command.split()


def test_what_a_service_itself_tells_gunicorn_stays():
    command = ["sh", "-c", PATIENTLY, "sh", "printenv", "GUNICORN_CMD_ARGS"]
    env = {**os.environ, "GUNICORN_CMD_ARGS": "--workers 2"}
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["--workers", "2", "--timeout", "600"]


@pytest.fixture
def counted(tmp_path):
    """A program under callgrind that adds numbers when it is told to, and its counter."""
    if not callgrind.version():
        pytest.skip(f"valgrind is not installed: {callgrind.REMEDY}")
    counter = Callgrind(tmp_path)
    command = counter.command([sys.executable, "-c", SERVER])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process, counter
        process.kill()


def add(process, numbers):
    process.stdin.write(f"{numbers}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_a_process_is_read_by_what_runs_beside_it(tmp_path, counted, monkeypatch):
    process, counter = counted
    for name in ("LOGNAME", "USER", "HOST", "HOSTNAME"):
        monkeypatch.setenv(name, "another")  # by which vgdb would look for other pipes
    log = tmp_path / "beside"
    script = tmp_path / "beside.sh"
    script.write_text(f'echo "$@" >> {log}; exec "$@"\n')
    beside = Callgrind(counter.folder, beside=("sh", str(script)), release="3.19.0")
    add(process, 10)
    beside.begin([process.pid])
    add(process, 1_000)
    assert beside.read([process.pid])[process.pid].everything > 0
    told = log.read_text().splitlines()
    assert [line.split()[-1] for line in told] == ["on", "dump"]
    assert all(f"vgdb --vgdb-prefix={counter.folder}/" in line for line in told)
    assert beside.name == "callgrind 3.19.0"


def test_what_a_process_executes_is_counted_from_one_reading_to_the_next(counted):
    process, counter = counted
    add(process, 10)
    counter.begin([process.pid])
    readings = []
    for numbers in (1_000, 1_000, 11_000, 1_000):
        add(process, numbers)
        readings.append(counter.read([process.pid])[process.pid].everything)
    _, again, more, last = readings
    assert last == pytest.approx(again, rel=0.01)
    each = (more - again) / 10_000
    assert 10 < each < 400  # instructions of one number
    assert not counter.ended()


def test_a_process_that_is_not_under_it_is_refused(counted, tmp_path):
    _, counter = counted
    with pytest.raises(callgrind.CannotMeasure, match="process 1 does not run under valgrind"):
        counter.begin([1])
