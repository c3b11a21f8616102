import asyncio

from flask import Blueprint, request

from schemas import Wait

waiting = Blueprint("waiting", __name__)


@waiting.get("/async/wait")
async def wait():
    ms = Wait.model_validate(dict(request.args.items(multi=True))).ms
    await asyncio.sleep(ms / 1000)
    return {"waited_ms": ms}
