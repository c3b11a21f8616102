"""Events at a given pace: each is due so long after the first, however late the one before was."""

import time

HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


def ticks(n, every_ms):
    began = time.monotonic()
    for number in range(1, n + 1):
        time.sleep(max(0, began + (number - 1) * every_ms / 1000 - time.monotonic()))
        yield f'id: {number}\ndata: {{"n": {number}}}\n\n'
