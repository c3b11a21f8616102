"""The closed loop: each connection sends its next request when its answer has arrived.

Latency starts just before the request is passed to the kernel. It ends when the last part of the response is
ready to be read. Each response is checked before its connection continues.
"""

from collections.abc import Sequence
from math import inf
from time import perf_counter_ns

from gevent import idle

from bench.load.answers import check
from bench.load.child.connections import READ_BYTES, Connection, Exhausted, Target
from bench.load.child.loop import TURN_NS, Loop
from bench.load.child.recorder import ClosedBooks, Outcomes
from bench.load.polling import IN, RDHUP
from bench.load.receipts import Dating
from bench.load.responses import Incoming, Malformed

# One read in 16 is dated: of every fourth connection one in four. That costs up to 0.6 µs of CPU per request,
# as the kernel then dates every packet of the machine. So it is done only where the client has the time.
DATED_CONNECTIONS, DATED_ONE_IN = 4, 4
DATED_BELOW_RPS = 20_000


class ClosedLoop(Loop):
    """One slice: the connections of one target send requests until the window closes."""

    books: ClosedBooks

    def __init__(
        self,
        target: Target,
        connections: Sequence[Connection],
        starts: Sequence[float] = (),
        pace: tuple[str, int] = ("", 0),
        *,
        timeout_s: float,
    ) -> None:
        """Spread the first requests over the time of a mean answer, at most over the lead-in.

        *starts* has a connection's place in that time, from 0 to 1. If all began at once, answers would come
        in step, and a window would count one answer per connection more or less. The mean is remembered by
        *pace*: scenario and connections.
        """
        super().__init__(target, connections, timeout_s=timeout_s)
        self.books = ClosedBooks()
        self._starts = starts or [0.0] * len(connections)
        self._turn_ns = 0
        self._pace = pace
        self._broken: list[Connection] = []  # reopened at the next turn, not at once: fewer connects

    def run(self, open_ns: int, close_ns: int, *, drain_s: float) -> None:
        """Send requests from now on, count from *open_ns* to *close_ns*, then wait for those in flight."""
        try:
            if self.books.broken:
                return
            if self._has_time():
                dating = Dating(self.books.wakes_ns, DATED_ONE_IN)
                for connection in self._connections[::DATED_CONNECTIONS]:
                    connection.date(dating)
            self._start_all(open_ns)
            self._ask_until(open_ns)
            self.books.open_window(open_ns, self._since_ns())
            self._ask_until(close_ns)
            self._close_window(close_ns)
            self._drain(close_ns + round(drain_s * 1e9))
            if (mean_ns := self.books.window.mean_ns) is not None:
                self._target.means_ns[self._pace] = mean_ns
        except Exhausted as exhausted:
            self.books.broken = str(exhausted)
        finally:
            self._let_go()
            for connection in self._connections:
                connection.date_no_more()

    def _has_time(self) -> bool:
        """Return whether answers came slowly in the last slice like this one."""
        mean_ns = self._target.means_ns.get(self._pace, 0.0)
        return mean_ns * DATED_BELOW_RPS > len(self._connections) * 1e9

    def _start_all(self, open_ns: int) -> None:
        began_ns = perf_counter_ns()
        self._turn_ns = began_ns + TURN_NS
        spread_ns = min(self._target.means_ns.get(self._pace, inf), max(0, open_ns - began_ns))
        ordered = sorted(zip(self._starts, self._connections, strict=True), key=lambda pair: pair[0])
        for start, connection in ordered:
            if start and spread_ns:
                self._ask_until(began_ns + round(start * spread_ns))
            if connection.connected:
                self._watch(connection, IN | RDHUP)
                self._ask(connection, connection.next())
            else:
                self._open(connection)

    def _close_window(self, close_ns: int) -> None:
        waiting = sum(connection.waits for connection in self._connections)
        self.books.close_window(close_ns, self._since_ns(), waiting)

    def _since_ns(self) -> list[int]:
        return [connection.since_ns for connection in self._connections]

    def _ask_until(self, until_ns: int) -> None:
        poll, by_fd, clock, ask = self._poller.poll, self._by_fd, perf_counter_ns, self._ask
        ledger = self.books.current
        latencies = ledger.latencies
        turnaround_ns = 0  # a local variable, at half the cost
        now = clock()
        turn_ns = self._turn_ns
        try:
            while now < until_ns:
                for fd, event in poll(max(0, min(turn_ns, until_ns) - now) / 1e9):
                    now = clock()
                    if now >= until_ns:
                        return
                    connection = by_fd[fd]
                    if event != IN:
                        self._attend(connection, event, now)
                        continue
                    try:
                        data = connection.recv(READ_BYTES)
                    except OSError as error:
                        self._break(connection, error)
                        continue
                    if data == connection.answer:
                        latencies[connection.request.template].append(now - connection.sent_ns)
                        ledger.received_bytes += len(data)
                    elif not self._received(connection, data, now, "" if data else "closed"):
                        continue
                    turnaround_ns += ask(connection, connection.next()) - now
                now = clock()
                if now >= turn_ns:
                    self._turn(now)
                    now = clock()
                    turn_ns = now + TURN_NS
        finally:
            self._turn_ns = turn_ns
            self.books.turnaround_ns += turnaround_ns

    def _turn(self, now: int) -> None:
        super()._turn(now)
        while self._broken:
            connection = self._broken.pop()
            self._open(connection)
            self.books.closed_ns += connection.opened_ns - connection.closed_ns

    def _ledger(self, connection: Connection) -> Outcomes:
        return self.books.current

    def _verified(self, connection: Connection, now: int) -> None:
        self.books.current.latencies[connection.request.template].append(now - connection.sent_ns)

    def _failed(self, connection: Connection, kind: str, text: str, now: int) -> None:
        if connection.waits:
            self.books.current.failed(connection.request, kind, text)
            self.books.lost_ns += now - connection.sent_ns
        else:
            self.books.current.failed(None, kind, text)
            self.books.connecting_ns += now - connection.opened_ns

    def _connected(self, connection: Connection, now: int) -> None:
        self.books.connecting_ns += now - connection.opened_ns
        self._ready(connection, now)

    def _ready(self, connection: Connection, now: int) -> None:
        self.books.turnaround_ns += self._ask(connection, connection.next()) - now

    def _used_up(self, connection: Connection, now: int) -> None:
        self._open(connection)
        self.books.turnaround_ns += connection.opened_ns - now

    def _given_up(self, connection: Connection, now: int) -> None:
        connection.closed_ns = now
        self._broken.append(connection)

    def _drain(self, until_ns: int) -> None:
        """Read the outstanding answers without counting them, so that their connections stay usable."""
        for connection in self._connections:
            if connection.sock and (connection.unsent or not connection.waits):
                self._close(connection)  # still sending, or connecting
        self._drain_until(until_ns)
        if unended := self._unended():
            self._learn_whether_they_end(unended, self._drain_until)
        for connection in filter(self._never_ends, self._unended()):
            if connection.incoming:
                self.books.never_ended(connection.request, connection.incoming.so_far())

    def _drain_until(self, until_ns: int) -> None:
        while any(one.waits for one in self._connections) and (left_ns := until_ns - perf_counter_ns()) > 0:
            for fd, _ in self._poller.poll(min(left_ns, TURN_NS) / 1e9):
                self._take_last(self._by_fd[fd])
            idle()

    def _take_last(self, connection: Connection) -> None:
        data, ended = connection.read_all()
        template = connection.request.template
        incoming = connection.incoming or Incoming(
            self._target.heads_of(connection.request), keep_bytes=template.keep_bytes
        )
        connection.incoming = incoming
        try:
            response = incoming.take(data, ended=bool(ended))
        except Malformed:
            response, ended = None, "malformed"
        if response and incoming.is_open_ended:
            self._target.ends[template.exchange.name] = True
        if response and (template.exchange.save or template.keeps_cookies):
            # It is not counted, but later requests may depend on it.
            connection.is_doubted |= bool(check(connection.request, *response, connection.saved))
        if ended or (response and not response[0].keep_alive):
            self._close(connection)
        elif response:
            self._poller.unregister(connection.fd)
            connection.idle()
