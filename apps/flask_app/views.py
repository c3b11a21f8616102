import time

from flask import Blueprint, abort, render_template, request
from flask import session as visitor
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import joinedload, selectinload

import settings
from cache import forget, kept
from db import session
from models import Post, User
from schemas import Feed, Pace, Page, UserIn, UsersIn, Wait
from ticks import HEADERS, ticks

views = Blueprint("views", __name__)


@views.get("/")
def hello():
    return {"message": "Hello, World!"}


@views.get("/users")
def list_users():
    page = Page.model_validate(dict(request.args.items(multi=True)))
    query = select(User).where(User.id > page.after).order_by(User.id).limit(page.limit)
    if page.with_ is None:
        return [user.to_json() for user in session.scalars(query)]
    if settings.EAGER:
        query = query.options(selectinload(User.posts))
    return [user.to_json_with_posts() for user in session.scalars(query)]


@views.post("/users/batch")
def create_users_batch():
    data = UsersIn.model_validate(request.get_json(force=True)).root
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
        abort(409, "an e-mail is taken")
    return [user.to_json() for user in users], 201


@views.post("/users")
def create_user():
    data = UserIn.model_validate(request.get_json(force=True))
    user = User(name=data.name, email=data.email)
    session.add(user)
    try:
        session.commit()
    except IntegrityError:
        abort(409, "e-mail is taken")
    return user.to_json(), 201, {"Location": f"/users/{user.id}"}


@views.get("/users/<id:user_id>")
def retrieve_user(user_id):
    user = session.get(User, user_id)
    if user is None:
        abort(404)
    return user.to_json()


@views.put("/users/<id:user_id>")
def update_user(user_id):
    data = UserIn.model_validate(request.get_json(force=True))
    change = update(User).where(User.id == user_id).values(name=data.name, email=data.email)
    try:
        user = session.scalar(change.returning(User))
        session.commit()
    except IntegrityError:
        abort(409, "e-mail is taken")
    if user is None:
        abort(404)
    forget()
    return user.to_json()


@views.delete("/users/<id:user_id>")
def delete_user(user_id):
    deleted = session.execute(delete(User).where(User.id == user_id))
    session.commit()
    if not deleted.rowcount:
        abort(404)
    forget()
    return "", 204


@views.get("/posts")
def list_posts():
    feed = Feed.model_validate(dict(request.args.items(multi=True)))

    def read():
        query = select(Post).order_by(Post.id.desc())
        if settings.EAGER:
            query = query.options(joinedload(Post.author, innerjoin=True))
        if feed.author is not None:
            query = query.where(Post.author_id == feed.author)
        posts = session.scalars(query.limit(feed.limit))
        return [post.to_json() for post in posts]

    return kept(f"posts-{feed.limit}-{feed.author}", read)


@views.get("/users/page")
def users_page():
    users = session.scalars(select(User).order_by(User.id).limit(20))
    return render_template("users.html", users=users)


@views.get("/session")
def visit():
    visits = visitor.get("visits", 0) + 1
    visitor["visits"] = visits
    return {"visits": visits}


@views.get("/wait")
def wait():
    ms = Wait.model_validate(dict(request.args.items(multi=True))).ms
    time.sleep(ms / 1000)
    return {"waited_ms": ms}


@views.get("/events")
def events():
    pace = Pace.model_validate(dict(request.args.items(multi=True)))
    return ticks(pace.n, pace.every_ms), HEADERS


@views.get("/health")
def health():
    try:
        session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        abort(503, "database is away")
    return {"status": "ok"}
