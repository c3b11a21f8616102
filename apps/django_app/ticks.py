"""Events at a given pace: each is due so long after the first, however late the one before was."""

import asyncio
import time

from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse

HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


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


def streamed(request, n, every_ms):
    """Return a response with the iterator of its interface: with the other, all would come at the end."""
    stream = async_ticks if isinstance(request, ASGIRequest) else ticks
    return StreamingHttpResponse(stream(n, every_ms), headers=HEADERS)
