"""Sessions that are kept on the server, in the database or in Redis: a cookie has nothing but a key."""

import json
from datetime import UTC, datetime
from secrets import token_urlsafe

from flask.sessions import SecureCookieSessionInterface, SessionMixin
from redis import Redis
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

import db
import settings
from models import StoredSession

PATH = "/session"


class Session(dict, SessionMixin):
    key: str


class ServerSide(SecureCookieSessionInterface):
    def __init__(self, store):
        self._store = store

    def open_session(self, app, request):
        if request.path != PATH:
            return super().open_session(app, request)  # none without a secret key
        key = request.cookies.get("session")
        data = self._store.read(key) if key else None
        session = Session(data or {})
        session.key = key if data is not None else token_urlsafe()
        return session

    def save_session(self, app, session, response):
        if isinstance(session, Session):
            self._store.write(session.key, session)
            lasts = settings.SESSION_LIFETIME
            response.set_cookie("session", session.key, max_age=lasts, httponly=True, samesite="Lax")
        else:
            super().save_session(app, session, response)


class DatabaseStore:
    def read(self, key):
        now = datetime.now(UTC)
        query = select(StoredSession.data).where(StoredSession.key == key, StoredSession.expires > now)
        return db.session.scalar(query)

    def write(self, key, data):
        change = {"data": data, "expires": datetime.now(UTC) + settings.SESSION_LIFETIME}
        query = insert(StoredSession).values(key=key, **change)
        db.session.execute(query.on_conflict_do_update(index_elements=[StoredSession.key], set_=change))
        db.session.commit()


class RedisStore:
    def __init__(self):
        self._redis = Redis.from_url(settings.VALKEY_URL)

    def read(self, key):
        data = self._redis.get(f"session:{key}")
        return None if data is None else json.loads(data)

    def write(self, key, data):
        self._redis.set(f"session:{key}", json.dumps(data), ex=settings.SESSION_LIFETIME)


sessions = ServerSide(RedisStore() if settings.SESSIONS == "redis" else DatabaseStore())
