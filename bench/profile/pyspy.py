"""Samples the stacks of a server from outside, with py-spy, which changes nothing in the app.

A sample is the stack of the thread that holds the interpreter's lock. In a server with many threads on a busy
core, several are *runnable* at any moment and wait for the core or the lock. py-spy would count five to ten
of them where one has the CPU (gunicorn gthread). Why it runs on the server's core: docs/profiling.md.
"""

import os
import re
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.observe.usage import cpu_readings, cpu_seconds
from bench.profile import record
from bench.profile.profiler import Pids, folder_of, portable_frame
from bench.profile.record import Sampled

STOP_S = 20.0
FOLLOWS = "CPython 3.3 to 3.15"  # py-spy 0.4.3
LEVEL = 1  # of real-time priority: the lowest is above everything that has none


class PySpy:
    """A Profiler from outside: the contender is served unchanged."""

    name: record.Profiler = "py-spy"
    version = version("py-spy")

    def __init__(self, *, rate_hz: int = 100, program: Path | None = None) -> None:
        self._rate_hz = rate_hz
        self._program = program or Path(sysconfig.get_path("scripts")) / "py-spy"

    def dressed(self, contender: Contender) -> Contender:
        return contender

    @contextmanager
    def attached(self, pids: Pids) -> Iterator["_Sampling"]:
        """Attach to the tree of processes *pids*. On exit py-spy has ended, also after an error inside.

        Raises CannotMeasure with the remedy if py-spy fails or has no permission.
        """
        with tempfile.TemporaryDirectory(prefix="bench-profile-") as scratch:
            first = pids()[0]
            process = subprocess.Popen(
                self._command(first, Path(scratch) / "raw"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # we handle Ctrl-C
            )
            try:
                _wait_until_it_samples(process)
                _put_before(process.pid, first)
                yield _Sampling(process, Path(scratch) / "raw", pids, 1 / self._rate_hz)
            finally:
                if process.poll() is None:
                    process.kill()
                process.communicate()

    def _command(self, pid: int, output: Path) -> list[str]:
        command = [str(self._program), "record", "--pid", str(pid), "--subprocesses", "--gil", "--nolineno"]
        command += ["--format", "raw", "--full-filenames", "--output", str(output)]
        command += ["--rate", str(self._rate_hz), "--duration", "unlimited"]
        # Stopping many threads by ptrace takes milliseconds, one after the other. The samples would show
        # that.
        return [*command, "--nonblocking"] if _cores(pid) else command


class _Sampling:
    """py-spy at work, and the clocks of the server since it began."""

    def __init__(self, process: "subprocess.Popen[str]", output: Path, pids: Pids, period_s: float) -> None:
        self._process = process
        self._output = output
        self._pids = pids
        self._period_s = period_s
        self._folder = folder_of(pids()[0])
        self._began_s = time.perf_counter()
        self._before = cpu_readings(pids())

    def finish(self) -> Sampled:
        """Stop py-spy, and return its samples. Raises CannotMeasure."""
        after = cpu_readings(self._pids())
        watched_s = time.perf_counter() - self._began_s
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        try:
            output, _ = self._process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired as error:
            raise CannotMeasure(f"py-spy did not stop within {STOP_S:.0f} s: try again") from error
        if not after:
            raise CannotMeasure("the server ended while it was profiled: see its log")
        if not self._output.is_file():
            raise CannotMeasure(_complaint(output))
        stacks = _stacks(self._output.read_text(errors="replace").splitlines(), self._folder)
        if not stacks:
            raise CannotMeasure(
                "py-spy found no thread that holds the interpreter's lock: serve it with a Python that has "
                "one (a free-threaded build has none)"
            )
        return Sampled(
            stacks=stacks,
            period_s=self._period_s,
            watched_s=watched_s,
            cpu_s=cpu_seconds(self._before, after),
            errors=sum(map(int, re.findall(r"Errors: (\d+)", output))),
        )


def _stacks(lines: Iterable[str], folder: str) -> Mapping[str, int]:
    counts = Counter[str]()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = [frame for frame in stack.split(";") if not frame.startswith("process ")]
        if frames:
            counts[";".join(portable_frame(frame, folder) for frame in frames)] += int(count)
    return dict(counts.most_common())


def _put_before(profiler: int, server: int) -> None:
    """Put py-spy on the server's core, with a higher priority there, as far as permitted.

    While py-spy reads, nothing of the server runs. So frames do not change during the read, and no thread has
    to be stopped. Without the priority the scheduler usually still runs a thread that has slept.
    """
    cores = _cores(server)
    for thread in map(int, os.listdir(f"/proc/{profiler}/task")) if cores else ():
        with suppress(OSError):
            os.sched_setaffinity(thread, cores)
        with suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(LEVEL))


def _cores(pid: int) -> set[int]:
    try:
        return os.sched_getaffinity(pid)
    except (AttributeError, OSError):  # not Linux; or it has ended, and py-spy reports that
        return set()


def _wait_until_it_samples(process: "subprocess.Popen[str]") -> None:
    """Wait for py-spy's line that it has attached. Raises CannotMeasure if it ends instead."""
    output: IO[str] = process.stdout  # type: ignore[assignment]  # it is a pipe
    lines = []
    for line in output:
        if "Sampling process" in line:
            return
        lines.append(line)
    raise CannotMeasure(_complaint("".join(lines)))


def _complaint(output: str) -> str:
    if re.search(r"permission denied|operation not permitted", output, re.IGNORECASE):
        return (
            "py-spy may not look into another process: run as root, or let processes of one user do so "
            "(sysctl kernel.yama.ptrace_scope=0), or give py-spy the capability "
            "(setcap cap_sys_ptrace=ep $(readlink -f .venv/bin/py-spy)); containers: --runtime process"
        )
    first = next((line.strip() for line in output.splitlines() if line.strip()), "it printed nothing")
    if re.search(r"version|find python|interpreter", output, re.IGNORECASE):
        return (
            f"py-spy {PySpy.version} cannot follow this Python ({first}): it follows {FOLLOWS}; "
            "name one, as in flask:python=3.13"
        )
    return f"py-spy ended: {first}"
