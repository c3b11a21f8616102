"""When the kernel received what a socket delivers: its own date on each packet (socket(7))."""

import platform
import socket
import struct
import sys
from contextlib import suppress
from time import time_ns

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
