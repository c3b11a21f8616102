"""The fastest server that Python can be: one canned response to every request.

`python -m bench.load.null_server --port 0 --body '{"message": "Hello, World!"}'` prints its port and
serves. What a load generator reaches here is its ceiling, not a server's.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from bench.errors import CannotMeasure
from bench.load.polling import IN, new_poller

HELLO = '{"message": "Hello, World!"}'
_READ_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@contextmanager
def null_server(body: str = HELLO, *, cores: Sequence[int] = ()) -> Iterator[tuple[str, int]]:
    """Run one in a process of its own, pinned to *cores*; yield host and port. Raises CannotMeasure."""
    command = [sys.executable, "-P", "-m", "bench.load.null_server", "--body", body, "--until-eof"]
    command += ["--cores", ",".join(map(str, cores))] if cores else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline() if process.stdout else ""
            if not port:
                raise CannotMeasure("the null server did not start: run `python -m bench.load.null_server`")
            yield "127.0.0.1", int(port)
        finally:
            process.kill()


def serve(listener: socket.socket, response: bytes, *, until_eof_of: int | None = None) -> None:
    """Answer every request on *listener* with *response*, until descriptor *until_eof_of* ends."""
    poller = new_poller()
    poller.register(listener.fileno(), IN)
    if until_eof_of is not None:
        poller.register(until_eof_of, IN)
    connections: dict[int, socket.socket] = {}
    begun: dict[int, bytes] = {}  # requests of which a part has come
    while True:
        for fd, _ in poller.poll(60):
            if fd == until_eof_of:
                if not os.read(fd, _READ_BYTES):
                    return
            elif fd == listener.fileno():
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[accepted.fileno()] = accepted
                poller.register(accepted.fileno(), IN)
            elif not _answer(connections[fd], response, begun):
                poller.unregister(fd)
                begun.pop(fd, None)
                connections.pop(fd).close()


def _answer(connection: socket.socket, response: bytes, begun: dict[int, bytes]) -> bool:
    """Read and answer a request; return whether the connection is still open."""
    try:
        piece = connection.recv(_READ_BYTES)
        if not begun and piece.endswith(_HEAD_END):  # no body: nothing to look for
            connection.send(response)
            return True
        request = begun.pop(connection.fileno(), b"") + piece
        if _is_whole(request):
            connection.send(response)
        else:
            begun[connection.fileno()] = request
        return bool(piece)
    except OSError:
        return False


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(_HEAD_END)
    length = _LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def main() -> None:
    """Serve on loopback; print the port."""
    parser = argparse.ArgumentParser(prog="bench.load.null_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--body", default=HELLO)
    parser.add_argument("--cores", default="", help="cores to stay on, as in 0,2")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    if options.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    body = options.body.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_server(("127.0.0.1", options.port), backlog=1024) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            serve(listener, head.encode() + body, until_eof_of=0 if options.until_eof else None)


if __name__ == "__main__":
    main()
