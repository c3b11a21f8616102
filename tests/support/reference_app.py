"""The contract in memory, small enough to trust: what `apps/checks` are themselves held against.

Every rule is an attribute or a short method, so that a mutant is one override.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha1
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

SEEDED = 10_000
POSTS = 20_000
BIGINT_MAX = 2**63 - 1
LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*")
PATHS = ("/", "/health", "/users", "/users/batch", "/users/page", "/posts", "/session", "/wait", "/events")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")

User = dict[str, Any]
Post = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]


class Refused(Exception):
    """An error answer: `Refused(status, detail)`."""


class ReferenceApp:
    greeting = "Hello, World!"
    max_limit = 100
    max_name = 100
    min_batch = 1
    max_batch = 100
    max_wait_ms = 1000
    most_events = 100
    slowest_ms = 100
    event = staticmethod('id: {0}\ndata: {{"n": {0}}}\n\n'.format)
    buffers = False
    posts_by = staticmethod(reversed)
    page_type = "text/html; charset=utf-8"
    escape = staticmethod(escape)
    sleep = staticmethod(time.sleep)
    connection = "keep-alive"
    lock_type: Any = Lock
    cookie = "session={}; HttpOnly; SameSite=Lax"
    caching = "no-cache"

    def __init__(self) -> None:
        self.users = {
            number: {"id": number, "name": f"User {number}", "email": f"user{number}@example.com"}
            for number in range(1, SEEDED + 1)
        }
        self.posts = {
            number: {
                "id": number,
                "title": f"Post {number}",
                "body": " ".join([f"This is what post {number} says."] * 10),
                "author": (number - 1) % SEEDED + 1,
            }
            for number in range(1, POSTS + 1)
        }
        self.by_author = defaultdict(list)
        for post in self.posts.values():
            self.by_author[post["author"]].append(post)
        self.visits: dict[str, int] = {}
        self.last_id = SEEDED
        self.lock = self.lock_type()

    def answer(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        path, _, query = target.partition("?")
        try:
            if (method, path) == ("GET", "/wait"):
                return 200, {}, self.wait(query)
            if (method, path) == ("GET", "/events"):
                return 200, {"Content-Type": "text/event-stream"}, self.events(query)
            with self.lock:
                if (method, path) == ("GET", "/session"):
                    return self.visit(SimpleCookie(headers.get("Cookie", "")))
                answer = self.route(method, path, query, body)
                may_be_cached = method == "GET" and path != "/health"
                return self.revalidated(answer, headers.get("If-None-Match", "")) if may_be_cached else answer
        except Refused as refusal:
            status, detail = refusal.args
            return status, {}, self.error(detail)

    def visit(self, cookies: SimpleCookie) -> Answer:
        key = self.key(cookies["session"].value if "session" in cookies else "")
        self.visits[key] = self.visits.get(key, 0) + 1
        return 200, {"Set-Cookie": self.cookie.format(key)}, {"visits": self.visits[key]}

    def key(self, known: str) -> str:
        return known if known in self.visits else uuid4().hex

    def revalidated(self, answer: Answer, known: str) -> Answer:
        status, headers, content = answer
        etag = self.etag(content)
        headers = {**headers, "ETag": etag, "Cache-Control": self.caching}
        return (304, headers, None) if self.holds(etag, known) else (status, headers, content)

    def etag(self, content: Any) -> str:
        return f'"{sha1(repr(content).encode()).hexdigest()}"'

    def holds(self, etag: str, known: str) -> bool:
        return etag in known.split(", ")

    def error(self, detail: str) -> Any:
        return {"detail": detail}

    def route(self, method: str, path: str, query: str, body: bytes) -> Answer:
        number = re.fullmatch("/users/([0-9]{1,18})", path)
        match path, method:
            case "/", "GET":
                return 200, {}, {"message": self.greeting}
            case "/health", "GET":
                return 200, {}, {"status": "ok"}
            case "/users", "GET":
                return 200, {}, self.list_users(query)
            case "/users", "POST":
                return self.create_user(body)
            case "/users/batch", "POST":
                return 201, {}, [self.shown(user) for user in self.create_users_batch(body)]
            case "/users/page", "GET":
                return 200, {"Content-Type": self.page_type}, self.users_page()
            case "/posts", "GET":
                return 200, {}, self.list_posts(query)
            case _, "GET" if number:
                return 200, {}, self.shown(self.found(int(number[1])))
            case _, "PUT" if number:
                return 200, {}, self.shown(self.update_user(int(number[1]), body))
            case _, "DELETE" if number:
                return self.delete_user(int(number[1]))
        raise Refused(405 if number or path in PATHS else 404, f"no {method} {path}")

    def list_users(self, query: str) -> list[User]:
        parameters = self.parameters(query)
        limit = self.integer(parameters.get("limit", "20"), 1, self.max_limit)
        after = self.integer(parameters.get("after", "0"), 0, BIGINT_MAX)
        shown = self.with_posts if self.wants_posts(parameters) else self.shown
        return [shown(user) for user in islice(self.users_after(after), limit)]

    def wants_posts(self, parameters: dict[str, str]) -> bool:
        if parameters.get("with", "posts") != "posts":
            raise Refused(422, "nothing but posts can be requested")
        return "with" in parameters

    def with_posts(self, user: User) -> Any:
        titles = [{key: post[key] for key in ("id", "title")} for post in self.by_author[user["id"]]]
        return {**user, "posts": titles}

    def parameters(self, query: str) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}

    def users_after(self, after: int) -> Iterator[User]:
        return (user for number, user in self.users.items() if number > after)

    def create_users_batch(self, body: bytes) -> list[User]:
        members = self.parsed(body)
        if not isinstance(members, list) or not self.min_batch <= len(members) <= self.max_batch:
            raise Refused(422, "not an array of 1 to 100 users")
        fields = [self.fields(member) for member in members]
        for one in fields:
            self.expect_free(one["email"], None)
        self.expect_different([one["email"] for one in fields])
        return [self.added(one) for one in fields]

    def expect_different(self, emails: list[str]) -> None:
        if len(set(emails)) < len(emails):
            raise Refused(409, "an e-mail is there twice")

    def create_user(self, body: bytes) -> Answer:
        fields = self.fields(self.parsed(body))
        self.expect_free(fields["email"], None)
        user = self.added(fields)
        return 201, {"Location": f"/users/{user['id']}"}, self.shown(user)

    def added(self, fields: User) -> User:
        self.last_id += 1
        self.users[self.last_id] = {"id": self.last_id, **fields}
        return self.users[self.last_id]

    def update_user(self, number: int, body: bytes) -> User:
        fields = self.fields(self.parsed(body))
        user = self.found(number)
        self.expect_free(fields["email"], number)
        self.users[number] = {**user, **fields}
        return self.users[number]

    def delete_user(self, number: int) -> Answer:
        self.found(number)
        del self.users[number]
        self.cascade(number)
        return 204, {}, None

    def cascade(self, author: int) -> None:
        for post in self.by_author.pop(author, []):
            del self.posts[post["id"]]

    def list_posts(self, query: str) -> list[Post]:
        parameters = self.parameters(query)
        limit = self.integer(parameters.get("limit", "20"), 1, self.max_limit)
        author = self.integer(parameters["author"], 1, BIGINT_MAX) if "author" in parameters else None
        return [self.shown_post(post) for post in islice(self.posts_of(author), limit)]

    def posts_of(self, author: int | None) -> Iterator[Post]:
        newest = self.posts_by(self.posts.values())
        return (post for post in newest if author is None or post["author"] == author)

    def shown_post(self, post: Post) -> Post:
        author = self.users[post["author"]]
        return {**post, "author": {"id": author["id"], "name": author["name"]}}

    def users_page(self) -> str:
        rows = [
            "".join(f"<td>{self.escape(str(value))}</td>" for value in user.values())
            for user in islice(self.users_after(0), 20)
        ]
        head = "<thead><tr><th>Id</th><th>Name</th><th>E-mail</th></tr></thead>"
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<!doctype html><title>Users</title><table>{head}<tbody>{body}</tbody></table>"

    def wait(self, query: str) -> dict[str, int]:
        ms = self.integer(self.parameters(query).get("ms", "50"), 0, self.max_wait_ms)
        self.sleep(ms / 1000)
        return {"waited_ms": ms}

    def events(self, query: str) -> Iterator[str]:
        parameters = self.parameters(query)
        count = self.integer(parameters.get("n", "20"), 1, self.most_events)
        every_ms = self.integer(parameters.get("every_ms", "20"), 0, self.slowest_ms)
        return self.stream(count, every_ms)

    def stream(self, count: int, every_ms: int) -> Iterator[str]:
        began = time.monotonic()
        for number in range(1, count + 1):
            self.sleep(max(0.0, began + (number - 1) * every_ms / 1000 - time.monotonic()))
            yield self.event(number)

    def found(self, number: int) -> User:
        if number not in self.users:
            raise Refused(404, f"no user {number}")
        return self.users[number]

    def shown(self, user: User) -> Any:
        return user

    def integer(self, text: str, low: int, high: int) -> int:
        if not re.fullmatch("[0-9]{1,19}", text) or not low <= int(text) <= high:
            raise Refused(422, f"{text!r} is not within {low} to {high}")
        return int(text)

    def expect_free(self, email: str, owner: int | None) -> None:
        # A copy: a wrong app may go on without the lock while another request adds a user.
        users = list(self.users.values())
        if any(user["email"] == email and user["id"] != owner for user in users):
            raise Refused(409, "this e-mail is taken")

    def fields(self, parsed: Any) -> User:
        if not isinstance(parsed, dict) or not self.is_name(parsed.get("name")):
            raise Refused(422, "name breaks a rule")
        if not self.is_email(parsed.get("email")):
            raise Refused(422, "email breaks a rule")
        return {"name": parsed["name"], "email": parsed["email"]}

    def parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body.decode(), parse_constant=self.refuse_constant)
        except (ValueError, RecursionError) as error:
            raise Refused(400, "malformed JSON") from error

    def refuse_constant(self, constant: str) -> Any:
        raise ValueError(constant)

    def is_name(self, name: Any) -> bool:
        return isinstance(name, str) and 1 <= len(name) <= self.max_name and not UNSTORABLE.search(name)

    def is_email(self, email: Any) -> bool:
        return isinstance(email, str) and len(email) <= 254 and bool(EMAIL.fullmatch(email))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one send

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, content = self.server.app.answer(self.command, self.path, body, self.headers)
        if isinstance(content, Iterator):
            return self.send_stream(headers, content)
        text = content if isinstance(content, str) else json.dumps(content)
        payload = b"" if status in (204, 304) else text.encode()
        self.send_response(status)
        if payload:
            headers = {"Content-Type": "application/json"} | headers | {"Content-Length": str(len(payload))}
        for name, value in (headers | {"Connection": self.server.app.connection}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def send_stream(self, headers: dict[str, str], pieces: Iterator[str]) -> None:
        self.send_response(200)
        headers = {"Transfer-Encoding": "chunked", "Cache-Control": "no-cache"} | headers
        for name, value in (headers | {"Connection": self.server.app.connection}).items():
            self.send_header(name, value)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece.encode()))
            if not self.server.app.buffers:
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def handle(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # a check that found a difference reads no more
            super().handle()

    def finish(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            super().finish()

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


@contextmanager
def serving(app: ReferenceApp) -> Iterator[str]:
    """Serve *app* on a free port; yield its address."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.app = app
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
