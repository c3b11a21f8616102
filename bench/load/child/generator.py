"""What one process that requests has prepared, inside Locust, and the loop that carries a slice out."""

import gc
import logging
import os
import resource
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from random import Random
from time import perf_counter_ns
from typing import Any

from gevent.event import Event
from locust import User, task
from pydantic import TypeAdapter

from bench.errors import BenchError, CannotMeasure, UsageError
from bench.load.arrivals import Share, due_offsets
from bench.load.child.closed import ClosedLoop
from bench.load.child.connections import Connection, Target
from bench.load.child.loop import Loop
from bench.load.child.open import OpenLoop
from bench.load.child.setting_up import set_up
from bench.load.child.stream_loop import StreamLoop
from bench.load.child.user_load import UserLoad
from bench.load.gaps import Law
from bench.load.mix import Mix
from bench.loads import Closed, Open
from bench.model.cell import Slice
from bench.model.scenario import Locustfile, Scenario
from bench.project.addresses import format_address

ENOUGH_FILES = 1 << 20  # if there is no hard limit: macOS accepts no infinite soft limit


def loop_of(step: Slice, target: Target, mix: Mix, *, share: Share, timeout_s: float) -> Loop:
    """Return the loop for one process's *share* of *step*, ready to run. Raises UsageError.

    All slow work is done here. Closed: the requests of a connection depend on the seed and on its number in
    the whole slice, so several processes send what one would. Open: requests depend on the seed and the
    share, in order of arrival. In both, saved values belong to a connection: on it, no request can overtake
    the one that it depends on. What requests need and do not use up is fetched before the slice begins.
    """
    load = step.cell.load
    numbers = share.part(range(load.connections))
    connections = target.take(len(numbers))
    if not connections:
        raise UsageError(
            f"{share.of} processes cannot share {load.connections} connections of {load.called}: allow more"
        )
    for connection in connections:
        _begin(connection, step.cell.scenario, mix)
    numbered = dict(zip(connections, numbers, strict=True))
    scenario = step.cell.scenario
    fetched = set_up(
        target, numbered, mix, step.seed, is_any=load.has_due_times, timeout_s=timeout_s, scenario=scenario
    )
    loop = LOOPS[type(load)](step, target, mix, connections, share, timeout_s)
    if fetched is not None:
        loop.books.setup, loop.books.broken = fetched.setup, fetched.broken
    return loop


def _begin(connection: Connection, scenario: str, mix: Mix) -> None:
    """Give *connection* the values that it saved in earlier slices of *scenario* and that are still valid."""
    if connection.is_doubted:
        connection.kept.clear()
        connection.is_doubted = False
    connection.saved = connection.kept.setdefault(scenario, {})
    mix.keep(connection.saved)


def _closed(
    step: Slice, target: Target, mix: Mix, connections: Sequence[Connection], share: Share, timeout_s: float
) -> Loop:
    count = step.cell.load.connections
    numbers = share.part(range(count))
    for number, connection in zip(numbers, connections, strict=True):
        connection.next = mix.requests(step.seed, number, connection.saved).__next__
    starts = [(number + Random(f"{step.seed}/{number}/start").random()) / count for number in numbers]
    pace = step.cell.scenario, count
    if mix.longest_stream_s is None:
        return ClosedLoop(target, connections, starts, pace, timeout_s=timeout_s)
    return StreamLoop(target, connections, starts, pace, timeout_s=timeout_s + mix.longest_stream_s)


def _open(
    step: Slice, target: Target, mix: Mix, connections: Sequence[Connection], share: Share, timeout_s: float
) -> Loop:
    load = step.cell.load
    if step.rate_rps is None or not isinstance(load, Open):
        raise ValueError(f"an open load needs its rate before it is begun: {step}")
    offsets_ns = due_offsets(
        load.arrivals,
        step.rate_rps,
        seed=step.seed,
        lead_in_s=step.lead_in_s,
        window_s=step.window_s,
    )
    draw = mix.drawing(step.seed, share.index)
    return OpenLoop(
        target,
        connections,
        share.part(offsets_ns),
        draw,
        timeout_s=timeout_s,
        law=Law(step.rate_rps, share.of) if load.arrivals == "poisson" else None,
    )


LOOPS = {Closed: _closed, Open: _open}

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
        self._locustfiles: dict[str, Locustfile] = {}  # by scenario
        self._users: dict[Locustfile, UserLoad] = {}  # those that were executed

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
            (name, scenario.name): Mix(scenario, host=format_address(address))
            for name, address in addresses.items()
            for scenario in scenarios
            if not scenario.locustfile
        }
        self._locustfiles = {one.name: one.locustfile for one in scenarios if one.locustfile}
        gc.unfreeze()
        gc.collect()
        gc.freeze()  # existing objects stay: collections between slices skip them

    def forget(self, target: str) -> None:
        if target in self._targets:
            self._targets[target].forget()

    @contextmanager
    def armed(self, step: Slice, share: Share, *, timeout_s: float) -> Iterator[Loop | UserLoad]:
        """Do all slow work of a slice, then yield the loop that is ready to run. Raises BenchError."""
        target = self._targets[step.cell.contender]
        load = step.cell.load
        numbers = share.part(range(load.connections))
        if locustfile := self._locustfiles.get(step.cell.scenario):
            if locustfile not in self._users:
                self._users[locustfile] = UserLoad(locustfile)
            self._runner.stats.clear_all()
            with self._users[locustfile].armed(step, target.address, numbers) as users:
                yield users
            return
        mix = self._mixes[step.cell.contender, step.cell.scenario]
        # One user represents all requests that are due: connections are opened as needed.
        with self._waiting(1 if load.has_due_times else len(numbers)):
            yield loop_of(step, target, mix, share=share, timeout_s=timeout_s)

    @contextmanager
    def _waiting(self, count: int) -> Iterator[None]:
        self._runner.stats.clear_all()
        self._runner.spawn_users({ConnectionUser.__name__: count})
        try:
            if self._runner.user_count != count:
                raise CannotMeasure(f"Locust started {self._runner.user_count} of {count} users: see its log")
            yield
        finally:
            self._runner.stop()


def settle(cores: Sequence[int]) -> None:
    """Pin this process to *cores* (all if empty) and turn off garbage collection."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    _raise_open_files()
    logging.disable(logging.WARNING)  # else Locust warns of spawn rate and CPU usage all the time
    gc.disable()


def _raise_open_files() -> None:
    """Raise the soft limit up to the hard limit, of this process alone: servers keep theirs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
