"""A server of known arithmetic: `python -m bench.doctor.known KIND SEED [--cores 0,1]`.

It prints its port. When its standard input ends, it prints what it noted of each request (`served.py`).
While anybody is connected it never sleeps. Yet the system may keep it from its core, so it notes when the
kernel had a request, and counts from there.
"""

import argparse
import gc
import heapq
import os
import socket
import sys
import time
from contextlib import suppress

from bench.doctor.known.behaviours import Behaviour
from bench.doctor.known.kinds import KINDS
from bench.doctor.known.served import Served
from bench.files import to_json
from bench.load import receipts
from bench.load.null.responder import GREETING, only_response
from bench.load.polling import IN, new_poller

_READ_BYTES = 65_536
_IDLE_S = 0.02


class ArithmeticServer:
    def __init__(self, listener: socket.socket, behaviour: Behaviour) -> None:
        self._listener = listener
        self._behaviour = behaviour
        self._talks: dict[int, socket.socket] = {}  # by descriptor
        self._asked: dict[int, socket.socket] = {}  # by number of the request
        self._due: list[tuple[int, int]] = []  # a heap: when, number
        # By number of the request:
        self._received_ns: list[int] = []
        self._read_ns: list[int] = []
        self._due_ns: dict[int, int] = {}
        self._sent_ns: dict[int, int] = {}
        self._answer_bytes = only_response([GREETING]) or b""

    def serve(self) -> None:
        """Serve until standard input ends."""
        poller, clock, due = new_poller(), time.perf_counter_ns, self._due
        poller.register(self._listener.fileno(), IN)
        poller.register(sys.stdin.fileno(), IN)
        while True:
            for fd, _ in poller.poll(0 if self._talks else _IDLE_S):
                if fd == sys.stdin.fileno():
                    return
                if fd != self._listener.fileno():
                    if not self._take(fd):
                        poller.unregister(fd)
                        self._talks.pop(fd).close()
                    continue
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                receipts.stamp(sock, True)
                self._talks[sock.fileno()] = sock
                poller.register(sock.fileno(), IN)
            while due and (now := clock()) >= due[0][0]:
                self._answer(now)

    def _take(self, fd: int) -> bool:
        """Take a request, which comes in one piece. Return whether its connection is still open."""
        sock = self._talks[fd]
        try:
            data, ago_ns = receipts.read_dated(sock, _READ_BYTES)
        except OSError:
            return False
        if not data:
            return False
        now, number = time.perf_counter_ns(), len(self._read_ns)
        received_ns = now - (ago_ns or 0)
        self._asked[number] = sock
        self._received_ns.append(received_ns)
        self._read_ns.append(now)
        for settled, at_ns in self._behaviour.take(number, received_ns):
            self._due_ns[settled] = at_ns
            heapq.heappush(self._due, (at_ns, settled))
        return True

    def _answer(self, now: int) -> None:
        _, number = heapq.heappop(self._due)
        self._sent_ns[number] = now
        with suppress(OSError):  # its client has gone
            self._asked.pop(number).send(self._answer_bytes)

    def served(self) -> list[Served]:
        return [
            Served(
                received_ns=received_ns,
                read_ns=read_ns,
                due_ns=self._due_ns.get(number),
                sent_ns=self._sent_ns.get(number),
            )
            for number, (received_ns, read_ns) in enumerate(
                zip(self._received_ns, self._read_ns, strict=True)
            )
        ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.doctor.known", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("seed", type=int)
    parser.add_argument("--cores", default="", help="cores to stay on, as in 0,2")
    options = parser.parse_args()
    if options.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, map(int, options.cores.split(",")))
    gc.disable()
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as listener:
        server = ArithmeticServer(listener, KINDS[options.kind].behaviour(options.seed))
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        server.serve()
    sys.stdout.buffer.write(to_json(server.served()))


if __name__ == "__main__":
    main()
