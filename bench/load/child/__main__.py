"""The process that requests, or has workers request: Locust as a library, driven by JSON lines.

`python -m bench.load.child FD [--cores 0,1]`, where FD is one end of a socket pair: stdout is Locust's.

    {"do": "gather", "count", "bind": [host, port] or null, "cores": [[0], [1]], "within_s"}
        → {"is": "note", "what"} as workers join, then {"is": "gathered"}
    {"do": "prepare", "targets": {name: [host, port]}, "scenarios": […]}
        → {"is": "ready"}
    {"do": "forget", "target": name}
        → {"is": "ready"}
    {"do": "slice", "step": {…}, "timeout_s", "drain_s"}
        → {"is": "begun", "open_ns", "close_ns", "pids"}, then {"is": "sample", "sample": {…}}

Without "gather" it sends requests itself. When the socket ends, so does the process, also in the middle of
a slice: its parent has stopped it, or is gone.
"""

import argparse
import gc
import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Protocol

import gevent
from gevent.queue import Queue
from locust.env import Environment

from bench.load.arrivals import Share
from bench.load.child.fleet import Fleet
from bench.load.child.generator import (
    ConnectionUser,
    Generator,
    Message,
    settle,
    telling,
    understood,
    window_of,
)
from bench.model.cell import Slice
from bench.model.scenario import Scenario


class Requester(Protocol):
    """What carries out the driver's messages: this process alone, or a fleet."""

    def prepare(self, addresses: dict[str, tuple[str, int]], scenarios: Sequence[Scenario]) -> None:
        """Register targets and scenarios. Raises BenchError."""

    def forget(self, target: str) -> None:
        """Forget what connections to *target* have saved. Raises CannotMeasure."""

    def carry_out(self, step: Slice, *, timeout_s: float, drain_s: float) -> Iterator[Message]:
        """Run one slice. Yield its window, then its sample. Raises CannotMeasure."""


class Alone(Generator):
    """This process sends all requests itself."""

    def __init__(self) -> None:
        self._local = Environment(user_classes=[ConnectionUser]).create_local_runner()
        super().__init__(self._local)

    def carry_out(self, step: Slice, *, timeout_s: float, drain_s: float) -> Iterator[Message]:
        with self.armed(step, Share(0, 1), timeout_s=timeout_s) as loop:
            open_ns, close_ns = window_of(step)
            yield {"is": "begun", "open_ns": open_ns, "close_ns": close_ns, "pids": [os.getpid()]}
            loop.run(open_ns, close_ns, drain_s=drain_s)
            yield {"is": "sample", "sample": asdict(loop.books.sample(step.window_s, self._local.stats))}


class Post:
    """Carries out messages: in this process alone, until a message requires a fleet."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack  # what must end with this process
        self._asker: Requester | None = None

    def replies(self, message: Message) -> Iterator[Message]:
        """Carry out *message* and yield the replies. Raises BenchError."""
        order = understood(message)
        if order["do"] == "gather":
            bind = tuple(order["bind"]) if order["bind"] else None
            self._asker = fleet = self._stack.enter_context(Fleet(order["count"], bind))
            yield from fleet.gather(cores=order["cores"], within_s=order["within_s"])
            yield {"is": "gathered"}
            return
        self._asker = self._asker or Alone()
        if order["do"] == "prepare":
            self._asker.prepare(order["targets"], order["scenarios"])
            yield {"is": "ready"}
        elif order["do"] == "forget":
            self._asker.forget(order["target"])
            yield {"is": "ready"}
        else:
            limits = {"timeout_s": order["timeout_s"], "drain_s": order["drain_s"]}
            yield from self._asker.carry_out(order["step"], **limits)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.load.child", description=__doc__)
    parser.add_argument("fd", type=int)
    parser.add_argument("--cores", default="", help="cores to stay on, as in 0,2")
    options = parser.parse_args()
    settle([int(core) for core in options.cores.split(",") if core])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    with socket.socket(fileno=options.fd) as control, ExitStack() as stack:
        messages: Queue[Message] = Queue()
        gevent.spawn(_read, control, messages, stack)
        post = Post(stack)
        while True:
            for reply in telling(post.replies(messages.get())):
                control.sendall(json.dumps(reply).encode() + b"\n")
            gc.collect()


def _read(control: socket.socket, messages: "Queue[Message]", stack: ExitStack) -> None:
    """Queue the messages received. The loop lets this run often enough to notice the end during a slice."""
    with control.makefile("rb") as lines:
        for line in lines:
            messages.put(json.loads(line))
    stack.close()
    os._exit(0)


if __name__ == "__main__":
    main()
