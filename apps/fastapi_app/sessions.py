"""Sessions that are kept on the server, in the database or in Redis: a cookie has nothing but a key."""

import json
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

import settings
from db import SessionDep
from models import StoredSession


class DatabaseStore:
    def __init__(self, session: SessionDep):
        self._session = session

    async def read(self, key):
        now = datetime.now(UTC)
        query = select(StoredSession.data).where(StoredSession.key == key, StoredSession.expires > now)
        return await self._session.scalar(query)

    async def write(self, key, data):
        change = {"data": data, "expires": datetime.now(UTC) + settings.SESSION_LIFETIME}
        query = insert(StoredSession).values(key=key, **change)
        query = query.on_conflict_do_update(index_elements=[StoredSession.key], set_=change)
        await self._session.execute(query)
        await self._session.commit()


class RedisStore:
    redis = Redis.from_url(settings.VALKEY_URL) if settings.SESSIONS == "redis" else None

    async def read(self, key):
        data = await self.redis.get(f"session:{key}")
        return None if data is None else json.loads(data)

    async def write(self, key, data):
        await self.redis.set(f"session:{key}", json.dumps(data), ex=settings.SESSION_LIFETIME)


StoreDep = Annotated[Any, Depends(RedisStore if settings.SESSIONS == "redis" else DatabaseStore)]


async def open_session(request: Request, response: Response, store: StoreDep):
    key = request.cookies.get("session")
    data = await store.read(key) if key else None
    if data is None:
        key, data = token_urlsafe(), {}
    lasts_s = int(settings.SESSION_LIFETIME.total_seconds())
    response.set_cookie("session", key, max_age=lasts_s, httponly=True, samesite="lax")
    yield data
    await store.write(key, data)


# Kept before the response is sent: the next request finds it.
Visitor = Annotated[dict[str, Any], Depends(open_session, **settings.EARLY)]
