import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

import settings
from cache import forget, kept
from db import SessionDep
from models import Post, User
from responses import ROUTES
from schemas import (
    Feed,
    Pace,
    Page,
    PostOut,
    UserBody,
    UserId,
    UserIn,
    UserOut,
    UsersBody,
    UsersIn,
    UserWithPostsOut,
    VisitsOut,
    Wait,
    WaitOut,
    refuses,
    takes,
    with_posts,
)
from sessions import Visitor
from ticks import EventStream, async_ticks

views = APIRouter(**ROUTES)
templates = Jinja2Templates("templates")


@views.get("/")
async def hello():
    return {"message": "Hello, World!"}


@views.get(
    "/users",
    response_model=list[UserOut],
    responses={200: {"model": list[UserOut] | list[UserWithPostsOut]}, **refuses(422)},
)
async def list_users(page: Annotated[Page, Query()], session: SessionDep):
    query = select(User).where(User.id > page.after).order_by(User.id).limit(page.limit)
    if page.with_ is None:
        return (await session.scalars(query)).all()
    if settings.EAGER:
        query = query.options(selectinload(User.posts))
    users = (await session.scalars(query)).all()
    if not settings.EAGER:
        for user in users:  # a lazy load cannot await
            posts = await session.scalars(select(Post).where(Post.author_id == user.id).order_by(Post.id))
            set_committed_value(user, "posts", posts.all())
    return with_posts(users)


@views.post(
    "/users/batch",
    response_model=list[UserOut],
    status_code=201,
    responses=refuses(400, 409, 422),
    openapi_extra=takes(UsersIn),
)
async def create_users_batch(data: UsersBody, session: SessionDep):
    users = [User(name=member.name, email=member.email) for member in data]
    try:
        if settings.BATCH:
            session.add_all(users)
        else:
            for user in users:
                session.add(user)
                await session.flush()
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "an e-mail is taken") from None
    return users


@views.post(
    "/users",
    response_model=UserOut,
    status_code=201,
    responses=refuses(400, 409, 422),
    openapi_extra=takes(UserIn),
)
async def create_user(data: UserBody, session: SessionDep, response: Response):
    user = User(name=data.name, email=data.email)
    session.add(user)
    try:
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "e-mail is taken") from None
    response.headers["Location"] = f"/users/{user.id}"
    return user


@views.get("/users/{id:id}", response_model=UserOut, responses=refuses(404))
async def retrieve_user(user_id: UserId, session: SessionDep):
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404)
    return user


@views.put(
    "/users/{id:id}",
    response_model=UserOut,
    responses=refuses(400, 404, 409, 422),
    openapi_extra=takes(UserIn),
)
async def update_user(user_id: UserId, data: UserBody, session: SessionDep):
    change = update(User).where(User.id == user_id).values(name=data.name, email=data.email)
    try:
        user = await session.scalar(change.returning(User))
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "e-mail is taken") from None
    if user is None:
        raise HTTPException(404)
    await forget()
    return user


@views.delete("/users/{id:id}", status_code=204, responses=refuses(404))
async def delete_user(user_id: UserId, session: SessionDep):
    deleted = await session.execute(delete(User).where(User.id == user_id))
    await session.commit()
    if not deleted.rowcount:
        raise HTTPException(404)
    await forget()


@views.get("/posts", response_model=list[PostOut], responses=refuses(422))
async def list_posts(feed: Annotated[Feed, Query()], session: SessionDep, response: Response):

    async def read():
        query = select(Post).order_by(Post.id.desc())
        if settings.EAGER:
            query = query.options(joinedload(Post.author, innerjoin=True))
        if feed.author is not None:
            query = query.where(Post.author_id == feed.author)
        posts = (await session.scalars(query.limit(feed.limit))).all()
        if not settings.EAGER:
            for post in posts:  # a lazy load cannot await
                set_committed_value(post, "author", await session.get(User, post.author_id))
        return posts

    posts, headers = await kept(f"posts-{feed.limit}-{feed.author}", read)
    response.headers.update(headers)
    return posts


@views.get("/users/page", response_class=HTMLResponse)
async def users_page(request: Request, session: SessionDep):
    users = await session.scalars(select(User).order_by(User.id).limit(20))
    return templates.TemplateResponse(request, "users.html", {"users": users})


@views.get("/session", response_model=VisitsOut)
async def visit(visitor: Visitor):
    visits = visitor.get("visits", 0) + 1
    visitor["visits"] = visits
    return {"visits": visits}


@views.get("/wait", response_model=WaitOut, responses=refuses(422))
async def wait(query: Annotated[Wait, Query()]):
    ms = query.ms
    await asyncio.sleep(ms / 1000)
    return {"waited_ms": ms}


@views.get("/events", response_class=EventStream, responses=refuses(422))
async def events(pace: Annotated[Pace, Query()]):
    return EventStream(async_ticks(pace.n, pace.every_ms))


@views.get("/health", responses=refuses(503))
async def health(session: SessionDep):
    try:
        await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError):  # asyncpg lets a refused connection through as it is
        raise HTTPException(503, "database is away") from None
    return {"status": "ok"}
