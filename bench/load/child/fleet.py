"""Locust's master: it sends no requests itself.

It gives each worker its share of a slice and adds up the results.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from time import monotonic
from types import TracebackType
from typing import Any, Self

from gevent.queue import Empty, Queue
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import STATE_MISSING
from locust.stats import StatsEntry
from pydantic import TypeAdapter

from bench.errors import CannotMeasure
from bench.load.child.generator import ConnectionUser, Message, window_of
from bench.load.child.generator_versions import unlike
from bench.load.child.setting_up import LIMIT_S
from bench.load.sums import merged
from bench.model.cell import Slice
from bench.model.scenario import Scenario
from bench.project.addresses import format_address
from bench.records import Sample

CHANNEL = "bench"  # the type of our messages between Locust's own
LOOK_S = 0.1  # interval of the check for lost workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    who: str
    process: "subprocess.Popen[bytes] | None"  # None: started elsewhere


class Roster:
    """The *wanted* workers of Locust's master *runner*, by Locust's client id, in order of arrival."""

    def __init__(self, runner: Any, wanted: int) -> None:
        self._runner = runner
        self._wanted = wanted
        self._members: dict[str, Member] = {}
        self._lost: list[str] = []  # not yet reported
        self._heard: Queue[tuple[str, Message]] = Queue()
        self.own: dict[int, subprocess.Popen[bytes]] = {}  # by process id, in order of start
        runner.register_message(CHANNEL, self._hear)

    def __contains__(self, client: str) -> bool:
        return client in self._members

    @property
    def missing(self) -> int:
        self._drop_the_lost()
        return self._wanted - len(self._members)

    def there(self) -> list[str]:
        """Return the workers that are present. Raises CannotMeasure if there are none."""
        self._drop_the_lost()
        if not self._members:
            raise CannotMeasure(f"no load worker is left: {'; '.join(self._lost)}: start the run again")
        return list(self._members)

    def newly_lost(self) -> tuple[str, ...]:
        self._drop_the_lost()
        lost, self._lost = tuple(self._lost), []
        return lost

    def tell(self, client: str, **message: Any) -> None:
        self._runner.send_message(CHANNEL, message, client_id=client)

    @property
    def has_news(self) -> bool:
        return not self._heard.empty()

    def news(self) -> str | None:
        """Wait up to LOOK_S seconds. Return which worker joined or was refused, as text, or None."""
        try:
            _, message = self._heard.get(timeout=LOOK_S)
        except Empty:
            return None
        return str(message["what"])

    def collect(self, kind: str, clients: Sequence[str], *, within_s: float) -> dict[str, Message]:
        """Return the reply of each of *clients*, without those that are lost meanwhile.

        Raises CannotMeasure if one of them reports an error.
        """
        replies: dict[str, Message] = {}
        deadline = monotonic() + within_s
        while waiting := [client for client in clients if client in self._members and client not in replies]:
            try:
                client, message = self._heard.get(timeout=LOOK_S)
            except Empty:
                self._drop_the_lost()
                if monotonic() > deadline:
                    for client in waiting:
                        self._drop(client, f"did not answer within {within_s:.0f} s")
                continue
            if client in waiting and message["is"] == "error":
                raise CannotMeasure(f"{self._members[client].who}: {message['what']}")
            if client in waiting and message["is"] == kind:
                replies[client] = message
        return replies

    def _drop_the_lost(self) -> None:
        for client, member in list(self._members.items()):
            node = self._runner.clients.get(client)
            ended = member.process is not None and member.process.poll() is not None
            if ended or node is None:
                self._drop(client, "has ended")
            elif node.state == STATE_MISSING:
                self._drop(client, "has not been heard of for some seconds")

    def _drop(self, client: str, how: str) -> None:
        if client in self._members:
            self._lost.append(f"{self._members.pop(client).who} {how}")
            self._runner.send_message("quit", client_id=client)  # if it reconnects: others have its share

    def _hear(self, environment: Environment, msg: Any) -> None:
        if msg.data["is"] == "hello":
            self._greet(msg.node_id, msg.data)
        else:
            self._heard.put((msg.node_id, msg.data))

    def _greet(self, client: str, hello: Mapping[str, Any]) -> None:
        why = unlike(hello["versions"])
        if why is None and len(self._members) == self._wanted:
            why = f"the run has the {self._wanted} load workers that it expects"
        if why:
            self.tell(client, do="refuse", why=why)
            note = {"is": "refused", "what": f"refused a load worker on {hello['host']}: {why}"}
        else:
            number = len(self._members) + 1
            who = f"load worker {number} ({hello['host']}, process {hello['pid']})"
            self._members[client] = Member(who=who, process=self.own.get(hello["pid"]))
            self.tell(client, do="welcome", who=who)
            note = {"is": "joined", "what": f"{who} has joined: {number} of {self._wanted}"}
        self._heard.put((client, note))


GRACE_S = 10.0  # for preparing a slice and sending its sample, beyond the slice itself
LOOPBACK = "127.0.0.1"


class Fleet:
    """A number of workers: started here on this machine, or elsewhere and connecting to *bind*.

    A context manager.
    """

    def __init__(self, count: int, bind: tuple[str, int] | None) -> None:
        self._count = count
        self._bind = bind

    def __enter__(self) -> Self:
        """Listen for workers. Raises CannotMeasure."""
        host, port = self._bind or (LOOPBACK, 0)
        environment: Any = Environment(user_classes=[ConnectionUser])
        environment.events.worker_report.add_listener(self._leave_out_strangers)  # before Locust adds it up
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            socket.create_server((host, port), family=family).close()  # else Locust would end the process
            self._runner = environment.create_master_runner(host, port)
        except (OSError, RPCError) as error:
            where = format_address((host, port))
            raise CannotMeasure(f"cannot listen on {where}: {error}: choose another --load-bind") from error
        self._roster = Roster(self._runner, self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.quit()
        for process in self._roster.own.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            process.kill()

    def gather(self, *, cores: Sequence[Sequence[int]], within_s: float) -> Iterator[Message]:
        """Wait until all have joined, those started here pinned to *cores*. Yield notes.

        Raises CannotMeasure.
        """
        if self._bind is None:
            for number in range(self._count):
                self._start(self._runner.server.port, cores[number % len(cores)] if cores else ())
        else:
            remedy = f"bench load-worker --master {format_address(self._bind)}"
            yield {"is": "note", "what": f"waiting for load workers, {self._count} in all: `{remedy}`"}
        deadline = monotonic() + within_s
        # Two may have joined by the time that the first is reported.
        while (missing := self._roster.missing) or self._roster.has_news:
            if (news := self._roster.news()) and self._bind is not None:
                yield {"is": "note", "what": news}
            if missing and monotonic() > deadline:
                raise CannotMeasure(
                    f"{missing} of {self._count} load workers did not join within {within_s:.0f} s: "
                    "start them with `bench load-worker`, or expect fewer"
                )

    def prepare(self, addresses: Mapping[str, tuple[str, int]], scenarios: Sequence[Scenario]) -> None:
        plain = [asdict(scenario) for scenario in scenarios]
        there = self._roster.there()
        for client in there:
            self._roster.tell(client, do="prepare", targets=dict(addresses), scenarios=plain)
        self._roster.collect("ready", there, within_s=GRACE_S)

    def forget(self, target: str) -> None:
        there = self._roster.there()
        for client in there:
            self._roster.tell(client, do="forget", target=target)
        self._roster.collect("ready", there, within_s=GRACE_S)

    def carry_out(self, step: Slice, *, timeout_s: float, drain_s: float) -> Iterator[Message]:
        """Run one slice, each worker its share. Yield the window, then the merged sample.

        Raises CannotMeasure.
        """
        roster = self._roster
        clients = roster.there()[: step.cell.load.connections]
        self._runner.stats.clear_all()
        order = {"do": "arm", "step": asdict(step), "timeout_s": timeout_s, "drain_s": drain_s}
        for index, client in enumerate(clients):
            roster.tell(client, **order, share=[index, len(clients)])
        armed = list(roster.collect("armed", clients, within_s=GRACE_S + LIMIT_S))
        for client in armed:
            roster.tell(client, do="go")
        open_ns, close_ns = window_of(step)
        pids = [process.pid for process in roster.own.values() if process.poll() is None]
        yield {"is": "begun", "open_ns": open_ns, "close_ns": close_ns, "pids": pids}
        within_s = step.lead_in_s + step.window_s + drain_s + timeout_s + GRACE_S
        replies = roster.collect("sample", armed, within_s=within_s)
        yield {"is": "sample", "sample": asdict(self._sum(step, list(replies.values())))}

    def _sum(self, step: Slice, replies: Sequence[Message]) -> Sample:
        self._roster.there()
        samples = [TypeAdapter(Sample).validate_python(message["sample"]) for message in replies]
        return replace(
            merged(samples, window_s=step.window_s),
            locust_requests=self._runner.stats.num_requests,
            lost_workers=self._roster.newly_lost(),
        )

    def _leave_out_strangers(self, client_id: str, data: dict[str, Any]) -> None:
        """Exclude the statistics of a worker that was lost and has reconnected from later sums."""
        if client_id not in self._roster:
            nothing = StatsEntry(self._runner.stats, "", "").get_stripped_report()
            data |= {"stats": [], "errors": {}, "stats_total": nothing}

    def _start(self, port: int, cores: Sequence[int]) -> None:
        command = [sys.executable, "-P", "-m", "bench.load.child.worker", "--master", f"{LOOPBACK}:{port}"]
        command += ["--cores", ",".join(map(str, cores))] if cores else []
        # In its own session: the parent handles Ctrl-C. It ends when this process does.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self._roster.own[process.pid] = process
