"""Ports: how many connections are possible at once, and whether servers find theirs."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports for the client's ends of connections, and for servers. None: unknown."""

    ephemeral: int | None = None
    taken: int | None = None  # of those, with ended connections that still linger
    requested: int = 0  # for servers, on loopback, all at once
    opened: int = 0


def ports(requested: int, *, limits: Path = RANGE, tables: tuple[Path, ...] = TABLES) -> Ports:
    opened = _open(requested)
    try:
        first, last = _range(limits)
        lines = [line for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    except (OSError, ValueError):
        return Ports(requested=requested, opened=opened)
    # The second column is the local end, ADDRESS:PORT in hexadecimal (the kernel's proc_net_tcp.rst).
    local = {int(line.split()[1].rpartition(":")[2], 16) for line in lines}
    taken = sum(first <= port <= last for port in local)
    return Ports(ephemeral=last - first + 1, taken=taken, requested=requested, opened=opened)


def local_ports(limits: Path = RANGE) -> int | None:
    try:
        first, last = _range(limits)
    except (OSError, ValueError):
        return None
    return last - first + 1


def _range(limits: Path) -> tuple[int, int]:
    first, last = map(int, limits.read_text().split())
    return first, last


def _open(requested: int) -> int:
    with ExitStack() as listening:
        for opened in range(requested):
            try:
                listening.enter_context(socket.create_server(("127.0.0.1", 0)))
            except OSError:
                return opened
    return requested
