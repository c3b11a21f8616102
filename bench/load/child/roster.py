"""Who belongs to a fleet: workers are greeted or refused, told things, heard, and missed when lost."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from gevent.queue import Empty, Queue
from locust.env import Environment
from locust.runners import STATE_MISSING

from bench.errors import CannotMeasure
from bench.load.child.generator import Message
from bench.load.child.versions import unlike

CHANNEL = "bench"  # the type of our messages among Locust's own
LOOK_S = 0.1  # how often it is looked whether a worker is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A worker that belongs to the fleet."""

    who: str
    process: "subprocess.Popen[bytes] | None"  # None: someone else started it


class Roster:
    """The *wanted* workers of Locust's master *runner*, by Locust's name for them, in order of arrival."""

    def __init__(self, runner: Any, wanted: int) -> None:
        self._runner = runner
        self._wanted = wanted
        self._members: dict[str, Member] = {}
        self._lost: list[str] = []  # and not told yet
        self._heard: Queue[tuple[str, Message]] = Queue()
        self.own: dict[int, subprocess.Popen[bytes]] = {}  # by process id, in their order
        runner.register_message(CHANNEL, self._hear)

    def __contains__(self, client: str) -> bool:
        return client in self._members

    @property
    def missing(self) -> int:
        """How many are still to come."""
        self._drop_the_lost()
        return self._wanted - len(self._members)

    def there(self) -> list[str]:
        """Return who is there. Raises CannotMeasure where that is nobody."""
        self._drop_the_lost()
        if not self._members:
            raise CannotMeasure(f"no load worker is left: {'; '.join(self._lost)}: start the run again")
        return list(self._members)

    def newly_lost(self) -> tuple[str, ...]:
        """Return who has been lost since this was last asked, and how."""
        self._drop_the_lost()
        lost, self._lost = tuple(self._lost), []
        return lost

    def tell(self, client: str, **message: Any) -> None:
        """Send a message to one of them."""
        self._runner.send_message(CHANNEL, message, client_id=client)

    @property
    def has_news(self) -> bool:
        """Whether there is something that was not reported yet."""
        return not self._heard.empty()

    def news(self) -> str | None:
        """Wait a moment; return who has joined or was refused, in words, or None."""
        try:
            _, message = self._heard.get(timeout=LOOK_S)
        except Empty:
            return None
        return str(message["what"])

    def collect(self, kind: str, clients: Sequence[str], *, within_s: float) -> dict[str, Message]:
        """Return what each of *clients* had to say, without those that are lost meanwhile.

        Raises CannotMeasure where one of them cannot go on.
        """
        said: dict[str, Message] = {}
        deadline = monotonic() + within_s
        while waiting := [client for client in clients if client in self._members and client not in said]:
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
                said[client] = message
        return said

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
            self._runner.send_message("quit", client_id=client)  # should it come back: others have its share

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
            said = {"is": "refused", "what": f"refused a load worker on {hello['host']}: {why}"}
        else:
            number = len(self._members) + 1
            who = f"load worker {number} ({hello['host']}, process {hello['pid']})"
            self._members[client] = Member(who=who, process=self.own.get(hello["pid"]))
            self.tell(client, do="welcome", who=who)
            said = {"is": "joined", "what": f"{who} has joined: {number} of {self._wanted}"}
        self._heard.put((client, said))
