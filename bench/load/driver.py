"""The load generator for the experiment: a child process behind a socket pair. Imports no Locust."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import IO, Any, NoReturn, Self

from pydantic import TypeAdapter

from bench.errors import CannotMeasure
from bench.load.sums import imbalance
from bench.model.cell import Slice
from bench.model.scenario import Scenario
from bench.project.addresses import format_address
from bench.records import Sample

_START_S = 30.0  # importing Locust takes a second, and several on a busy machine
_SETUP_S = 40.0  # for set-up requests of all connections, and the messages of a fleet
_GRACE_S = 10.0  # for starting users and computing the sample, beyond the slice itself
_TAIL_BYTES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """What sends requests: one process, several on this machine, or several that are started elsewhere."""

    count: int = 1
    bind: tuple[str, int] | None = None  # the address for `bench load-worker`; None: workers are started here
    within_s: float = 300.0  # for all of them to join

    @property
    def are_a_fleet(self) -> bool:
        return self.count > 1 or self.bind is not None


def become_worker(master: tuple[str, int], cores: str) -> NoReturn:
    """Replace this process by a load worker for the master at *master*. *cores* is text such as 0,2."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "bench.load.child.worker",
        "--master",
        format_address(master),
        "--cores",
        cores,
    ]
    os.execv(sys.executable, command)


class LocustLoad:
    """A LoadGenerator whose loop runs in a child process, inside Locust. A context manager."""

    def __init__(
        self,
        *,
        cores: Sequence[int] = (),
        workers: Workers = Workers(),
        say: Callable[[str], None] = lambda what: None,
        timeout_s: float = 10.0,
        drain_s: float = 2.0,
    ) -> None:
        """*timeout_s* limits the wait for an answer, *drain_s* the wait for the last ones after a window.

        *say* receives a line for each worker that joins.
        """
        self._cores = cores
        self._workers = workers
        self._say = say
        self._timeout_s = timeout_s
        self._drain_s = drain_s
        self._wait_s = 0.0  # for the sample of the slice begun last
        self._pids: tuple[int, ...] = ()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the child and wait until its workers have joined. Raises CannotMeasure."""
        with ExitStack() as stack:
            self._log: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            self._control, theirs = socket.socketpair()
            stack.enter_context(self._control)
            with theirs:
                command = [sys.executable, "-P", "-m", "bench.load.child", str(theirs.fileno())]
                command += ["--cores", ",".join(map(str, self._cores))] if self._cores else []
                self._child = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                )
            stack.callback(self._end)
            self._replies = stack.enter_context(self._control.makefile("rb"))
            self._pids = (self._child.pid,)
            if self._workers.are_a_fleet:
                self._gather()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        return self._child.pid

    def pids(self) -> tuple[int, ...]:
        """Return the local processes that send requests: those of the slice begun last, if there is one."""
        return self._pids

    def prepare(self, targets: Mapping[str, tuple[str, int]], scenarios: Iterable[Scenario]) -> None:
        """Register targets and scenarios. Raises CannotMeasure.

        A target that is named again at the same address keeps its connections.
        """
        self._tell(
            do="prepare", targets=dict(targets), scenarios=[asdict(scenario) for scenario in scenarios]
        )
        self._reply("ready", within_s=_START_S)

    def forget(self, target: str) -> None:
        """Forget what connections to *target* have saved. Raises CannotMeasure."""
        self._tell(do="forget", target=target)
        self._reply("ready", within_s=_START_S)

    def begin(self, step: Slice) -> tuple[int, int]:
        """Start a slice. Return when its window opens and closes (`perf_counter_ns`)."""
        drain_s = max(self._drain_s, step.lead_in_s)  # a lead-in is as long as an answer takes
        self._tell(do="slice", step=asdict(step), timeout_s=self._timeout_s, drain_s=drain_s)
        begun = self._reply("begun", within_s=_START_S + _SETUP_S)
        self._step = step
        self._wait_s = step.lead_in_s + step.window_s + drain_s + self._timeout_s + 2 * _GRACE_S
        self._pids = tuple(begun["pids"])
        return begun["open_ns"], begun["close_ns"]

    def finish(self) -> Sample:
        """Wait for the slice begun last and return its sample.

        Raises CannotMeasure, also if the sums of the sample do not hold: then bench itself has an error.
        """
        reply = self._reply("sample", within_s=self._wait_s)
        sample = TypeAdapter(Sample).validate_python(reply["sample"])
        if what := imbalance(self._step, sample):
            raise CannotMeasure(
                f"the books do not balance: {what}: this is a fault of bench, please report it"
            )
        return sample

    def _gather(self) -> None:
        workers = self._workers
        within_s = workers.within_s if workers.bind else workers.count * _START_S
        cores = [[core] for core in self._cores]
        self._tell(do="gather", count=workers.count, bind=workers.bind, cores=cores, within_s=within_s)
        self._reply("gathered", within_s=within_s + _START_S)

    def _tell(self, **message: Any) -> None:
        try:
            self._control.settimeout(_GRACE_S)
            self._control.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise self._lost("has ended") from error

    def _reply(self, kind: str, *, within_s: float) -> dict[str, Any]:
        try:
            self._control.settimeout(within_s)
            line = self._replies.readline()
        except TimeoutError as error:
            raise self._lost(f"did not answer within {within_s:.0f} s") from error
        except OSError as error:
            raise self._lost("has ended") from error
        if not line:
            raise self._lost("has ended")
        reply: dict[str, Any] = json.loads(line)
        if reply["is"] == "note":
            self._say(reply["what"])
            return self._reply(kind, within_s=within_s)
        if reply["is"] == "error":
            raise CannotMeasure(reply["what"])
        if reply["is"] != kind:
            raise self._lost(f"sent {reply['is']!r} where {kind!r} was due")
        return reply

    def _lost(self, what: str) -> CannotMeasure:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _TAIL_BYTES))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return CannotMeasure(
            f"the load generator {what}: {lines[-1] if lines else 'it printed nothing; run it again'}"
        )

    def _end(self) -> None:
        """Wait for the child's exit. It exits when the socket is closed."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
