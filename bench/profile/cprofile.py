"""cProfile in a server, as in the article, without a change to the app: a sitecustomize on PYTHONPATH."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.profile import record
from bench.profile.profiler import Pids, folder_of, portable_frame
from bench.profile.record import Sampled

INSERTED = Path(__file__).with_name("cprofiled")
ONE_THREAD = (3, 12)  # from this Python on, a process has one profiler
WAIT_S, LOOK_S = 10.0, 0.02
MICROSECOND = 1e-6


class CProfile:
    """A Profiler from inside: the contender is served a second time, with cProfile in it."""

    name: record.Profiler = "cprofile"
    version = ".".join(map(str, sys.version_info[:3]))  # it is a part of Python

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def dressed(self, contender: Contender) -> Contender:
        """Return *contender* with cProfile in its environment.

        Raises CannotMeasure if cProfile cannot separate its threads.
        """
        python = _version(contender)
        if python >= ONE_THREAD and contender.threads > 1:
            raise CannotMeasure(
                f"{contender.name} has {contender.threads} threads, and cProfile follows one since Python "
                f"3.12: leave out --with cprofile, or profile {contender.base}:python=3.11"
            )
        env = {**contender.env, "PYTHONPATH": str(INSERTED), "BENCH_CPROFILE": str(self._folder)}
        return replace(contender, name=f"{contender.name}~cprofile", env=env)

    @contextmanager
    def attached(self, pids: Pids) -> Iterator["_Counting"]:
        """Read what the processes *pids* have used so far. Raises CannotMeasure if none answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.iterdir():
            old.unlink()
        try:
            yield _Counting(self._folder, pids)
        finally:
            for left in self._folder.iterdir():
                left.unlink()


class _Counting:
    """What threads have used since this object was made."""

    def __init__(self, folder: Path, pids: Pids) -> None:
        self._mailbox = folder
        self._pids = pids
        self._app = folder_of(pids()[0])
        self._before = self._request_times("begin")
        self._began_s = time.perf_counter()

    def finish(self) -> Sampled:
        """Return what was used since then, by pairs of caller and function. Raises CannotMeasure."""
        watched_s = time.perf_counter() - self._began_s
        after = self._request_times("end")
        counts = Counter[str]()
        for pid, spent in after.items():
            for stack, seconds in _apart(spent, self._before.get(pid, {})).items():
                portable = ";".join(portable_frame(frame, self._app) for frame in stack.split(";"))
                counts[portable] += round(seconds / MICROSECOND)
        return Sampled(
            stacks={stack: count for stack, count in counts.most_common() if count > 0},
            period_s=MICROSECOND,
            watched_s=watched_s,
            cpu_s=None,  # of the server, it includes what cProfile itself takes
        )

    def _request_times(self, what: str) -> Mapping[str, Mapping[str, float]]:
        """Request and return the times of each process, by its id. Raises CannotMeasure if none answers."""
        (self._mailbox / f"ask-{what}").touch()
        deadline = time.monotonic() + WAIT_S
        while True:
            files = {pid: self._mailbox / f"reply-ask-{what}-{pid}.json" for pid in self._pids()}
            times = {str(pid): json.loads(file.read_text()) for pid, file in files.items() if file.exists()}
            if files and len(times) == len(files):
                return times
            if time.monotonic() > deadline:
                if times:
                    return times  # of the others: those that run no Python
                raise CannotMeasure(
                    "no process of the server runs cProfile: its command does not start Python with the "
                    "environment that it is given, or it has ended; see its log"
                )
            time.sleep(LOOK_S)


def _apart(after: Mapping[str, float], before: Mapping[str, float]) -> Mapping[str, float]:
    """Return what was used between two readings.

    A function by itself has only the time that no known caller accounts for.
    """
    since = {stack: seconds - before.get(stack, 0.0) for stack, seconds in after.items()}
    for stack, seconds in list(since.items()):
        function = stack.partition(";")[2]
        if function and function in since:
            since[function] -= seconds
    return since


def _version(contender: Contender) -> tuple[int, ...]:
    named = contender.python or f"{sys.version_info[0]}.{sys.version_info[1]}"
    parts = named.split(".")[:2]
    return tuple(int(part) for part in parts if part.isdecimal())
