"""The two reads of users with SQL by hand, over the connection that the ORM has; the rest is `views`."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from sqlalchemy import text

from db import SessionDep
from responses import ROUTES
from schemas import Page, UserId, UserOut, refuses
from views import list_users as list_users_by_orm
from views import views as others

views = APIRouter(**ROUTES)
ONE = text("SELECT id, name, email FROM users WHERE id = :id")
PAGE = text("SELECT id, name, email FROM users WHERE id > :after ORDER BY id LIMIT :limit")


@views.get("/users", response_model=list[UserOut], responses=refuses(422))
async def list_users(page: Annotated[Page, Query()], session: SessionDep):
    if page.with_ is not None:
        return await list_users_by_orm(page, session)
    users = await session.execute(PAGE, {"after": page.after, "limit": page.limit})
    return users.mappings().all()


@views.get("/users/{id:id}", response_model=UserOut, responses=refuses(404))
async def retrieve_user(user_id: UserId, session: SessionDep):
    user = (await session.execute(ONE, {"id": user_id})).mappings().first()
    if user is None:
        raise HTTPException(404)
    return user


by_hand = {route.name for route in views.routes}
views.routes += [route for route in others.routes if route.name not in by_hand]
