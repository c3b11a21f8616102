"""Server-sent events that leave when they are due: `python streaming_server.py EVENTS EVERY_MS`.

It prints its port. When its standard input ends, it prints the gaps between its sends, in ns. While anybody
is connected it never sleeps.
"""

import heapq
import json
import select
import socket
import sys
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(number: int) -> bytes:
    event = b'id: %d\ndata: {"n": %d}\n\n' % (number, number)
    return b"%x\r\n%b\r\n" % (len(event), event)


def main() -> None:
    events, every_ns = int(sys.argv[1]), round(float(sys.argv[2]) * 1e6)
    poller, talks, due, sent, gaps = select.poll(), {}, [], {}, []
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as listener:
        for fd in (listener.fileno(), sys.stdin.fileno()):
            poller.register(fd, select.POLLIN)
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            for fd, _ in poller.poll(0 if talks else 20):
                if fd == sys.stdin.fileno():
                    sys.stdout.write(json.dumps(gaps))
                    return
                if fd == listener.fileno():
                    sock, _ = listener.accept()
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    talks[sock.fileno()] = sock
                    poller.register(sock.fileno(), select.POLLIN)
                elif not talks[fd].recv(65_536):
                    poller.unregister(fd)
                    talks.pop(fd).close()
                else:
                    began_ns = time.perf_counter_ns()
                    talks[fd].send(HEAD)
                    for number in range(1, events + 1):
                        heapq.heappush(due, (began_ns + (number - 1) * every_ns, number, fd))
            while due and time.perf_counter_ns() >= due[0][0]:
                _, number, fd = heapq.heappop(due)
                if fd in talks:
                    now_ns = time.perf_counter_ns()
                    talks[fd].send(chunk(number) + b"0\r\n\r\n" * (number == events))
                    if number > 1:
                        gaps.append(now_ns - sent[fd])
                    sent[fd] = now_ns


if __name__ == "__main__":
    main()
