"""Ports of loopback: free ones, and the listeners on one."""

import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress

import psutil

HOST = "127.0.0.1"
ANY = ("0.0.0.0", "::")  # every address of the machine


def free_ports(count: int) -> list[int]:
    with ExitStack() as probes:
        opened = [probes.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in opened]


def is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def listened(pids: Iterable[int]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for pid in pids:
        with suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    found.append((connection.laddr.ip, connection.laddr.port))
    return found


def listens(pids: Iterable[int], port: int) -> bool:
    """Return whether one of *pids* listens on *port*. A free port may have been taken since."""
    return any(known == port for _, known in listened(pids))


def sockets_of_files(pids: Iterable[int]) -> list[str]:
    found: dict[str, None] = {}
    for pid in pids:
        with suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections("unix"):
                if str(connection.laddr).startswith("/"):
                    found[str(connection.laddr)] = None
    return list(found)


def reaches(listening: tuple[str, int], address: tuple[str, int]) -> bool:
    """Return whether a connection to the IPv4 *address* can arrive at the *listening* address."""
    (ip, port), (wanted_ip, wanted_port) = listening, address
    return port == wanted_port and ip in (wanted_ip, f"::ffff:{wanted_ip}", *ANY)
