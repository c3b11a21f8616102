"""Servers that misbehave, each in its own way, and one program that stalls. They serve hello."""

import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

from bench.model.scenario import Exchange, Expect, Scenario

HELLO = b'{"message": "Hello, World!"}'
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(HELLO), HELLO)
CLOSING = GOOD.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
HELLO_SCENARIO = Scenario(
    name="hello",
    exchanges=(
        Exchange(name="hello", method="GET", path="/", expect=Expect(json={"message": "Hello, World!"})),
    ),
    weights=(1,),
)


class Talk:
    """One accepted connection, as a misbehaving server sees it."""

    def __init__(self, sock: socket.socket, requests: list[bytes]) -> None:
        self.sock = sock
        self._requests = requests
        self._file = sock.makefile("rb")
        self.fields: dict[str, str] = {}  # of the request that came last

    def request(self) -> bytes:
        """Wait for the next request; return its line and body, b"" at the end."""
        line, length = self._file.readline(), 0
        self.fields = {}
        while (header := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = header.decode("latin-1").partition(":")
            self.fields[name.lower()] = value.strip()
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        body = self._file.read(length)
        if line:
            self._requests.append(line.strip() + b" " + body)
        return line

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.sock.sendall(piece)

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def server(behave: Callable[[Talk], None]) -> Iterator[SimpleNamespace]:
    """Run *behave* once per connection, each in a thread; `requests` has everything that arrived."""
    requests: list[bytes] = []
    talks: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def talk(sock: socket.socket) -> None:
        with sock, suppress(OSError, ValueError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = Talk(sock, requests)
            with conversation._file:
                behave(conversation)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                talks.append(sock)
                threads.append(threading.Thread(target=talk, args=(sock,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield SimpleNamespace(address=listener.getsockname(), requests=requests, talks=talks)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for sock in talks:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def always(*pieces: bytes, then: str = "") -> Callable[[Talk], None]:
    """Answer each request with *pieces*; afterwards close, or reset, if required."""

    def behave(talk: Talk) -> None:
        while talk.request():
            talk.send(*pieces)
            if then == "reset":
                talk.reset()
            if then:
                return

    return behave


@contextmanager
def stalling_server(
    *, wait_ms: float = 0, stall_every: int = 0, stall_ms: float = 0
) -> Iterator[SimpleNamespace]:
    """Run `stalling_server.py` in a process of its own; `process` can be stopped and continued."""
    command = [sys.executable, str(Path(__file__).with_name("stalling_server.py"))]
    command += map(str, [wait_ms, stall_every, stall_ms])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield SimpleNamespace(address=("127.0.0.1", int(process.stdout.readline())), process=process)
        finally:
            process.kill()


@contextmanager
def streaming_server(*, events: int, every_ms: float) -> Iterator[SimpleNamespace]:
    """Run `streaming_server.py` in a process of its own; `gaps()` ends it and has those of its sends."""
    command = [sys.executable, str(Path(__file__).with_name("streaming_server.py"))]
    command += map(str, [events, every_ms])
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            address = "127.0.0.1", int(process.stdout.readline())
            yield SimpleNamespace(address=address, gaps=lambda: json.loads(process.communicate()[0]))
        finally:
            process.kill()
