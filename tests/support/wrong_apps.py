"""Apps that differ from the contract: each in one rule, but for the first two."""

import json
import time
from contextlib import nullcontext
from html import escape
from itertools import islice
from typing import Any

from tests.support.reference_app import ReferenceApp, Refused


class HelloOnly(ReferenceApp):
    def route(self, method: str, path: str, query: str, body: bytes) -> Any:
        if path.startswith(("/users", "/posts")):
            raise Refused(404, "nothing but a greeting here")
        return super().route(method, path, query, body)

    def wait(self, query: str) -> Any:
        raise Refused(404, "nothing but a greeting here")

    def events(self, query: str) -> Any:
        raise Refused(404, "nothing but a greeting here")

    def visit(self, cookies: Any) -> Any:
        raise Refused(404, "nothing but a greeting here")


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
    def fields(app: ReferenceApp, parsed: Any) -> Any:
        right = ReferenceApp.fields(app, parsed)
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


def creating_one_by_one(app: ReferenceApp, body: bytes) -> Any:
    members = app.parsed(body)
    if not isinstance(members, list) or not 1 <= len(members) <= app.max_batch:
        raise Refused(422, "not a batch")
    return [app.create_user(json.dumps(member).encode())[2] for member in members]


def creating_what_is_right(app: ReferenceApp, body: bytes) -> Any:
    try:
        return ReferenceApp.create_users_batch(app, body)
    except Refused as refusal:
        if refusal.args[0] != 409:
            raise
        free = {user["email"]: user for user in app.parsed(body)}
        taken = {user["email"] for user in app.users.values()}
        return [app.added(app.fields(user)) for email, user in free.items() if email not in taken]


def skipping_the_first(app: ReferenceApp, count: int, every_ms: int) -> Any:
    return islice(ReferenceApp.stream(app, count + 1, every_ms), 1, None)


def calling_events_plain(app: ReferenceApp, *request: Any) -> Any:
    status, headers, content = ReferenceApp.answer(app, *request)
    plain = {"Content-Type": "text/plain"} if "Content-Type" in headers else {}
    return status, headers | plain, content


def filtering_what_was_limited(app: ReferenceApp, author: int | None) -> Any:
    newest = islice(ReferenceApp.posts_of(app, None), 100)
    return [post for post in newest if author is None or post["author"] == author]


def knowing_its_authors(app: ReferenceApp, author: int | None) -> Any:
    if author is not None:
        app.found(author)
    return ReferenceApp.posts_of(app, author)


def remembering_names(app: ReferenceApp, post: dict[str, Any]) -> Any:
    return {**post, "author": {"id": post["author"], "name": f"User {post['author']}"}}


def surviving_authors(app: ReferenceApp, post: dict[str, Any]) -> Any:
    author = app.users.get(post["author"], {"id": post["author"], "name": "deleted"})
    return {**post, "author": {"id": author["id"], "name": author["name"]}}


def listing_what_it_kept(app: ReferenceApp, query: str) -> Any:
    """Show the newest posts as they were when these were last requested."""
    posts = ReferenceApp.list_posts(app, query)
    if query:
        return posts
    kept, app.kept = getattr(app, "kept", None), posts
    return kept or posts


def shown_as_at_first(app: ReferenceApp) -> str:
    if not hasattr(app, "page"):
        app.page = ReferenceApp.users_page(app)
    return app.page


# name → what it overrides, what the first check it fails says, and in which file that is, where asking
# all of them would only take longer
WRONG_APPS: dict[str, tuple[Any, ...]] = {
    "greets otherwise": (
        {"greeting": "Hello, World"},
        'GET /: expected message = "Hello, World!", got "Hello, World"',
    ),
    "renames a field": (
        {"shown": lambda app, user: {"id": user["id"], "full_name": user["name"], "email": user["email"]}},
        'GET /users: expected [0].name = "User 1", got nothing',
        "test_list_users.py",
    ),
    "repeats the last user of a page": (
        {"users_after": lambda app, after: (u for n, u in app.users.items() if n >= after)},
        "GET /users?after=7: expected [0].id = 8, got 7",
        "test_list_users.py",
    ),
    "serves pages of 101": (
        {"max_limit": 101},
        'GET /users?limit=101: expected status 422, got 200 [{"id": 1, "name": "User 1", ',
        "test_list_users.py",
    ),
    "reads integers as Python does": (
        {"integer": as_python_reads_it},
        "GET /users?limit=%2B5: expected status 422, got 200 [",
        "test_list_users.py",
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
        "test_one_user.py",
    ),
    "trims names": (
        {"fields": changing("name", str.strip)},
        'expected name = " ", got ""',
        "test_user_fields.py",
    ),
    "folds the case of e-mails": (
        {"fields": changing("email", str.lower)},
        "expected email = ",
        "test_user_fields.py",
    ),
    "lets an e-mail end in a newline": (
        {"is_email": lambda app, email: ReferenceApp.is_email(app, str(email).removesuffix("\n"))},
        '"email": "a@b.co\\n"}: expected status 422, got 201',
        "test_user_fields.py",
    ),
    "takes a label that is one too long": (
        {"is_email": lambda app, email: ReferenceApp.is_email(app, str(email).replace("d" * 64, "d"))},
        "expected status 422, got 201",
        "test_user_fields.py",
    ),
    "reads NaN": (
        {"refuse_constant": lambda app, constant: None},
        "POST /users NaN: expected status 400, got 422",
        "test_user_bodies.py",
    ),
    "looks for the user before it reads the body": (
        {"update_user": looking_before_reading},
        "PUT /users/0 {: expected status 400, got 404",
        "test_one_user.py",
    ),
    "creates what PUT does not find": (
        {"update_user": creating_what_is_missing},
        ": expected status 404, got 200",
        "test_many_clients.py",
    ),
    "takes an e-mail twice": (
        {"expect_free": lambda app, email, owner: None},
        "at once, users created: expected 1, got 16",
        "test_many_clients.py",
    ),
    "keeps users from their own e-mail": (
        {"expect_free": lambda app, email, owner: ReferenceApp.expect_free(app, email, None)},
        ": expected status 200, got 409",
        "test_many_clients.py",
    ),
    "takes an e-mail twice when hurried": (
        {"lock_type": nullcontext, "expect_free": leaving_time_for_a_race},
        "at once, users created: expected 1, got ",
        "test_many_clients.py",
    ),
    "keeps what was deleted": (
        {"delete_user": lambda app, number: (204, {}, None)},
        ": expected [1].id = 10006, got 10005",
        "test_list_users.py",
    ),
    "does not say where the new user is": (
        {"create_user": lambda app, body: (201, {}, ReferenceApp.create_user(app, body)[2])},
        ": expected Location: /users/10",
        "test_one_user.py",
    ),
    "closes connections": (
        {"connection": "close"},
        "GET / again and again: expected a connection that is kept, got a close after request 1",
        "test_connections.py",
    ),
    "takes a key for an offset": (
        {"users_after": lambda app, after: islice(app.users.values(), after, None)},
        ": expected [0] = {",
        "test_list_users.py",
    ),
    "creates a batch one by one": (
        {"create_users_batch": creating_one_by_one},
        ": expected [0] = nothing, got {",
        "test_users_batch.py",
    ),
    "creates what is free of a batch": (
        {"create_users_batch": creating_what_is_right},
        ": expected status 409, got 201",
        "test_users_batch.py",
    ),
    "answers a batch in another order": (
        {"create_users_batch": lambda app, body: ReferenceApp.create_users_batch(app, body)[::-1]},
        ': expected [0].name = "Ann 2", got "Ann 1"',
        "test_users_batch.py",
    ),
    "takes a batch of 101": ({"max_batch": 101}, ": expected status 422, got 201", "test_users_batch.py"),
    "takes an empty batch": (
        {"min_batch": 0},
        "POST /users/batch []: expected status 422, got 201 []",
        "test_users_batch.py",
    ),
    "takes an e-mail twice within a batch": (
        {"expect_different": lambda app, emails: None},
        ": expected status 409, got 201",
        "test_users_batch.py",
    ),
    "lists the oldest posts": (
        {"posts_by": staticmethod(iter)},
        "GET /posts: expected [0].id = 20000, got 1",
        "test_posts.py",
    ),
    "limits posts before it looks for their author": (
        {"posts_of": filtering_what_was_limited},
        "GET /posts?author=1: expected [0] = {",
        "test_posts.py",
    ),
    "shows the name that an author had": (
        {"shown_post": remembering_names},
        'GET /posts?author=4712: expected [0].author.name = "<i>é</i>", got "User 4712"',
        "test_posts.py",
    ),
    "finds nobody without posts": (
        {"posts_of": knowing_its_authors},
        "GET /posts?author=900000000000000000: expected status 200, got 404",
        "test_posts.py",
    ),
    "keeps the posts of a deleted user": (
        {"cascade": lambda app, author: None, "shown_post": surviving_authors},
        "GET /posts?author=10000: expected [0] = nothing, got {",
        "test_posts.py",
    ),
    "does not escape": (
        {"escape": staticmethod(str)},
        "escaped, got <script> in a cell",
        "test_users_page.py",
    ),
    "escapes angle brackets only": (
        {"escape": staticmethod(lambda text: text.replace("<", "&lt;").replace(">", "&gt;"))},
        'GET /users/page: expected [0][1] = "&amp;", got "&"',
        "test_users_page.py",
    ),
    "escapes twice": (
        {"escape": staticmethod(lambda text: escape(escape(text)))},
        'GET /users/page: expected [0][1] = "<script>alert(1)</script>", got "&lt;script',
        "test_users_page.py",
    ),
    "shows a page it made before": (
        {"users_page": shown_as_at_first},
        'GET /users/page: expected [0][1] = "<script>alert(1)</script>", got "User 1"',
        "test_users_page.py",
    ),
    "calls a page plain text": (
        {"page_type": "text/plain; charset=utf-8"},
        "GET /users/page: expected Content-Type: text/html, got text/plain; charset=utf-8",
        "test_users_page.py",
    ),
    "shows the feed that it has kept": (
        {"list_posts": listing_what_it_kept},
        "reads of the feed after a write, stale: expected [0] = nothing, got",
        "test_posts.py",
    ),
    "ignores what is requested with users": (
        {"with_posts": lambda app, user: user},
        "with=posts: expected [0].posts = [",
        "test_list_users.py",
    ),
    "lets anything be requested with users": (
        {"wants_posts": lambda app, parameters: "with" in parameters},
        "GET /users?with=: expected status 422, got 200",
        "test_list_users.py",
    ),
    "counts the visits of all together": (
        {"key": lambda app, known: "everybody"},
        "GET /session: expected visits = 1, got ",
        "test_session.py",
    ),
    "begins a session at each visit": (
        {"key": lambda app, known: ReferenceApp.key(app, "")},
        "GET /session: expected visits = 2, got 1",
        "test_session.py",
    ),
    "takes over a key from outside": (
        {"key": lambda app, known: known or ReferenceApp.key(app, known)},
        "GET /session with Cookie: session=x: expected a new key",
        "test_session.py",
    ),
    "shows its key to scripts": (
        {"cookie": "session={}"},
        "GET /session: expected HttpOnly",
        "test_session.py",
    ),
    "never sends an answer again": (
        {"holds": lambda app, etag, known: bool(known)},
        "expected status 200, got 304",
        "test_revalidation.py",
    ),
    "tags all answers alike": (
        {"etag": lambda app, content: '"x"'},
        "expected status 200, got 304",
        "test_revalidation.py",
    ),
    "does not know its own tag": (
        {"holds": lambda app, etag, known: False},
        "expected status 304, got 200",
        "test_revalidation.py",
    ),
    "lets caches answer for it": (
        {"caching": "max-age=60"},
        "expected Cache-Control: no-cache, got max-age=60",
        "test_revalidation.py",
    ),
    "does not wait": (
        {"sleep": staticmethod(lambda seconds: None)},
        " ms or little more, got ",  # a busy machine may take 50 ms, though hardly a second
        "test_wait.py",
    ),
    "waits longer than a second": (
        {"max_wait_ms": 10_000},
        "GET /wait?ms=1001: expected status 422, got 200",
        "test_wait.py",
    ),
    "ends its events early": (
        {"stream": lambda app, count, every_ms: islice(ReferenceApp.stream(app, count, every_ms), 19)},
        "GET /events: expected an end after 20 events, got 19 events",
        "test_events.py",
    ),
    "sends one event too many": (
        {"stream": lambda app, count, every_ms: ReferenceApp.stream(app, count + 1, every_ms)},
        "GET /events: expected an end after 20 events, got 21 events",
        "test_events.py",
    ),
    "skips an event": (
        {"stream": skipping_the_first},
        "GET /events: expected 'id: 1\\ndata: {\"n\": 1}' as event 1, got 'id: 2",
        "test_events.py",
    ),
    "repeats an event": (
        {"event": staticmethod(lambda number: ReferenceApp.event(max(1, number - 1)))},
        "GET /events: expected 'id: 2\\ndata: {\"n\": 2}' as event 2, got 'id: 1",
        "test_events.py",
    ),
    "keeps its events until the last": (
        {"buffers": True},
        "GET /events?n=5&every_ms=100: expected 400 ms from the first event to the last, got ",
        "test_events.py",
    ),
    "calls its events plain text": (
        {"answer": calling_events_plain},
        "GET /events: expected Content-Type: text/event-stream, got text/plain",
        "test_events.py",
    ),
    "sends as many events as are requested": (
        {"most_events": 10_000},
        "GET /events?n=101: expected status 422, got 200",
        "test_events.py",
    ),
    "sends as slowly as is requested": (
        {"slowest_ms": 10_000},
        "GET /events?every_ms=101: expected status 422, got 200",
        "test_events.py",
    ),
}
