"""Events at a given pace: each is due so long after the first, however late the one before was."""

import asyncio
import time

from starlette.responses import StreamingResponse


class EventStream(StreamingResponse):
    media_type = "text/event-stream"

    def __init__(self, content, status_code=200):  # FastAPI documents the status that stands here
        super().__init__(content, status_code, headers={"Cache-Control": "no-cache"})


def ticks(n, every_ms):
    began = time.monotonic()
    for number in range(1, n + 1):
        time.sleep(max(0, began + (number - 1) * every_ms / 1000 - time.monotonic()))
        yield f'id: {number}\ndata: {{"n": {number}}}\n\n'


async def async_ticks(n, every_ms):
    began = time.monotonic()
    for number in range(1, n + 1):
        await asyncio.sleep(max(0, began + (number - 1) * every_ms / 1000 - time.monotonic()))
        yield f'id: {number}\ndata: {{"n": {number}}}\n\n'
