from flask import Blueprint, abort, request
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from db import session
from models import User
from schemas import Page, UserIn

views = Blueprint("views", __name__)


@views.get("/")
def hello():
    return {"message": "Hello, World!"}


@views.get("/users")
def list_users():
    page = Page.model_validate(dict(request.args.items(multi=True)))
    query = select(User).where(User.id > page.after).order_by(User.id).limit(page.limit)
    users = session.scalars(query)
    return [user.to_json() for user in users]


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
    return user.to_json()


@views.delete("/users/<id:user_id>")
def delete_user(user_id):
    deleted = session.execute(delete(User).where(User.id == user_id))
    session.commit()
    if not deleted.rowcount:
        abort(404)
    return "", 204


@views.get("/health")
def health():
    try:
        session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        abort(503, "database is away")
    return {"status": "ok"}
