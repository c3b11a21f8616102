"""The targets and scenarios of one process that sends requests inside Locust, alone or as one of several.

Messages are dicts. They are JSON lines between `bench.load.driver` and `bench.load.child.process`, and
Locust's own messages between its master and its workers. An error for the user comes back as {"is": "error",
"what"}.
"""

import gc
import logging
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

from gevent.event import Event
from locust import User, task
from pydantic import TypeAdapter

from bench.addresses import spoken
from bench.errors import BenchError, CannotMeasure, UsageError
from bench.load.child.arrivals import Share
from bench.load.child.connections import Target
from bench.load.child.engine import Loop, loop_of
from bench.load.descriptors import raise_open_files
from bench.load.requests import Mix
from bench.model import Scenario, Slice

Message = dict[str, Any]


class ConnectionUser(User):
    """One connection as a Locust user. The loop sends its requests while the user waits to be stopped."""

    @task
    def wait_to_be_stopped(self) -> None:
        """Do nothing. The runner ends the greenlet when it stops."""
        Event().wait()


class Generator:
    """Targets with their connections, and the Locust runner with one user per connection."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._targets: dict[str, Target] = {}
        self._mixes: dict[tuple[str, str], Mix] = {}

    def prepare(self, addresses: Mapping[str, tuple[str, int]], scenarios: Sequence[Scenario]) -> None:
        """Register targets and scenarios. Known targets keep their connections. Raises UsageError."""
        resolved = {name: _resolved(address) for name, address in addresses.items()}
        kept = {
            name: target for name, target in self._targets.items() if resolved.get(name) == target.address
        }
        for name, target in self._targets.items():
            if name not in kept:
                target.close()
        self._targets = {name: kept.get(name) or Target(address=resolved[name]) for name in addresses}
        self._mixes = {
            (name, scenario.name): Mix(scenario, host=spoken(address))
            for name, address in addresses.items()
            for scenario in scenarios
        }
        gc.unfreeze()
        gc.collect()
        gc.freeze()  # existing objects stay: collections between slices skip them

    def forget(self, target: str) -> None:
        if target in self._targets:
            self._targets[target].forget()

    @contextmanager
    def armed(self, step: Slice, share: Share, *, timeout_s: float) -> Iterator[Loop]:
        """Do all slow work of a slice, then yield the loop that is ready to run. Raises CannotMeasure."""
        target = self._targets[step.cell.contender]
        mix = self._mixes[step.cell.contender, step.cell.scenario]
        load = step.cell.load
        # In an open loop one user represents all arrivals: connections are opened as needed.
        with self._users(len(share.part(range(load.connections))) if load.kind == "closed" else 1):
            yield loop_of(step, target, mix, share=share, timeout_s=timeout_s)

    @contextmanager
    def _users(self, count: int) -> Iterator[None]:
        self._runner.stats.clear_all()
        self._runner.spawn_users({ConnectionUser.__name__: count})
        try:
            if self._runner.user_count != count:
                raise CannotMeasure(
                    f"Locust started {self._runner.user_count} of {count} users: its log says why"
                )
            yield
        finally:
            self._runner.stop()


def settle(cores: Sequence[int]) -> None:
    """Pin this process to *cores* (all if empty) and turn off garbage collection."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    raise_open_files()
    logging.disable(logging.WARNING)  # else Locust warns of spawn rate and CPU usage all the time
    gc.disable()


def window_of(step: Slice) -> tuple[int, int]:
    """Return when the window of a slice that begins now opens and closes (`perf_counter_ns`)."""
    open_ns = perf_counter_ns() + round(step.lead_in_s * 1e9)
    return open_ns, open_ns + round(step.window_s * 1e9)


def understood(message: Message) -> Message:
    """Return *message* with targets, scenarios and slice converted from plain data to their types."""
    read = dict(message)
    if "targets" in message:
        read["targets"] = {name: (host, port) for name, (host, port) in message["targets"].items()}
        read["scenarios"] = TypeAdapter(tuple[Scenario, ...]).validate_python(message["scenarios"])
    if "step" in message:
        read["step"] = TypeAdapter(Slice).validate_python(message["step"])
    return read


def telling(replies: Iterable[Message]) -> Iterator[Message]:
    """Yield *replies*. An error that stops them becomes the last reply."""
    try:
        yield from replies
    except BenchError as error:
        yield {"is": "error", "what": str(error)}
    except OSError as error:
        yield {"is": "error", "what": f"the load generator cannot go on: {error}"}


def _resolved(address: tuple[str, int]) -> tuple[str, int]:
    """Return *address* with a numeric host, so that no connection waits for a name server."""
    host, port = address
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"{host}: {error}: name a host that this machine can reach") from error
    return str(found[0][4][0]), port
