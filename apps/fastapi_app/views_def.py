import time
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import joinedload, selectinload

import settings
from db_def import SessionDep
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
from sessions_def import Visitor
from ticks import EventStream, ticks

views = APIRouter(**ROUTES)
templates = Jinja2Templates("templates")


@views.get("/")
def hello():
    return {"message": "Hello, World!"}


@views.get(
    "/users",
    response_model=list[UserOut],
    responses={200: {"model": list[UserOut] | list[UserWithPostsOut]}, **refuses(422)},
)
def list_users(page: Annotated[Page, Query()], session: SessionDep):
    query = select(User).where(User.id > page.after).order_by(User.id).limit(page.limit)
    if page.with_ is None:
        return session.scalars(query).all()
    if settings.EAGER:
        query = query.options(selectinload(User.posts))
    return with_posts(session.scalars(query).all())


@views.post(
    "/users/batch",
    response_model=list[UserOut],
    status_code=201,
    responses=refuses(400, 409, 422),
    openapi_extra=takes(UsersIn),
)
def create_users_batch(data: UsersBody, session: SessionDep):
    users = [User(name=member.name, email=member.email) for member in data]
    try:
        if settings.BATCH:
            session.add_all(users)
        else:
            for user in users:
                session.add(user)
                session.flush()
        session.commit()
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
def create_user(data: UserBody, session: SessionDep, response: Response):
    user = User(name=data.name, email=data.email)
    session.add(user)
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(409, "e-mail is taken") from None
    response.headers["Location"] = f"/users/{user.id}"
    return user


@views.get("/users/{id:id}", response_model=UserOut, responses=refuses(404))
def retrieve_user(user_id: UserId, session: SessionDep):
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(404)
    return user


@views.put(
    "/users/{id:id}",
    response_model=UserOut,
    responses=refuses(400, 404, 409, 422),
    openapi_extra=takes(UserIn),
)
def update_user(user_id: UserId, data: UserBody, session: SessionDep):
    change = update(User).where(User.id == user_id).values(name=data.name, email=data.email)
    try:
        user = session.scalar(change.returning(User))
        session.commit()
    except IntegrityError:
        raise HTTPException(409, "e-mail is taken") from None
    if user is None:
        raise HTTPException(404)
    return user


@views.delete("/users/{id:id}", status_code=204, responses=refuses(404))
def delete_user(user_id: UserId, session: SessionDep):
    deleted = session.execute(delete(User).where(User.id == user_id))
    session.commit()
    if not deleted.rowcount:
        raise HTTPException(404)


@views.get("/posts", response_model=list[PostOut], responses=refuses(422))
def list_posts(feed: Annotated[Feed, Query()], session: SessionDep):
    query = select(Post).order_by(Post.id.desc())
    if settings.EAGER:
        query = query.options(joinedload(Post.author, innerjoin=True))
    if feed.author is not None:
        query = query.where(Post.author_id == feed.author)
    posts = session.scalars(query.limit(feed.limit))
    return posts.all()


@views.get("/users/page", response_class=HTMLResponse)
def users_page(request: Request, session: SessionDep):
    users = session.scalars(select(User).order_by(User.id).limit(20))
    return templates.TemplateResponse(request, "users.html", {"users": users})


@views.get("/session", response_model=VisitsOut)
def visit(visitor: Visitor):
    visits = visitor.get("visits", 0) + 1
    visitor["visits"] = visits
    return {"visits": visits}


@views.get("/wait", response_model=WaitOut, responses=refuses(422))
def wait(query: Annotated[Wait, Query()]):
    ms = query.ms
    time.sleep(ms / 1000)
    return {"waited_ms": ms}


@views.get("/events", response_class=EventStream, responses=refuses(422))
def events(pace: Annotated[Pace, Query()]):
    return EventStream(ticks(pace.n, pace.every_ms))


@views.get("/health", responses=refuses(503))
def health(session: SessionDep):
    try:
        session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        raise HTTPException(503, "database is away") from None
    return {"status": "ok"}
