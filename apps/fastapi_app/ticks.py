"""Events at a given pace: each is due so long after the first, however late the one before was."""

import asyncio
import time

from starlette.responses import StreamingResponse


class EventStream(StreamingResponse):
    media_type = "text/event-stream"

    def __init__(self, content, status_code=200):  # FastAPI documents the status that stands here
        super().__init__(content, status_code, headers={"Cache-Control": "no-cache"})


def early_s(began_s, number, every_ms):
    """Return how long it is until an event is due."""
    return max(0, began_s + (number - 1) * every_ms / 1000 - time.monotonic())


def ticks(n, every_ms):
    began_s = time.monotonic()
    for number in range(1, n + 1):
        time.sleep(early_s(began_s, number, every_ms))
        yield f'id: {number}\ndata: {{"n": {number}}}\n\n'


async def async_ticks(n, every_ms):
    began_s = time.monotonic()
    for number in range(1, n + 1):
        await asyncio.sleep(early_s(began_s, number, every_ms))
        yield f'id: {number}\ndata: {{"n": {number}}}\n\n'
