"""Keeps what users of a locustfile connect to down to the server under load."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.socket import socket as gevent_socket

from bench.project.addresses import format_address

_OWN_NAMES = ("localhost", "127.0.0.1", "::1")


class OtherServer(socket.gaierror):
    """A connection that bench refused. Clients take it for a name that cannot be resolved."""


@contextmanager
def only(address: tuple[str, int]) -> Iterator[None]:
    """Refuse, to all greenlets of this process, any connection but to *address*, and other names."""
    hub = gevent.get_hub()
    resolver, connect = hub.resolver, gevent_socket.connect

    def connect_there(sock: Any, to: Any) -> Any:
        if sock.family != socket.AF_UNIX and tuple(to[:2]) != address and not _is_own(to, address):
            raise _refused(format_address(tuple(to[:2])), address)
        return connect(sock, to)

    hub.resolver = _Resolver(resolver, address)
    gevent_socket.connect = connect_there
    try:
        yield
    finally:
        hub.resolver, gevent_socket.connect = resolver, connect


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield *error* and the errors behind it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


class _Resolver:
    def __init__(self, resolver: Any, address: tuple[str, int]) -> None:
        self._resolver = resolver
        self._address = address

    def getaddrinfo(self, host: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (*_OWN_NAMES, self._address[0], None):
            raise _refused(str(name), self._address)
        return self._resolver.getaddrinfo(host, *more, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolver, name)


def _is_own(to: Any, address: tuple[str, int]) -> bool:
    return to[0] in _OWN_NAMES and address[0] in _OWN_NAMES and to[1] == address[1]


def _refused(where: str, address: tuple[str, int]) -> OtherServer:
    return OtherServer(
        socket.EAI_FAIL,
        f"{where} is another server: a locustfile's users reach {format_address(address)} alone",
    )
