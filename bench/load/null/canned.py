"""Answers that are made of nothing but the request: matched by a pattern, filled in with what that caught."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

Respond = Callable[[bytes], bytes]  # a request → its response; nothing where more of it is to come
_Maker = Callable[[Any], bytes]  # a match of its pattern → a response


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Which requests one exchange sends, and what their response is made of."""

    pattern: str  # of a whole request
    status: int = 200
    fields: str = ""  # header lines beside Content-Length, each with its end
    body: str | None = None  # "%b" where a value goes; None: the status allows none
    values: tuple[tuple[str, int], ...] = ()  # what goes there: a group of the pattern, and what is added
    padding_bytes: int = 0  # spaces behind the body


GREETING = Answer(
    pattern=r"GET / HTTP/1\.1\r\n(?:.+\r\n)*\r\n",
    fields="Content-Type: application/json\r\n",
    body='{"message":"Hello, World!"}',
)


def responder(answers: Sequence[Answer]) -> Respond:
    """Return what answers as *answers* say, tried in this order, and 404 to what none of them knows."""
    known = [(re.compile(answer.pattern.encode()).fullmatch, _maker(answer)) for answer in answers]

    def respond(request: bytes) -> bytes:
        for fullmatch, maker in known:
            if found := fullmatch(request):
                return maker(found)
        return _NOT_FOUND if _is_whole(request) else b""

    return respond


def only_response(answers: Sequence[Answer]) -> bytes | None:
    """Return the response to every request, where that is always the same one and has no body."""
    (answer, *others) = answers
    varies = "(?P<" in answer.pattern or not answer.pattern.endswith(r"\r\n")
    return None if others or varies else _maker(answer)(None)


def _maker(answer: Answer) -> _Maker:
    """Return what makes the response of *answer* from a match of its pattern."""
    values = answer.values
    head = f"HTTP/1.1 {answer.status} {_phrase(answer.status)}\r\n{answer.fields}".encode()
    if answer.body is None:
        empty = head + b"\r\n"
        return lambda _: empty
    form = answer.body.encode() + b" " * answer.padding_bytes
    if not values:
        canned = _whole(head, form % ())
        return lambda _: canned
    if any(added for _, added in values):
        return lambda found: _whole(head, form % tuple(_value(found, *value) for value in values))
    names = [name for name, _ in values]
    return lambda found: _whole(head, form % found.group(*names))


def _value(found: re.Match[bytes], name: str, added: int) -> bytes:
    return b"%d" % (int(found[name]) + added) if added else found[name]


def _whole(head: bytes, body: bytes) -> bytes:
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(_HEAD_END)
    length = _LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)
