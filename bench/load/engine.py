"""The closed loop: each connection sends its next request when it has its answer. One epoll, one greenlet.

It waits in the kernel: in gevent's hub, an answer that comes alone would cost the client 31 µs instead of 24.
Latency runs from just before the kernel is given the request to the moment the last piece of its response is
found ready to be read. Each response is checked before its connection goes on.
"""

from collections.abc import Sequence
from time import perf_counter_ns

from gevent import idle

from bench.load.connections import READ_BYTES, Connection, kind_of
from bench.load.polling import IN, OUT, RDHUP, new_poller
from bench.load.recorder import Books
from bench.load.responses import Malformed, read_response
from bench.load.targets import Target

_TURN_NS = 20_000_000  # how long Locust's own greenlets wait at most


class ClosedLoop:
    """One slice: connections of one target, asking until the window closes."""

    def __init__(self, target: Target, connections: Sequence[Connection], *, timeout_s: float) -> None:
        self.books = Books()
        self._target = target
        self._connections = connections
        self._timeout_s = timeout_s
        self._by_fd: dict[int, Connection] = {}
        self._failed: list[Connection] = []  # opened again at the next turn, not at once: no hammering
        self._poller = new_poller()

    def run(self, open_ns: int, close_ns: int, *, drain_s: float) -> None:
        """Ask from now on, count from *open_ns* to *close_ns*, then wait for what is in flight."""
        try:
            for connection in self._connections:
                if connection.connected:
                    self._watch(connection, IN | RDHUP)
                    self._ask(connection)
                else:
                    self._open(connection)
            self._ask_until(open_ns)
            self.books.open_window()
            self._ask_until(close_ns)
            self.books.close_window(unfinished=sum(connection.waits for connection in self._connections))
            self._drain(close_ns + round(drain_s * 1e9))
        finally:
            self._poller.close()
            for connection in self._connections:
                if connection.waits or not connection.connected:
                    connection.close()

    def _ask_until(self, until_ns: int) -> None:
        """Go round until *until_ns*; what is ready then stays in the poller for what comes next."""
        poll, by_fd, clock = self._poller.poll, self._by_fd, perf_counter_ns
        books, latencies = self.books, self.books.latencies
        now = clock()
        turn_ns = now + _TURN_NS
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
                    books.received_bytes += len(data)
                elif not self._received(connection, data, now, "" if data else "closed"):
                    continue
                self._ask(connection)
            now = clock()
            if now >= turn_ns:
                self._turn(now)
                now = clock()
                turn_ns = now + _TURN_NS

    def _ask(self, connection: Connection) -> None:
        """Send the next request."""
        connection.request = request = connection.next()
        connection.answer = request.answer
        payload = request.payload
        connection.sent_ns = perf_counter_ns()
        try:
            sent = connection.send(payload)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._break(connection, error)
            return
        if sent != len(payload):
            connection.unsent = payload[sent:]
            self._poller.modify(connection.fd, IN | OUT | RDHUP)

    def _received(self, connection: Connection, data: bytes, now: int, ended: str) -> bool:
        """Take in what came; return whether the connection may send its next request."""
        self.books.received_bytes += len(data)
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
            self.books.failed(request, *mismatch)
        else:
            self.books.latencies[request.template].append(now - connection.sent_ns)
            request.answer = data if request.template.lasting and head.keep_alive else None
        if head.keep_alive and not ended and not connection.unsent:
            return True
        self._close(connection)
        self._open(connection)
        return False

    def _attend(self, connection: Connection, event: int, now: int) -> None:
        """Handle what is not simply an answer: connected, writable again, ended."""
        try:
            if not connection.connected:
                connection.finish_opening()
                self._poller.modify(connection.fd, IN | RDHUP)
                self._ask(connection)
            elif event == OUT:
                if connection.send_rest():
                    self._poller.modify(connection.fd, IN | RDHUP)
            else:
                data, ended = connection.read_all()
                if self._received(connection, data, now, ended):
                    self._ask(connection)
        except OSError as error:
            self._break(connection, error)

    def _turn(self, now: int) -> None:
        """Do what need not be done at every response."""
        for connection in self._connections:
            if connection.waits_ns(now) > self._timeout_s * 1e9:
                self._fail(connection, "timeout", f"nothing came for {self._timeout_s:g} s")
        while self._failed:
            self._open(self._failed.pop())
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
        self.books.failed(connection.request if connection.waits else None, kind, text)
        self._close(connection)
        self._failed.append(connection)

    def _drain(self, until_ns: int) -> None:
        """Take in the answers still to come, uncounted, so that their connections stay usable."""
        for connection in self._connections:
            if connection.sock and (connection.unsent or not connection.waits):
                self._close(connection)  # still sending, or connecting
        while any(c.waits for c in self._connections) and (left_ns := until_ns - perf_counter_ns()) > 0:
            for fd, _ in self._poller.poll(min(left_ns, _TURN_NS) / 1e9):
                connection = self._by_fd[fd]
                data, ended = connection.read_all()
                connection.buffer += data
                try:
                    response = read_response(connection.buffer, self._target.heads, ended=bool(ended))
                except Malformed:
                    response, ended = None, "malformed"
                if ended or (response and not response[0].keep_alive):
                    self._close(connection)
                elif response:
                    self._poller.unregister(fd)
                    connection.idle()
            idle()
