"""A server of one thread: it waits before each answer, and now and then it does nothing at all for a while.

`python stalling_server.py WAIT_MS STALL_EVERY STALL_MS` prints its port. Every STALL_EVERY-th request blocks
the thread for STALL_MS when it comes in (0: none does).
"""

import asyncio
import itertools
import sys
import time

BODY = b'{"message": "Hello, World!"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


async def main(wait_ms: float, stall_every: float, stall_ms: float) -> None:
    loop = asyncio.get_running_loop()
    numbers = itertools.count(1)

    class Answering(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            if stall_every and next(numbers) % stall_every == 0:
                time.sleep(stall_ms / 1000)
            loop.call_later(wait_ms / 1000, self.transport.write, ANSWER)

    listening = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await listening.serve_forever()


asyncio.run(main(*map(float, sys.argv[1:])))
