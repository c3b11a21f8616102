from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from db import SessionDep
from models import User
from schemas import Page, UserBody, UserOut

views = APIRouter()


@views.get("/")
async def hello():
    return {"message": "Hello, World!"}


@views.get("/users", response_model=list[UserOut])
async def list_users(page: Annotated[Page, Query()], session: SessionDep):
    query = select(User).where(User.id > page.after).order_by(User.id).limit(page.limit)
    users = await session.scalars(query)
    return users.all()


@views.post("/users", response_model=UserOut, status_code=201)
async def create_user(data: UserBody, session: SessionDep, response: Response):
    user = User(name=data.name, email=data.email)
    session.add(user)
    try:
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "e-mail is taken") from None
    response.headers["Location"] = f"/users/{user.id}"
    return user


@views.get("/users/{user_id:id}", response_model=UserOut)
async def retrieve_user(user_id: int, session: SessionDep):
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404)
    return user


@views.put("/users/{user_id:id}", response_model=UserOut)
async def update_user(user_id: int, data: UserBody, session: SessionDep):
    change = update(User).where(User.id == user_id).values(name=data.name, email=data.email)
    try:
        user = await session.scalar(change.returning(User))
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "e-mail is taken") from None
    if user is None:
        raise HTTPException(404)
    return user


@views.delete("/users/{user_id:id}", status_code=204)
async def delete_user(user_id: int, session: SessionDep):
    deleted = await session.execute(delete(User).where(User.id == user_id))
    await session.commit()
    if not deleted.rowcount:
        raise HTTPException(404)


@views.get("/health")
async def health(session: SessionDep):
    try:
        await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError):  # asyncpg lets a refused connection through as it is
        raise HTTPException(503, "database is away") from None
    return {"status": "ok"}
