"""The fastest server that Python can be: it answers from the request alone, and does nothing else.

`python -m bench.load.null --port 8000` answers `GET /` with a greeting, for any load generator:
what that reaches is its own ceiling, not a server's. Answers for a whole scenario
come from `bench.load.null.server`.

On loopback nearly all that a request costs is its sender's `send`: in the kernel it does the receiver's part,
too. A server sends as often as its client, so it can hardly be cheaper: only what it does besides counts.
"""

import argparse
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from bench.load.null.responder import GREETING, Answer, Respond, missing_bytes, only_response, responder
from bench.load.polling import IN, RDHUP, new_poller

_READ_BYTES = 65_536
_ONCE = getattr(select, "EPOLLET", 0)  # report every arrival once; only epoll has it
# The server sleeps briefly so that requests accumulate: to wake a sleeping process costs the sender of a
# request more than all else it does. It sleeps only while fewer than one in _ONE_IN connections has sent
# a request, and only with at least _MANY connections, so the client stays busy. The sleep takes some 60 µs.
_ONE_IN, _MANY, _NAP_S = 4, 32, 0.000_01
_ACCEPT_AGAIN_S = 0.01


class Talk(Protocol):
    events: int  # what it waits for

    def answered(self, event: int) -> bool:
        """Answer the requests received. Return whether the connection is still open."""

    def close(self) -> None: ...


class RequestReader:
    """Reads requests and answers each one when it is complete."""

    events = IN

    def __init__(self, respond: Respond, sock: socket.socket) -> None:
        self.close = sock.close
        self._recv, self._send = sock.recv, sock.send
        self._respond = respond
        self._pieces: list[bytes] = []  # of an incomplete request
        self._missing = 0  # bytes that it needs at least

    def answered(self, event: int) -> bool:
        piece = self._recv(_READ_BYTES)
        if self._missing > len(piece) > 0:
            self._pieces.append(piece)
            self._missing -= len(piece)
            return True
        request = b"".join((*self._pieces, piece)) if self._pieces else piece
        if response := self._respond(request):
            self._send(response)
            self._pieces, self._missing = [], 0
        elif request:
            self._pieces, self._missing = [request], missing_bytes(request)
        return bool(piece)


class Unseen:
    """Gives the same answer to whatever arrives. Reads now and then to empty the socket's buffer.

    It assumes that a request arrives in one piece and that the next one waits for its answer.
    """

    events = IN | RDHUP | _ONCE
    _MOST = 64  # requests left unread

    def __init__(self, response: bytes, sock: socket.socket) -> None:
        self.close = sock.close
        self._recv, self._send = sock.recv, sock.send
        self._response = response
        self._unread = 0

    def answered(self, event: int) -> bool:
        if event != IN:  # it ends, perhaps after a last request
            due = self._recv(_READ_BYTES).count(b"\r\n\r\n") - self._unread
            self._send(self._response * due)
            return False
        self._send(self._response)
        self._unread += 1
        if self._unread == self._MOST:
            self._recv(_READ_BYTES)
            self._unread = 0
        return True


def talker(answers: Sequence[Answer]) -> Callable[[socket.socket], Talk]:
    response = only_response(answers)
    if response and _ONCE:
        return partial(Unseen, response)
    return partial(RequestReader, responder(answers))


def serve(
    listener: socket.socket, talker: Callable[[socket.socket], Talk], *, until_eof_of: int | None = None
) -> None:
    """Answer every request on *listener*, until descriptor *until_eof_of* ends."""
    poller = new_poller()
    poller.register(listener.fileno(), IN)
    if until_eof_of is not None:
        poller.register(until_eof_of, IN)
    talks: dict[int, Talk] = {}
    while True:
        ready = poller.poll(60)
        for fd, event in ready:
            if talk := talks.get(fd):
                try:
                    stays = talk.answered(event)
                except OSError:
                    stays = False
                if not stays:
                    poller.unregister(fd)
                    talks.pop(fd).close()
            elif fd == listener.fileno():
                try:
                    sock, _ = listener.accept()
                except OSError as error:  # for example no descriptor is left: the client reports it
                    sys.stderr.write(f"the null server cannot accept: {error}\n")
                    time.sleep(_ACCEPT_AGAIN_S)
                    continue
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                talk = talks[sock.fileno()] = talker(sock)
                poller.register(sock.fileno(), talk.events)
            elif not os.read(fd, _READ_BYTES):
                return
        if len(ready) * _ONE_IN < len(talks) >= _MANY:
            time.sleep(_NAP_S)


def _read_exactly(fd: int, count: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < count and (piece := os.read(fd, count - len(pieces))):
        pieces += piece
    return bytes(pieces)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.load.null", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--answers-bytes", type=int, default=0, help="so long is a JSON array on standard input"
    )
    parser.add_argument("--cores", default="", help="cores to stay on, as in 0,2")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    if options.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    answers = [Answer(**answer) for answer in json.loads(_read_exactly(0, options.answers_bytes) or b"[]")]
    with socket.create_server(("127.0.0.1", options.port), backlog=1024) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            serve(listener, talker(answers or [GREETING]), until_eof_of=0 if options.until_eof else None)


if __name__ == "__main__":
    main()
