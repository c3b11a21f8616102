"""Other load generators with the same pinning and requests as ours: Locust's own clients, and wrk."""

import json
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

from bench.errors import CannotMeasure
from bench.files import to_json
from bench.model.scenario import Scenario

CONNECTIONS = 32
_WRK_COUNTED = re.compile(r"(\d+) requests in ")
_WRK_RATE = re.compile(r"Requests/sec: +([\d.]+)")
_WRK_FAILED = re.compile(r"(?:responses:|connect|read|write|timeout) (\d+)")
# Sets the cores, then becomes the command. preexec_fn would run after a fork of a process with threads.
_PINNED = """
import os, sys
os.sched_setaffinity(0, map(int, sys.argv[1].split(",")))
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a load generator did in about a second."""

    requests: int
    failures: int
    elapsed_s: float
    cpu_s: float  # of the load generator


Ask = Callable[[float], Turn]  # for so many seconds


@contextmanager
def stock_users(
    kind: str, address: tuple[str, int], scenario: Scenario, *, cores: Sequence[int] = ()
) -> Iterator[Ask]:
    """Start 32 of Locust's own users, `fast` (FastHttpUser) or `http` (HttpUser). Raises CannotMeasure."""
    host, port = address
    command = [sys.executable, "-P", "-m", "bench.load.child.stock_users", kind, host, str(port)]
    command += [to_json(scenario).decode(), "--users", str(CONNECTIONS)]
    command += ["--cores", ",".join(map(str, cores))] if cores else []
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:

        def next_line() -> str:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise CannotMeasure(
                    f"Locust's {kind} users ended: `python -m bench.load.child.stock_users` shows why"
                )
            return line

        def ask(seconds: float) -> Turn:
            if process.stdin:
                process.stdin.write(f"{seconds}\n")
                process.stdin.flush()
            return Turn(**json.loads(next_line()))

        try:
            next_line()
            yield ask
        finally:
            process.kill()


@contextmanager
def wrk(address: tuple[str, int], scenario: Scenario, *, cores: Sequence[int] = ()) -> Iterator[Ask]:
    """Run wrk with one thread and 32 connections, for whole seconds. It supports only one fixed GET.

    Raises CannotMeasure if it is not installed or ends with an error.
    """
    host, port = address
    (exchange,) = scenario.exchanges
    pinned = [sys.executable, "-I", "-S", "-c", _PINNED, ",".join(map(str, cores))] if cores else []

    def ask(seconds: float) -> Turn:
        command = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{ceil(seconds)}s",
            f"http://{host}:{port}{exchange.path}",
        ]
        before = _children_cpu_s()
        done = subprocess.run([*pinned, *command], capture_output=True, text=True, check=False)
        counted, rate = _WRK_COUNTED.search(done.stdout), _WRK_RATE.search(done.stdout)
        if not (counted and rate):
            raise CannotMeasure(f"wrk ended with an error: {done.stderr.strip() or 'it printed nothing'}")
        return Turn(
            requests=int(counted[1]),
            failures=sum(map(int, _WRK_FAILED.findall(done.stdout))),
            elapsed_s=int(counted[1]) / (float(rate[1]) or 1.0),
            cpu_s=_children_cpu_s() - before,
        )

    yield ask


def wrk_is_installed() -> bool:
    return shutil.which("wrk") is not None


def _children_cpu_s() -> float:
    """Return the CPU seconds of all children that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
