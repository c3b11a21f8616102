"""What closed and open loops share: one poller, one greenlet, and a check of every answer before it counts.

The loop waits in the kernel. In gevent's hub, an answer that arrives alone would cost the client 31 µs
instead of 24.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from time import perf_counter_ns

from gevent import idle

from bench.load.child.connections import Connection, Target, kind_of
from bench.load.child.recorder import Books, Outcomes
from bench.load.polling import IN, OUT, RDHUP, new_poller
from bench.load.requests import Request
from bench.load.responses import SET_COOKIE, Incoming, Malformed, read_whole

TURN_NS = 20_000_000  # the longest wait of Locust's own greenlets


class Traffic(ABC):
    """Connections of one target, and the record of their requests."""

    books: Books

    def __init__(self, target: Target, connections: Sequence[Connection], *, timeout_s: float) -> None:
        self._target = target
        self._connections = connections
        self._timeout_s = timeout_s
        self._by_fd: dict[int, Connection] = {}
        self._poller = new_poller()

    @abstractmethod
    def _ledger(self, connection: Connection) -> Outcomes: ...

    @abstractmethod
    def _verified(self, connection: Connection, now: int) -> None: ...

    @abstractmethod
    def _failed(self, connection: Connection, kind: str, text: str, now: int) -> None:
        """Record that a request failed. If none is in flight, record that a connect failed."""

    @abstractmethod
    def _connected(self, connection: Connection, now: int) -> None: ...

    @abstractmethod
    def _ready(self, connection: Connection, now: int) -> None: ...

    @abstractmethod
    def _used_up(self, connection: Connection, now: int) -> None:
        """Continue with a connection that was closed because its answer was the last on it."""

    @abstractmethod
    def _given_up(self, connection: Connection, now: int) -> None: ...

    def _ask(self, connection: Connection, request: Request) -> int:
        """Send *request*. Return when sending began."""
        connection.request = request
        connection.answer = request.answer
        payload = request.payload
        connection.sent_ns = sent_ns = perf_counter_ns()
        try:
            sent = connection.send(payload)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._break(connection, error)
            return sent_ns
        if sent != len(payload):
            connection.unsent = payload[sent:]
            self._poller.modify(connection.fd, IN | OUT | RDHUP)
        return sent_ns

    def _received(self, connection: Connection, data: bytes, now: int, ended: str) -> bool:
        """Process received data. Return whether the connection may send its next request."""
        self._ledger(connection).received_bytes += len(data)
        request, incoming = connection.request, connection.incoming
        try:
            if incoming is not None:
                response = incoming.take(data, ended=bool(ended))
            elif (response := read_whole(data, self._target.heads_of(request))) is None:
                heads = self._target.heads_of(request)
                incoming = Incoming(heads, keep_bytes=request.template.keep_bytes)
                response = incoming.take(data, ended=bool(ended))
        except Malformed as malformed:
            self._fail(connection, malformed.kind, malformed.text)
            return False
        if response is None:
            if ended:
                so_far = f"; {incoming.so_far()}" if incoming and incoming.head else ""
                came = incoming.came_bytes if incoming else 0
                self._fail(connection, ended, f"connection {ended} after {came} bytes{so_far}")
            else:
                connection.incoming, connection.answer = incoming, None
            return False
        head, body = response
        if incoming is not None and incoming.is_open_ended:
            self._target.ends[request.template.exchange.name] = True
        connection.incoming = None
        if mismatch := self._target.mismatch(request, head, body, connection.saved):
            connection.is_doubted = connection.is_doubted or bool(request.template.needs)
            self._failed(connection, *mismatch, now)
        else:
            self._verified(connection, now)
            # Only an answer that arrives in one piece can be compared as a whole.
            template = request.template
            known = incoming is None and template.lasting and head.keep_alive
            if known and template.keeps_cookies:
                known = SET_COOKIE not in head.fields
            request.answer = data if known else None
        if head.keep_alive and not ended and not connection.unsent:
            return True
        self._close(connection)
        self._used_up(connection, now)
        return False

    def _attend(self, connection: Connection, event: int, now: int) -> None:
        """Handle an event that is not simply an answer: connected, writable again, ended."""
        try:
            if not connection.connected:
                connection.finish_opening()
                self._poller.modify(connection.fd, IN | RDHUP)
                self._connected(connection, now)
            elif event == OUT:
                if connection.send_rest():
                    self._poller.modify(connection.fd, IN | RDHUP)
            else:
                data, ended = connection.read_all()
                if self._received(connection, data, now, ended):
                    self._ready(connection, now)
        except OSError as error:
            self._break(connection, error)

    def _turn(self, now: int) -> None:
        for connection in self._connections:
            if connection.waits_ns(now) > self._timeout_s * 1e9:
                self._time_out(connection)
        idle()  # runs all other greenlets; sleep(0) would not check whether a socket has woken one

    def _time_out(self, connection: Connection) -> None:
        incoming = connection.incoming
        if incoming is None:
            self._fail(connection, "timeout", f"nothing came for {self._timeout_s:g} s")
        elif incoming.is_open_ended:
            self._target.ends.setdefault(connection.request.template.exchange.name, False)
            self._fail(connection, "unended", f"{incoming.so_far()} and never ended")
        else:
            self._fail(
                connection, "timeout", f"{incoming.so_far()} and had not ended in {self._timeout_s:g} s"
            )

    def _unended(self) -> list[Connection]:
        """Return the connections whose answer has begun without a length and has not ended."""
        return [one for one in self._connections if one.waits and one.incoming and one.incoming.is_open_ended]

    def _learn_whether_they_end(self, unended: Sequence[Connection], wait: Callable[[int], None]) -> None:
        """Wait until the time of *unended* is over, if it is unknown whether such answers end."""
        ends = self._target.ends
        if any(one.request.template.exchange.name not in ends for one in unended):
            wait(max(one.sent_ns for one in unended) + round(self._timeout_s * 1e9))
            for one in self._unended():
                ends.setdefault(one.request.template.exchange.name, False)

    def _never_ends(self, connection: Connection) -> bool:
        return self._target.ends.get(connection.request.template.exchange.name) is False

    def _watch(self, connection: Connection, events: int) -> None:
        self._by_fd[connection.fd] = connection
        self._poller.register(connection.fd, events)

    def _open(self, connection: Connection) -> None:
        self.books.connects += 1
        connection.open()
        self._watch(connection, OUT)

    def _close(self, connection: Connection) -> None:
        del self._by_fd[connection.fd]
        self._poller.unregister(connection.fd)
        connection.close()

    def _break(self, connection: Connection, error: OSError) -> None:
        self._fail(connection, kind_of(error), str(error.strerror))

    def _fail(self, connection: Connection, kind: str, text: str) -> None:
        now = perf_counter_ns()
        self._failed(connection, kind, text, now)
        self._close(connection)
        self._given_up(connection, now)

    def _let_go(self) -> None:
        self._poller.close()
        for connection in self._connections:
            if connection.waits and connection.request.template.exchange.save:
                connection.is_doubted = True  # it may have changed the values saved before
            if connection.waits or not connection.connected or self.books.broken:
                connection.close()


class Loop(Traffic):
    @abstractmethod
    def run(self, open_ns: int, close_ns: int, *, drain_s: float) -> None:
        """Send requests from now on, count from *open_ns* to *close_ns*, then wait for those in flight."""
