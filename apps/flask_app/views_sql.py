"""The two reads of users with SQL by hand, over the connection that the ORM has; the rest is `views`."""

from flask import abort, request
from sqlalchemy import text

from db import session
from schemas import Page
from views import list_users as list_users_by_orm
from views import views

ONE = text("SELECT id, name, email FROM users WHERE id = :id")
PAGE = text("SELECT id, name, email FROM users WHERE id > :after ORDER BY id LIMIT :limit")


def list_users():
    page = Page.model_validate(dict(request.args.items(multi=True)))
    if page.with_ is not None:
        return list_users_by_orm()
    users = session.execute(PAGE, {"after": page.after, "limit": page.limit})
    return [dict(user) for user in users.mappings()]


def retrieve_user(user_id):
    user = session.execute(ONE, {"id": user_id}).mappings().first()
    if user is None:
        abort(404)
    return dict(user)


@views.record
def take_over(state):
    by_hand = {"views.list_users": list_users, "views.retrieve_user": retrieve_user}
    state.app.view_functions |= by_hand
