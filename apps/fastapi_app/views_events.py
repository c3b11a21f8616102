"""Events by FastAPI's own response (0.135 and newer); the rest is `views`."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from responses import ROUTES
from schemas import Pace, refuses
from ticks import early_s
from views import views as others

views = APIRouter(**ROUTES)


@views.get("/events", response_class=EventSourceResponse, responses=refuses(422))
async def events(pace: Annotated[Pace, Query()]):
    began_s = time.monotonic()
    for number in range(1, pace.n + 1):
        await asyncio.sleep(early_s(began_s, number, pace.every_ms))
        yield ServerSentEvent(id=str(number), data={"n": number})


views.routes += [route for route in others.routes if route.name != "events"]
