"""The load generator as the experiment sees it: a child process behind a socket pair. Imports no Locust."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from types import TracebackType
from typing import IO, Any, Self

from pydantic import TypeAdapter

from bench.errors import CannotMeasure
from bench.model import Scenario, Slice
from bench.records import Sample

_START_S = 30.0  # importing Locust takes a second, and several on a busy machine
_GRACE_S = 10.0  # for starting users and doing the books, beyond the slice itself
_TAIL_BYTES = 2_000


class LocustLoad:
    """A LoadGenerator whose loop runs in a child, inside Locust. Use it as a context manager."""

    def __init__(self, *, cores: Sequence[int] = (), timeout_s: float = 10.0, drain_s: float = 2.0) -> None:
        """Settle where it runs, and how long it waits for an answer and, after a window, for the last."""
        self._cores = cores
        self._timeout_s = timeout_s
        self._drain_s = drain_s
        self._wait_s = 0.0  # for the sample of the slice begun last
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the child. Raises CannotMeasure."""
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
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the child, whatever it is doing."""
        self._stack.close()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def prepare(self, targets: Mapping[str, tuple[str, int]], scenarios: Iterable[Scenario]) -> None:
        """Learn where contenders are and what can be asked; forgets earlier targets. Raises CannotMeasure."""
        self._tell(
            do="prepare", targets=dict(targets), scenarios=[asdict(scenario) for scenario in scenarios]
        )
        self._reply("ready", within_s=_START_S)

    def begin(self, step: Slice) -> tuple[int, int]:
        """Start a slice; return when its counted window opens and closes (`perf_counter_ns`)."""
        self._tell(do="slice", step=asdict(step), timeout_s=self._timeout_s, drain_s=self._drain_s)
        begun = self._reply("begun", within_s=_GRACE_S)
        self._wait_s = step.lead_in_s + step.window_s + self._drain_s + _GRACE_S
        return begun["open_ns"], begun["close_ns"]

    def finish(self) -> Sample:
        """Wait for the slice begun last and return what was seen.

        Raises CannotMeasure, also where Locust's count and ours differ: then one of them is wrong.
        """
        reply = self._reply("sample", within_s=self._wait_s)
        sample = TypeAdapter(Sample).validate_python(reply["sample"])
        if sample.locust_requests != sample.slice_requests:
            raise CannotMeasure(
                f"the books do not balance: Locust counted {sample.locust_requests} requests, "
                f"we {sample.slice_requests}: this is a fault of bench, please report it"
            )
        return sample

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
        if reply["is"] == "error":
            raise CannotMeasure(reply["what"])
        if reply["is"] != kind:
            raise self._lost(f"said {reply['is']!r} where {kind!r} was due")
        return reply

    def _lost(self, what: str) -> CannotMeasure:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _TAIL_BYTES))
        said = self._log.read().decode(errors="replace").strip().splitlines()
        return CannotMeasure(
            f"the load generator {what}: {said[-1] if said else 'it left no word; run it again'}"
        )

    def _end(self) -> None:
        """Reap the child, which ends with the socket."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
