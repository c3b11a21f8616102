"""Fetches what connections need before a slice begins: a log-in's token, a cookie, the id of an account.

This is done once for a connection and a server, a few connections at a time, and counted separately. Saved
values are valid as long as the server runs, or until its data are restored. Values that requests use up are
not kept.
"""

from collections import deque
from collections.abc import Mapping
from random import Random
from time import perf_counter_ns

from bench.load.child.connections import Connection, Exhausted, Target
from bench.load.child.loop import TURN_NS, Traffic
from bench.load.child.recorder import Books, Outcomes
from bench.load.mix import Mix
from bench.load.polling import IN, RDHUP
from bench.load.requests import JAR, Saved, jar_of

LIMIT_S = 30.0  # for all connections together
SHARED = 32  # connections of an open loop that fetch for all, if the values can be shared
_AT_ONCE = 8  # a log-in may take 60 ms of a core: all at once would be too slow
_ATTEMPTS = 3  # per connection; after that its requests show the failure


class SettingUp(Traffic):
    """The requests that must come first, on the connections of one target."""

    books: Books

    def __init__(
        self,
        target: Target,
        numbered: Mapping[Connection, int],
        mix: Mix,
        seed: int,
        *,
        timeout_s: float,
    ) -> None:
        """Fetch what requests of *mix* need.

        *numbered*: connections with their numbers in the whole slice.
        """
        connections = tuple(numbered)
        super().__init__(target, connections, timeout_s=timeout_s)
        self.books = Books()
        self._mix = mix
        self._randoms = {one: Random(f"{seed}/{number}/first") for one, number in numbered.items()}
        self._left = dict.fromkeys(connections, _ATTEMPTS)
        self._due = deque(one for one in connections if mix.due_first(one.saved))
        self._busy = 0
        self.is_hopeless = False  # no connection has what it needs

    def run(self, limit_s: float = LIMIT_S) -> None:
        """Send the requests. The books have their cost, and the reason if they could not be completed."""
        began_ns = perf_counter_ns()
        until_ns = began_ns + round(limit_s * 1e9)
        wanted = len(self._due)
        try:
            self._go_on()
            while self._busy and perf_counter_ns() < until_ns:
                turn_ns = perf_counter_ns() + TURN_NS
                for fd, event in self._poller.poll(TURN_NS / 1e9):
                    if connection := self._by_fd.get(fd):
                        self._attend(connection, event, perf_counter_ns())
                if perf_counter_ns() >= turn_ns:
                    self._turn(perf_counter_ns())
                self._go_on()
            if missing := self._busy + len(self._due):
                self.is_hopeless = missing == wanted
                self.books.broken = (
                    f"setting up took over {limit_s:g} s: {wanted - missing} of {wanted} connections have "
                    "what their requests need: fewer connections, or a request that saves it in less time"
                )
        except Exhausted as exhausted:
            self.books.broken = str(exhausted)
        finally:
            self._let_go()
        setup = self.books.setup
        setup.requests, setup.failed = self.books.lead_in.requests, self.books.lead_in.failures.total()
        setup.took_s = (perf_counter_ns() - began_ns) / 1e9 if wanted else 0.0

    def _go_on(self) -> None:
        while self._due and self._busy < _AT_ONCE:
            connection = self._due.popleft()
            self._busy += 1
            if connection.connected:
                self._watch(connection, IN | RDHUP)
                self._ready(connection, perf_counter_ns())
            else:
                self._open(connection)

    def _ready(self, connection: Connection, now: int) -> None:
        template = self._mix.due_first(connection.saved) if self._left[connection] else None
        if template is not None:
            self._ask(connection, template.request(self._randoms[connection], connection.saved))
            return
        self._busy -= 1
        del self._by_fd[connection.fd]
        self._poller.unregister(connection.fd)
        connection.idle()

    def _connected(self, connection: Connection, now: int) -> None:
        self._ready(connection, now)

    def _ledger(self, connection: Connection) -> Outcomes:
        return self.books.lead_in

    def _verified(self, connection: Connection, now: int) -> None:
        self.books.lead_in.latencies[connection.request.template].append(now - connection.sent_ns)

    def _failed(self, connection: Connection, kind: str, text: str, now: int) -> None:
        # A second wait after a timeout would use up all the time available.
        self._left[connection] = 0 if kind in ("timeout", "unended") else self._left[connection] - 1
        self.books.lead_in.failed(connection.request if connection.waits else None, kind, text)

    def _used_up(self, connection: Connection, now: int) -> None:
        self._busy -= 1
        if self._left[connection] and self._mix.due_first(connection.saved):
            self._due.append(connection)

    def _given_up(self, connection: Connection, now: int) -> None:
        self._used_up(connection, now)


def set_up(
    target: Target,
    numbered: Mapping[Connection, int],
    mix: Mix,
    seed: int,
    *,
    is_any: bool,
    timeout_s: float,
    scenario: str,
) -> Books | None:
    """Let connections fetch what requests of *mix* need. Return the books, or None if nothing is needed.

    *is_any*: a request may go to any of the connections. Then a few fetch for all, if values can be shared.
    """
    if not mix.is_set_up:
        return None
    if why := target.hopeless.get(scenario):
        books = Books()
        books.broken = why
        return books
    connections = list(numbered)
    fetching = connections[:SHARED] if is_any and mix.can_be_shared else connections
    each = {connection: numbered[connection] for connection in fetching}
    setting_up = SettingUp(target, each, mix, seed, timeout_s=timeout_s)
    setting_up.run()
    if setting_up.is_hopeless:
        target.hopeless[scenario] = setting_up.books.broken
    for number, connection in enumerate(connections[len(fetching) :]):
        _share(mix, fetching[number % len(fetching)].saved, connection.saved)
    return setting_up.books


def _share(mix: Mix, fetched: Saved, saved: Saved) -> None:
    for name in mix.kept:
        if name in fetched and not saved.get(name):
            saved[name] = list(fetched[name])
    if JAR in fetched and JAR not in saved:
        saved[JAR] = [jar_of(fetched).copy()]
