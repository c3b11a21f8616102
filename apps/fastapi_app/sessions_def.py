"""`sessions` for handlers that do not await; in the database."""

from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from db_def import SessionDep
from models import StoredSession
from settings import EARLY, SESSION_LIFETIME


def open_session(request: Request, response: Response, session: SessionDep):
    key, now = request.cookies.get("session"), datetime.now(UTC)
    query = select(StoredSession.data).where(StoredSession.key == key, StoredSession.expires > now)
    data = session.scalar(query) if key else None
    if data is None:
        key, data = token_urlsafe(), {}
    lasts_s = int(SESSION_LIFETIME.total_seconds())
    response.set_cookie("session", key, max_age=lasts_s, httponly=True, samesite="lax")
    yield data
    change = {"data": data, "expires": now + SESSION_LIFETIME}
    query = insert(StoredSession).values(key=key, **change)
    session.execute(query.on_conflict_do_update(index_elements=[StoredSession.key], set_=change))
    session.commit()


# Kept before the response is sent: the next request finds it.
Visitor = Annotated[dict[str, Any], Depends(open_session, **EARLY)]
