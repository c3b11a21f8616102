"""Apps that differ from the contract: each in one rule, but for the first two."""

import time
from contextlib import nullcontext
from typing import Any

from tests.reference_app import ReferenceApp, Refused


class HelloOnly(ReferenceApp):
    def route(self, method: str, path: str, query: str, body: bytes) -> Any:
        if path.startswith("/users"):
            raise Refused(404, "no users here")
        return super().route(method, path, query, body)


class Strange(ReferenceApp):
    """Users without an id, bodies that are lists, errors that are null."""

    def shown(self, user: dict[str, Any]) -> Any:
        return {"name": user["name"]} if user["id"] % 2 else [user]

    def error(self, detail: str) -> None:
        return None


def refusing(status: int, instead_of: int) -> Any:
    def route(app: ReferenceApp, *request: Any) -> Any:
        try:
            return ReferenceApp.route(app, *request)
        except Refused as refusal:
            right, detail = refusal.args
            raise Refused(status if right == instead_of else right, detail) from refusal

    return route


def redirecting(app: ReferenceApp, method: str, path: str, *rest: Any) -> Any:
    at_home = path if path == "/" else path.removesuffix("/")
    if at_home != path:
        return 307, {"Location": at_home}, None
    return ReferenceApp.route(app, method, path, *rest)


def as_python_reads_it(app: ReferenceApp, text: str, low: int, high: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    return ReferenceApp.integer(app, str(number), low, high)


def changing(field: str, change: Any) -> Any:
    def fields(app: ReferenceApp, body: bytes) -> Any:
        right = ReferenceApp.fields(app, body)
        return {**right, field: change(right[field])}

    return fields


def looking_before_reading(app: ReferenceApp, number: int, body: bytes) -> Any:
    app.found(number)
    return ReferenceApp.update_user(app, number, body)


def creating_what_is_missing(app: ReferenceApp, number: int, body: bytes) -> Any:
    app.users.setdefault(number, {"id": number, "name": "", "email": ""})
    return ReferenceApp.update_user(app, number, body)


def leaving_time_for_a_race(app: ReferenceApp, email: str, owner: int | None) -> None:
    ReferenceApp.expect_free(app, email, owner)
    time.sleep(0.02)


# name → what it overrides, and what the first check it fails says
WRONG_APPS: dict[str, tuple[dict[str, Any], str]] = {
    "greets otherwise": (
        {"greeting": "Hello, World"},
        'GET /: expected message = "Hello, World!", got "Hello, World"',
    ),
    "renames a field": (
        {"shown": lambda app, user: {"id": user["id"], "full_name": user["name"], "email": user["email"]}},
        'GET /users: expected [0].name = "User 1", got nothing',
    ),
    "repeats the last user of a page": (
        {"users_after": lambda app, after: (u for n, u in app.users.items() if n >= after)},
        "GET /users?after=7: expected [0].id = 8, got 7",
    ),
    "serves pages of 101": (
        {"max_limit": 101},
        'GET /users?limit=101: expected status 422, got 200 [{"id": 1, "name": "User 1", ',
    ),
    "reads integers as Python does": (
        {"integer": as_python_reads_it},
        "GET /users?limit=%2B5: expected status 422, got 200 [",
    ),
    "redirects": ({"route": redirecting}, "GET /nothing/: expected status 404, got 307 null"),
    "hides the detail": (
        {"error": lambda app, detail: {"error": detail}},
        'GET /nothing: expected a JSON object with "detail", got 404 {"error": "no GET /nothing"}',
    ),
    "calls a wrong method 404": (
        {"route": refusing(404, instead_of=405)},
        'POST /: expected status 405, got 404 {"detail": "no POST /"}',
    ),
    "calls malformed JSON 422": (
        {"route": refusing(422, instead_of=400)},
        'expected status 400, got 422 {"detail": "malformed JSON"}',
    ),
    "trims names": (
        {"fields": changing("name", str.strip)},
        'expected name = " ", got ""',
    ),
    "folds the case of e-mails": ({"fields": changing("email", str.lower)}, "expected email = "),
    "lets an e-mail end in a newline": (
        {"is_email": lambda app, email: ReferenceApp.is_email(app, str(email).removesuffix("\n"))},
        '"email": "a@b.co\\n"}: expected status 422, got 201',
    ),
    "reads NaN": (
        {"refuse_constant": lambda app, constant: None},
        "POST /users NaN: expected status 400, got 422",
    ),
    "looks for the user before it reads the body": (
        {"update_user": looking_before_reading},
        "PUT /users/0 {: expected status 400, got 404",
    ),
    "creates what PUT does not find": (
        {"update_user": creating_what_is_missing},
        ": expected status 404, got 200",
    ),
    "takes an e-mail twice": (
        {"expect_free": lambda app, email, owner: None},
        "at once, users created: expected 1, got 16",
    ),
    "keeps users from their own e-mail": (
        {"expect_free": lambda app, email, owner: ReferenceApp.expect_free(app, email, None)},
        ": expected status 200, got 409",
    ),
    "takes an e-mail twice when hurried": (
        {"lock_type": nullcontext, "expect_free": leaving_time_for_a_race},
        "at once, users created: expected 1, got ",
    ),
    "keeps what was deleted": (
        {"delete_user": lambda app, number: (204, {}, None)},
        ": expected [1].id = 10006, got 10005",
    ),
    "does not say where the new user is": (
        {"create_user": lambda app, body: (201, {}, ReferenceApp.create_user(app, body)[2])},
        ": expected Location: /users/10",
    ),
    "closes connections": (
        {"connection": "close"},
        "GET / again and again: expected a connection that is kept, got a close after request 1",
    ),
}
