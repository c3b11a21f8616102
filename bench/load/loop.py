"""What closed and open loops share: one poller, one greenlet, and every answer checked before it counts.

It waits in the kernel: in gevent's hub, an answer that comes alone would cost the client 31 µs instead of 24.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from time import perf_counter_ns

from gevent import idle

from bench.load.connections import Connection, kind_of
from bench.load.polling import IN, OUT, RDHUP, new_poller
from bench.load.recorder import Books, Ledger
from bench.load.responses import Malformed, read_response
from bench.load.targets import Target
from bench.load.templates import Request

TURN_NS = 20_000_000  # how long Locust's own greenlets wait at most


class Loop(ABC):
    """One slice: connections of one target, and the books of what they did."""

    books: Books

    def __init__(self, target: Target, connections: Sequence[Connection], *, timeout_s: float) -> None:
        self._target = target
        self._connections = connections
        self._timeout_s = timeout_s
        self._by_fd: dict[int, Connection] = {}
        self._poller = new_poller()

    @abstractmethod
    def run(self, open_ns: int, close_ns: int, *, drain_s: float) -> None:
        """Ask from now on, count from *open_ns* to *close_ns*, then wait for what is in flight."""

    @abstractmethod
    def _ledger(self, connection: Connection) -> Ledger:
        """Return where it is written down what became of the request that *connection* sent."""

    @abstractmethod
    def _verified(self, connection: Connection, now: int) -> None:
        """Write down a right answer."""

    @abstractmethod
    def _failed(self, connection: Connection, kind: str, text: str, now: int) -> None:
        """Write down that a request failed, or where none is in flight, that a connect did."""

    @abstractmethod
    def _connected(self, connection: Connection, now: int) -> None:
        """Go on with a connection that has just been opened."""

    @abstractmethod
    def _ready(self, connection: Connection, now: int) -> None:
        """Go on with a connection that has its answer."""

    @abstractmethod
    def _used_up(self, connection: Connection, now: int) -> None:
        """Go on with one that was closed because its answer was the last it could give."""

    @abstractmethod
    def _given_up(self, connection: Connection, now: int) -> None:
        """Go on with one that was closed because of a failure."""

    def _ask(self, connection: Connection, request: Request) -> int:
        """Send *request*; return when that began."""
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
        """Take in what came; return whether the connection may send its next request."""
        self._ledger(connection).received_bytes += len(data)
        data = connection.buffer + data
        try:
            response = read_response(data, self._target.heads, ended=bool(ended))
        except Malformed as malformed:
            self._fail(connection, "framing", f"malformed {malformed}")
            return False
        if response is None:
            if ended:
                self._fail(connection, ended, f"connection {ended} after {len(data)} bytes")
            else:
                connection.buffer, connection.answer = data, None
            return False
        head, body = response
        request = connection.request
        connection.buffer = b""
        if mismatch := self._target.mismatch(request, head, body, connection.saved):
            self._failed(connection, *mismatch, now)
        else:
            self._verified(connection, now)
            request.answer = data if request.template.lasting and head.keep_alive else None
        if head.keep_alive and not ended and not connection.unsent:
            return True
        self._close(connection)
        self._used_up(connection, now)
        return False

    def _attend(self, connection: Connection, event: int, now: int) -> None:
        """Handle what is not simply an answer: connected, writable again, ended."""
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
        """Do what need not be done at every response."""
        for connection in self._connections:
            if connection.waits_ns(now) > self._timeout_s * 1e9:
                self._fail(connection, "timeout", f"nothing came for {self._timeout_s:g} s")
        idle()  # lets all other greenlets run; sleep(0) would not even look whether a socket has woken one

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
        """Count a failure after which the connection is of no more use."""
        now = perf_counter_ns()
        self._failed(connection, kind, text, now)
        self._close(connection)
        self._given_up(connection, now)

    def _let_go(self) -> None:
        """End: only connections that rest stay open."""
        self._poller.close()
        for connection in self._connections:
            if connection.waits or not connection.connected:
                connection.close()
