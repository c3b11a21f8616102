"""A target: a server, and the keep-alive connections to it."""

import errno
import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns

from gevent.monkey import get_original

from bench.load import receipts
from bench.load.answers import WHOLE_BYTES, KnownBodies, Mismatch, check, keep_cookies
from bench.load.receipts import Dating
from bench.load.requests import Request, Saved
from bench.load.responses import Head, Heads, Incoming

READ_BYTES = 65_536
_MOST_READS = 16
# Locust replaces sockets by ones that switch greenlets at every call. The loop needs the original ones.
_socket: type[socket.socket] = get_original("socket", "socket")
_KINDS = {  # failures that a contender can cause
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}
_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Exhausted(Exception):
    """This machine has no resources for another connection. It is not a failure of the contender."""


def exhaustion(error: OSError) -> str | None:
    """Return which resource of this machine is used up, with the remedy.

    None if *error* has another cause.
    """
    match error.errno:
        case errno.EMFILE:
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            remedy = "raise that (ulimit -n), or have fewer connections"
            return f"no descriptor left: {limit:,} may be open: {remedy}"
        case errno.ENFILE:
            return "no descriptor left on this machine: raise fs.file-max, or have fewer connections"
        case errno.EADDRNOTAVAIL | errno.EADDRINUSE:
            return (
                f"no port left{_port_range()}: widen net.ipv4.ip_local_port_range, or have fewer connections"
            )
        case errno.ENOBUFS | errno.ENOMEM:
            return f"no socket left: {error.strerror}: have fewer connections"
    return None


def _port_range() -> str:
    try:
        first, last = _PORTS.read_text().split()
    except (OSError, ValueError):
        return ""
    return f": {first}-{last} are in use"


def kind_of(error: OSError) -> str:
    """Return the kind of failure of *error*. Raises Exhausted, or *error* itself if its kind is unknown."""
    if what := exhaustion(error):
        raise Exhausted(what) from error
    if error.errno not in _KINDS:
        raise error
    return _KINDS[error.errno]


class Connection:
    """One connection, reopened after it has ended. It has at most one request in flight."""

    fd: int
    recv: Callable[[int], bytes]
    send: Callable[[bytes], int]
    next: Callable[[], Request]
    saved: Saved
    request: Request  # the last one sent

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.sock: socket.socket | None = None  # None: closed
        self.connected = False
        self.opened_ns = self._error = 0
        self.closed_ns = 0  # when it was closed after a failure
        self.kept: dict[str, Saved] = {}  # by scenario: values that outlive a slice
        self.saved = {}
        self.is_doubted = False  # a request failed that used the saved values
        self.due_ns = 0  # open loop: due time of the last request sent
        self._dating: Dating | None = None
        self.idle()

    def idle(self) -> None:
        self.sent_ns = 0
        self.answer: bytes | None = None  # the next answer, if all its bytes are known
        self.incoming: Incoming | None = None  # an incomplete answer
        self.unsent = b""

    @property
    def waits(self) -> bool:
        return self.sent_ns > 0

    @property
    def since_ns(self) -> int:
        """When its present wait began: for an answer, else for the connect, else since it was closed."""
        return self.sent_ns or (self.closed_ns if self.sock is None else self.opened_ns)

    def waits_ns(self, now: int) -> int:
        if self.sock is None or (self.connected and not self.waits):
            return 0
        return now - (self.sent_ns or self.opened_ns)

    def open(self) -> None:
        """Start to connect. The result is known when the socket is ready to write. Raises Exhausted."""
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        try:
            sock = self.sock = _socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise Exhausted(exhaustion(error) or f"no socket left: {error.strerror}") from error
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fd, self.recv, self.send = sock.fileno(), sock.recv, sock.send
        self._date_reads()
        self.opened_ns = perf_counter_ns()
        self._error = sock.connect_ex(self.address)

    def finish_opening(self) -> None:
        """Mark it as connected. Raises OSError if the connect failed."""
        error = self._error
        if error == errno.EINPROGRESS and self.sock is not None:
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        self.connected = True

    def send_rest(self) -> bool:
        """Send what the kernel has not accepted yet. Return whether that was all. Raises OSError."""
        self.unsent = self.unsent[self.send(self.unsent) :]
        return not self.unsent

    def read_all(self) -> tuple[bytes, str]:
        """Return the data received and how they ended: "closed", "reset", or "" while it is open.

        The number of reads is limited, as a server may never stop. The rest is read at the next call.
        """
        pieces: list[bytes] = []
        for _ in range(_MOST_READS):
            try:
                data = self.recv(READ_BYTES)
            except BlockingIOError:
                return b"".join(pieces), ""
            except OSError:
                return b"".join(pieces), "reset"
            if not data:
                return b"".join(pieces), "closed"
            pieces.append(data)
        return b"".join(pieces), ""

    def date(self, dating: Dating) -> None:
        """Have *dating* note how late its reads are, until `date_no_more`."""
        self._dating = dating
        self._date_reads()

    def date_no_more(self) -> None:
        if self._dating is not None and self.sock is not None:
            receipts.stamp(self.sock, False)
            self.recv = self.sock.recv
        self._dating = None

    def _date_reads(self) -> None:
        if self._dating is not None and self.sock is not None:
            receipts.stamp(self.sock, True)
            self.recv = self._dating.recv_of(self.sock)

    def close(self) -> None:
        self.idle()
        self.connected = False
        if self.sock is not None:
            self.sock.close()
            self.sock = None


@dataclass(slots=True, kw_only=True)
class Target:
    """A server, its connections, and what is known of its answers."""

    address: tuple[str, int]
    connections: list[Connection] = field(default_factory=list)
    heads: Heads = field(default_factory=Heads)
    of_head: Heads = field(default_factory=lambda: Heads(bodiless=True))
    bodies: KnownBodies = field(default_factory=KnownBodies)
    ends: dict[str, bool] = field(default_factory=dict)  # exchange → whether its answers without a length end
    hopeless: dict[str, str] = field(default_factory=dict)  # scenario → why no connection could be set up
    means_ns: dict[tuple[str, int], float] = field(default_factory=dict)  # mean latency per scenario and load

    def take(self, count: int) -> list[Connection]:
        """Return *count* of its connections. Those that the server ended while they were idle are closed."""
        while len(self.connections) < count:
            self.connections.append(Connection(self.address))
        taken = self.connections[:count]
        for connection in taken:
            if connection.connected and connection.read_all() != (b"", ""):
                connection.close()
        return taken

    def heads_of(self, request: Request) -> Heads:
        return self.of_head if request.template.is_head else self.heads

    def mismatch(self, request: Request, head: Head, body: bytes, saved: Saved) -> Mismatch | None:
        """Compare a response with what *request* expects. A body known to be right costs one comparison."""
        template = request.template
        is_dear = template.reads_json or head.encoding or len(body) <= WHOLE_BYTES
        if not (template.lasting and template.looks and is_dear):
            return check(request, head, body, saved)  # searching a text costs less than remembering it
        expected = head.status == template.exchange.expect.status
        if expected and self.bodies.knows(request.payload, head, body):
            keep_cookies(request, head, saved)
            return None
        mismatch = check(request, head, body, saved)
        if mismatch is None:
            self.bodies.remember(request.payload, head, body)
        return mismatch

    def forget(self) -> None:
        for connection in self.connections:
            connection.kept.clear()

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
