"""A keep-alive connection, below what is asked on it."""

import errno
import socket
from collections.abc import Callable, Iterator
from time import perf_counter_ns

from gevent.monkey import get_original

from bench.load.templates import Request, Saved

READ_BYTES = 65_536
# Locust replaces sockets by ones that switch greenlets at every call; the loop wants the kernel's own.
_socket: type[socket.socket] = get_original("socket", "socket")
_KINDS = {  # what a contender can do to a connection; any other error is the harness's
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}


def kind_of(error: OSError) -> str:
    """Return the kind of failure that *error* is; raises it where the contender has no part in it."""
    if error.errno not in _KINDS:
        raise error
    return _KINDS[error.errno]


class Connection:
    """One connection, opened anew when it has ended. It waits for one answer at most."""

    fd: int
    recv: Callable[[int], bytes]
    send: Callable[[bytes], int]
    next: Callable[[], Request]
    saved: Saved
    request: Request  # sent last

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.sock: socket.socket | None = None  # None: closed
        self.connected = False
        self.opened_ns = 0
        self.idle()

    def idle(self) -> None:
        """Wait for nothing."""
        self.sent_ns = 0
        self.answer: bytes | None = None  # what comes next, where that is known to the byte
        self.buffer = self.unsent = b""

    @property
    def waits(self) -> bool:
        """Whether it has asked and has no answer yet."""
        return self.sent_ns > 0

    def begin(self, requests: Iterator[Request], saved: Saved) -> None:
        """Take up a slice: ask *requests*, which draw on *saved*."""
        self.next, self.saved = requests.__next__, saved

    def open(self) -> int:
        """Begin to connect; return an error number, or 0 while nothing speaks against it."""
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        sock = self.sock = _socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fd, self.recv, self.send = sock.fileno(), sock.recv, sock.send
        self.opened_ns = perf_counter_ns()
        error = sock.connect_ex(self.address)
        return 0 if error == errno.EINPROGRESS else error

    def finish_connecting(self) -> int:
        """Return an error number, or 0 when it is connected."""
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if self.sock else errno.ENOTCONN
        self.connected = error == 0
        return error

    def read_all(self) -> tuple[bytes, str]:
        """Return all that has come, and how it ended: "closed", "reset", or "" while it is open."""
        pieces: list[bytes] = []
        while True:
            try:
                data = self.recv(READ_BYTES)
            except BlockingIOError:
                return b"".join(pieces), ""
            except OSError:
                return b"".join(pieces), "reset"
            if not data:
                return b"".join(pieces), "closed"
            pieces.append(data)

    def close(self) -> None:
        """Close it, whatever it was doing."""
        self.idle()
        self.connected = False
        if self.sock is not None:
            self.sock.close()
            self.sock = None
