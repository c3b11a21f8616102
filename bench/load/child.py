"""The process that asks: Locust as a library around our loop, told what to do in JSON lines.

`python -m bench.load.child FD [--cores 0,1]`, where FD is one end of a socket pair: stdout is Locust's.

    {"do": "prepare", "targets": {name: [host, port]}, "scenarios": […]}
        → {"is": "ready"}
    {"do": "slice", "step": {…}, "timeout_s", "drain_s"}
        → {"is": "begun", "open_ns", "close_ns"}, then {"is": "sample", "sample": {…}}

What the user should know comes back as {"is": "error", "what"}. When the socket ends, so does the process,
in the middle of a slice too: its parent has stopped it, or is gone.
"""

import argparse
import gc
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from time import perf_counter_ns
from typing import Any

import gevent
from gevent.event import Event
from gevent.queue import Queue
from locust import User, task
from locust.env import Environment
from pydantic import TypeAdapter

from bench.errors import BenchError, CannotMeasure
from bench.load.engine import ClosedLoop
from bench.load.targets import Target
from bench.load.templates import Mix, Saved
from bench.model import Scenario, Slice

Message = dict[str, Any]


class ConnectionUser(User):
    """One connection, to Locust: the loop asks on its behalf while it waits to be stopped."""

    @task
    def wait_to_be_stopped(self) -> None:
        """Do nothing: stopping the runner ends the greenlet."""
        Event().wait()


class Generator:
    """What the child has prepared, and Locust's runner."""

    def __init__(self) -> None:
        self._runner = Environment(user_classes=[ConnectionUser]).create_local_runner()
        self._targets: dict[str, Target] = {}
        self._mixes: dict[tuple[str, str], Mix] = {}

    def prepare(self, addresses: Mapping[str, tuple[str, int]], scenarios: tuple[Scenario, ...]) -> None:
        """Forget all targets and learn new ones. Raises UsageError."""
        for target in self._targets.values():
            target.close()
        self._targets = {name: Target(address=address) for name, address in addresses.items()}
        self._mixes = {
            (name, scenario.name): Mix(scenario, host=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            for name, (host, port) in addresses.items()
            for scenario in scenarios
        }
        gc.unfreeze()
        gc.collect()
        gc.freeze()  # what is there now stays: collections between slices need not look at it

    def carry_out(self, step: Slice, *, timeout_s: float, drain_s: float) -> Iterator[Message]:
        """Run one slice; yield when its window will be, then its sample. Raises CannotMeasure."""
        target = self._targets[step.cell.contender]
        mix = self._mixes[step.cell.contender, step.cell.scenario]
        with self._users(step.cell.load.connections) as count:
            connections = target.take(count)
            for index, connection in enumerate(connections):
                saved: Saved = {}  # afresh: what was saved may be gone with the data of an earlier slice
                connection.begin(mix.requests(step.seed, index, saved), saved)
            loop = ClosedLoop(target, connections, timeout_s=timeout_s)
            open_ns = perf_counter_ns() + round(step.lead_in_s * 1e9)
            close_ns = open_ns + round(step.window_s * 1e9)
            yield {"is": "begun", "open_ns": open_ns, "close_ns": close_ns}
            loop.run(open_ns, close_ns, drain_s=drain_s)
            yield {"is": "sample", "sample": asdict(loop.books.sample(step.window_s, self._runner.stats))}

    @contextmanager
    def _users(self, count: int) -> Iterator[int]:
        """Have Locust run *count* users; yield how many run. It takes a few milliseconds at either end."""
        self._runner.start(count, spawn_rate=count)
        try:
            gevent.joinall([self._runner.spawning_greenlet])
            if self._runner.user_count != count:
                raise CannotMeasure(
                    f"Locust started {self._runner.user_count} of {count} users: its log says why"
                )
            yield self._runner.user_count
        finally:
            self._runner.stop()


def replies(generator: Generator, message: Message) -> Iterator[Message]:
    """Do what *message* asks; yield what is to be said about it."""
    try:
        if message["do"] == "prepare":
            addresses = {name: (host, port) for name, (host, port) in message["targets"].items()}
            scenarios = TypeAdapter(tuple[Scenario, ...]).validate_python(message["scenarios"])
            generator.prepare(addresses, scenarios)
            yield {"is": "ready"}
        else:
            step = TypeAdapter(Slice).validate_python(message["step"])
            limits = {"timeout_s": message["timeout_s"], "drain_s": message["drain_s"]}
            yield from generator.carry_out(step, **limits)
    except BenchError as error:
        yield {"is": "error", "what": str(error)}
    except OSError as error:
        yield {"is": "error", "what": f"the load generator cannot go on: {error}"}


def main() -> None:
    """Answer messages until the socket ends."""
    parser = argparse.ArgumentParser(prog="bench.load.child", description=__doc__)
    parser.add_argument("fd", type=int)
    parser.add_argument("--cores", default="", help="cores to stay on, as in 0,2")
    options = parser.parse_args()
    if options.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    logging.getLogger("locust").setLevel(logging.ERROR)  # else it doubts our spawn rate at every slice
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle
    gc.disable()
    with socket.socket(fileno=options.fd) as control:
        messages: Queue[Message] = Queue()
        gevent.spawn(_read, control, messages)
        generator = Generator()
        while True:
            for reply in replies(generator, messages.get()):
                control.sendall(json.dumps(reply).encode() + b"\n")
            gc.collect()


def _read(control: socket.socket, messages: "Queue[Message]") -> None:
    """Queue what comes; the loop lets this run often enough to notice the end during a slice."""
    with control.makefile("rb") as lines:
        for line in lines:
            messages.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()
