"""One connection on a plain socket, for requests that are not timed: Locust takes a second to import."""

import socket
from contextlib import suppress
from time import monotonic
from typing import Self

from bench.files import printable
from bench.load.event_stream import incoming
from bench.load.requests import Request
from bench.load.responses import Head, Heads, Malformed

READ_BYTES = 1 << 20


class NoAnswer(Exception):
    """No complete answer was received. The text says how the wait ended."""

    def __init__(self, how: str, *, ended: bool = False) -> None:
        """*ended*: the connection ended before any byte of the answer."""
        super().__init__(how)
        self.ended = ended


class HttpClient:
    """One connection, reopened if the server has ended it."""

    def __init__(self, address: tuple[str, int], limit_s: float) -> None:
        self.address = address
        self._limit_s = limit_s
        self._heads = {bodiless: Heads(bodiless=bodiless) for bodiless in (False, True)}
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self._close()

    def answer(self, request: Request) -> tuple[Head, bytes]:
        """Return the answer to *request*. Raises NoAnswer."""
        kept = self._socket is not None
        try:
            return self._answer(request)
        except NoAnswer as why:
            self._close()
            if not (kept and why.ended):
                raise
        # A server may close an idle connection. Only the result on a fresh one counts.
        try:
            return self._answer(request)
        except NoAnswer:
            self._close()
            raise

    def _answer(self, request: Request) -> tuple[Head, bytes]:
        heads = self._heads[request.template.is_head]
        reading = incoming(heads, request.template)
        stream = request.template.exchange.expect.stream
        ends = monotonic() + self._limit_s + (stream.lasts_ms / 1e3 if stream else 0.0)
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self.address, timeout=self._limit_s)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(self._limit_s)
            self._socket.sendall(request.payload)
            while monotonic() < ends:
                self._socket.settimeout(max(0.001, ends - monotonic()))
                piece = self._socket.recv(READ_BYTES)
                if (found := reading.take(piece, ended=not piece)) is not None:
                    if not piece or not found[0].keep_alive:
                        self._close()
                    return found
                if not piece:
                    came = reading.came_bytes
                    raise NoAnswer(f"connection closed after {came:,} bytes", ended=not came)
            raise TimeoutError
        except Malformed as error:
            raise NoAnswer(printable(error.text)) from error
        except TimeoutError as error:
            if not reading.came_bytes:
                raise NoAnswer(f"no answer within {self._limit_s:g} s") from error
            raise NoAnswer(f"{reading.so_far()} and did not end within {self._limit_s:g} s") from error
        except OSError as error:
            what, came = (error.strerror or str(error)).lower(), reading.came_bytes
            so_far = f" after {came:,} bytes" if came else ""
            ended = isinstance(error, ConnectionError) and not came
            raise NoAnswer(f"no answer: {what}{so_far}", ended=ended) from error

    def _close(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None
