"""Ports of loopback: free ones, and who listens on one."""

import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress

import psutil

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, all different."""
    with ExitStack() as probes:
        opened = [probes.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in opened]


def listens(pids: Iterable[int], port: int) -> bool:
    """Tell whether one of *pids* listens on *port*, which was free and may have been taken since."""
    for pid in pids:
        with suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False
