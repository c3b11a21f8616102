"""When the kernel received what a socket delivers: its own date on each packet (socket(7)).

Reading that takes 1 µs more, so only a sample of the reads is dated.
"""

import platform
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns, time_ns

# The number is that of asm-generic/socket.h, and structures have words of eight bytes there.
_HAS_DATES = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
SO_TIMESTAMPNS = 35 if _HAS_DATES else None
_DATE, _DATE_BYTES = struct.Struct("qq"), 64


def stamp(sock: socket.socket, on: bool) -> None:
    """Have the kernel date what *sock* receives, or no more. Nothing happens where it cannot."""
    if SO_TIMESTAMPNS is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, int(on))


def read_dated(sock: socket.socket, size: int) -> tuple[bytes, int | None]:
    """Return the data received, and how many nanoseconds ago the kernel received their last part.

    None: it has not dated them. Raises OSError.
    """
    data, beside, _, _ = sock.recvmsg(size, _DATE_BYTES)
    now_ns = time_ns()
    for level, kind, value in beside:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(value) >= _DATE.size:
            seconds, nanoseconds = _DATE.unpack_from(value)
            return data, now_ns - seconds * 1_000_000_000 - nanoseconds
    return data, None


class Dating:
    """Notes in *wakes_ns*, of one in so many reads, how long before the read the kernel had the data."""

    def __init__(self, wakes_ns: list[int], one_in: int) -> None:
        self._wakes_ns, self._one_in = wakes_ns, one_in
        self._left = one_in

    def recv_of(self, sock: socket.socket) -> Callable[[int], bytes]:
        """Return what to call in place of its `recv`. The reads of all sockets are counted together."""
        plain = sock.recv

        def recv(size: int) -> bytes:
            self._left -= 1
            if self._left > 0:
                return plain(size)
            self._left, began_ns = self._one_in, perf_counter_ns()
            data, ago_ns = read_dated(sock, size)
            if ago_ns is not None:
                self._wakes_ns.append(max(0, ago_ns - (perf_counter_ns() - began_ns)))
            return data

        return recv
