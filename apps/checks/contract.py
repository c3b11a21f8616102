"""The client the checks speak through: it knows what holds for every answer and names each difference."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar
from uuid import uuid4

import httpx
from differences import ANYTHING, differs, expect, shown

SEEDED = 10_000  # users in apps/seed.sql, ids from 1
BIGINT_MAX = 2**63 - 1
One = TypeVar("One")
JSON = "application/json"
HTML = "text/html"
EVENTS = "text/event-stream"


def seeded_user(number: int) -> dict[str, Any]:
    """Return the user that apps/seed.sql keeps under id *number*."""
    return {"id": number, "name": f"User {number}", "email": f"user{number}@example.com"}


def fresh_email() -> str:
    """Return an address that nobody has yet."""
    return f"{uuid4().hex}@example.com"


def fresh_user(**fields: Any) -> dict[str, Any]:
    """Return a body that creates a user, but for what *fields* break."""
    return {"name": "Ann", "email": fresh_email(), **fields}


def at_once(calls: Iterable[Callable[[], One]]) -> list[One]:
    """Return what *calls* return, all made at the same time."""
    with ThreadPoolExecutor(max_workers=64) as pool:
        return list(pool.map(lambda call: call(), calls))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, and for which request."""

    request: str
    response: httpx.Response

    @property
    def status(self) -> int:
        """The status code."""
        return self.response.status_code

    def expect(self, *statuses: int, body: Any = ANYTHING) -> Any:
        """Return the parsed body of a well-formed answer that has one of *statuses* and this *body*."""
        if self.status not in statuses:
            self._differs(f"status {' or '.join(map(str, statuses))}")
        self._expect_framing()
        if self.status in (204, 304):
            return None
        parsed = self._parsed()
        if self.status >= 400 and not (isinstance(parsed, dict) and "detail" in parsed):
            self._differs('a JSON object with "detail"')
        expect(self.request, body, parsed)
        return parsed

    def expect_text(self, content_type: str) -> str:
        """Return the text of a well-formed answer of status 200."""
        self.expect_head(content_type)
        try:
            return self.response.content.decode()
        except ValueError:
            self._differs("a body in UTF-8")

    def expect_head(self, content_type: str) -> None:
        """Fail unless it is a well-formed answer of status 200."""
        if self.status != 200:
            self._differs("status 200")
        self._expect_framing()
        self._expect_type(content_type)

    def expect_header(self, name: str, value: str) -> None:
        """Fail unless header *name* is *value*."""
        if (got := self.response.headers.get(name, "none")) != value:
            differs(self.request, f"{name}: {value}", got)

    def _expect_framing(self) -> None:
        headers = self.response.headers
        framing = [name for name in ("Content-Length", "Transfer-Encoding") if name in headers]
        if self.response.http_version != "HTTP/1.1":
            self._differs("HTTP/1.1", self.response.http_version)
        if self.status in (204, 304) and ("Transfer-Encoding" in framing or self.response.content):
            self._differs("no body and no Transfer-Encoding")  # RFC 9112 §6.1
        if self.status not in (204, 304) and len(framing) != 1:
            self._differs("Content-Length or Transfer-Encoding", " and ".join(framing) or "neither")

    def _parsed(self) -> Any:
        self._expect_type(JSON)
        try:
            return json.loads(self.response.content.decode())
        except ValueError:
            self._differs("a JSON body")

    def _expect_type(self, expected: str) -> None:
        got = self.response.headers.get("Content-Type", "none")
        if got.partition(";")[0].strip() != expected:
            self._differs(f"Content-Type: {expected}", got)

    def _differs(self, expected: str, got: str = "") -> NoReturn:
        differs(self.request, expected, got or f"{self.status} {shown(self.response.content)}".rstrip())


class Api:
    """An app under check. Bodies are sent as JSON, but bytes as they are."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._created: list[str] = []

    def get(self, path: str) -> Answer:
        """Send a GET."""
        return self.send("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        """Send a POST."""
        return self.send("POST", path, body)

    def put(self, path: str, body: Any) -> Answer:
        """Send a PUT."""
        return self.send("PUT", path, body)

    def delete(self, path: str) -> Answer:
        """Send a DELETE."""
        return self.send("DELETE", path)

    def send(
        self,
        method: str,
        path: str,
        body: Any = b"",
        *,
        content_type: str | None = JSON,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Send any request; a difference in the answer will be reported under what is sent here."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**headers, **({"Content-Type": content_type} if content and content_type else {})}
        request = f"{method} {path} {shown(content, limit=100)}".rstrip()
        try:
            response = self._http.request(method, path, content=content, headers=headers)
        except httpx.TransportError as error:
            differs(request, "an answer", f"{type(error).__name__} ({error})")
        if response.status_code == 201:
            self._created += _paths_created(response)
        return Answer(request=request, response=response)

    def events(self, path: str) -> list[tuple[str, float]]:
        """Return each server-sent event at *path*, with the milliseconds from the request to its arrival."""
        request, began = f"GET {path}", time.perf_counter()
        found, rest = [], ""
        try:
            with self._http.stream("GET", path) as response:
                if response.status_code != 200:
                    response.read()
                Answer(request=request, response=response).expect_head(EVENTS)
                for piece in response.iter_text():
                    *whole, rest = (rest + piece).split("\n\n")
                    came_ms = (time.perf_counter() - began) * 1000
                    found += [(text, came_ms) for text in whole]
        except httpx.TransportError as error:
            differs(request, "an answer", f"{type(error).__name__} ({error}) after {len(found)} events")
        if rest:
            differs(request, "an empty line after each event", shown(rest.encode()))
        return found

    def create(self, **fields: Any) -> dict[str, Any]:
        """Return a user that did not exist before."""
        sent = fresh_user(**fields)
        user: dict[str, Any] = self.post("/users", sent).expect(201, body={"id": ANYTHING, **sent})
        return user

    def expect_kept(self, written: Answer, sent: dict[str, Any]) -> None:
        """Fail unless *sent* was accepted and is what everybody reads from now on."""
        user = written.expect(200, 201, body={"id": ANYTHING, **sent})
        self.get(f"/users/{user['id']}").expect(200, body=user)

    def clean_up(self) -> None:
        """Delete what was created through this client."""
        while self._created:
            with suppress(httpx.TransportError):  # an app that has gone is another check's difference
                self._http.delete(self._created.pop())


Write = Callable[..., Answer]  # sends a body: Api.send with method and path filled in


def _paths_created(response: httpx.Response) -> list[str]:
    """Return where the new users are, whatever the answer looks like."""
    location = response.headers.get("Location", "")
    if location.startswith("/users/"):
        return [location]
    with suppress(ValueError):
        users = json.loads(response.content)
        if isinstance(users, list):
            return [f"/users/{user['id']}" for user in users if isinstance(user, dict) and "id" in user]
    return []
