"""Processes that outlive a call, and their logs: started and stopped together, never left behind."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psutil

from bench.files import legible
from bench.runtime.launch import launched
from bench.runtime.leftovers import Ledger

RAISED = re.compile(r"^\W*Traceback .*\n(?:[ \t].*\n|\n)*(\S.*)", re.MULTILINE)
GRAVE = re.compile(r"\b(?:FATAL|PANIC|CRITICAL|ERROR)\b.*$", re.MULTILINE)
WRITTEN = re.compile(r"^.*\S.*$", re.MULTILINE)


def log_name(name: str, number: int) -> str:
    return f"{legible(name)}-{number}.log"


def tail_of(log: Path, lines: int) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def telling_line(text: str) -> str:
    """Return the line of a log that shows most about a failure: an exception before the lines after it."""
    lines: list[str] = RAISED.findall(text) or GRAVE.findall(text) or WRITTEN.findall(text)
    return lines[-1].strip() if lines else "its log is empty"


MARKS = frozenset({"HOST", "PORT", "HOME"})  # variables that have these values in one server only
GRACE_S = 3.0  # gunicorn's gthread lingers for 2 s while keep-alive connections are open


class Running(Protocol):
    """A tree of started processes, and the log that they share."""

    @property
    def log(self) -> Path:
        """The path of the log. The file is complete when everything has ended."""

    @property
    def started(self) -> float:
        """Its start, by perf_counter."""

    def pids(self) -> tuple[int, ...]:
        """Return the whole tree at this moment; empty once it has ended."""

    def ended(self) -> str | None: ...

    def left(self) -> tuple[int, ...]:
        """Return the processes that go on after its first process has ended, as a daemon does."""

    def log_tail(self, lines: int = 20) -> str: ...

    def telling_line(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process with its descendants; implements `Running`."""

    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals
    started: float  # perf_counter
    marks: Mapping[str, str]  # of its environment: only it and its descendants have them

    def pids(self) -> tuple[int, ...]:
        if self.process.poll() is not None:
            return ()
        return (self.process.pid, *descendants(self.process.pid))

    def ended(self) -> str | None:
        status = self.process.poll()
        if status is None:
            return None
        return f"killed by signal {-status}" if status < 0 else f"ended with exit status {status}"

    def left(self) -> tuple[int, ...]:
        """Return the processes that go on after the first has ended, as a daemon does.

        Their marks show them.
        """
        if self.process.poll() is None or not self.marks:
            return ()
        return tuple(process.pid for process in psutil.process_iter() if _has(process, self.marks))

    def log_tail(self, lines: int = 20) -> str:
        return tail_of(self.log, lines)

    def telling_line(self) -> str:
        return telling_line(self.log_tail(200))


class Children:
    """A group of children. Leaving its context stops them all, also after an error inside."""

    def __init__(self, ledger: Ledger, *, grace_s: float = GRACE_S) -> None:
        self._ledger = ledger
        self._grace_s = grace_s
        self._started: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with interrupts_held():
            _stop(self._started, self._grace_s)
            self._ledger.forget_processes(child.process.pid for child in self._started)
            self._started.clear()

    def start(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        log: Path,
        env: Mapping[str, str],
        cores: Iterable[int] | None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Child:
        """Start `argv` in `folder`. A missing command shows in the log and the exit status."""
        command = launched(argv, cores=cores, user=user, death_signal=stop_signal)
        with log.open("wb") as output, interrupts_held():
            started = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            marks = {name: env[name] for name in MARKS} if env.keys() >= MARKS else {}
            child = Child(process=process, log=log, stop_signal=stop_signal, started=started, marks=marks)
            self._started.append(child)
            self._ledger.note_process(process.pid, folder)
        return child


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Delay Ctrl-C until the block is done."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if held:
            signal.raise_signal(signal.SIGINT)


def _stop(children: Sequence[Child], grace_s: float) -> None:
    """Send the stop signal to all at once, wait for the slowest, then kill what any of them left."""
    family = [process for child in children for process in _family((*child.pids(), *child.left()))]
    for child in children:
        _signal_group(child, child.stop_signal)
    _wait_while(lambda: any(child.process.poll() is None for child in children), grace_s)
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    for child in children:
        _signal_group(child, signal.SIGKILL)
        child.process.wait()
    _wait_while(lambda: any(map(runs, family)), grace_s)


def _signal_group(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses if only zombies are left
        os.killpg(child.process.pid, number)


def _wait_while(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def runs(process: psutil.Process) -> bool:
    """Return whether it is running. A zombie (its exit status is unread) is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _has(process: psutil.Process, marks: Mapping[str, str]) -> bool:
    try:
        return marks.items() <= process.environ().items() and runs(process)
    except (psutil.Error, OSError):
        return False


def _family(pids: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            yield psutil.Process(pid)


def descendants(pid: int) -> Iterator[int]:
    try:
        # Linux lists children directly; psutil would read the whole process table.
        listed = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        listed = []
    if listed:
        for child in map(int, " ".join(listed).split()):
            yield child
            yield from descendants(child)
        return
    with suppress(psutil.Error):
        yield from (process.pid for process in psutil.Process(pid).children(recursive=True))
