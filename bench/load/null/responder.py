"""How the null server responds: a table of patterns of requests, each with what its response is made of."""

import re
from collections.abc import Callable, Mapping, Sequence
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
    """Which requests an exchange sends, and how their response is made."""

    pattern: str  # of a complete request
    status: int = 200
    fields: str = ""  # header lines except Content-Length, each with its line end
    body: str | None = None  # "%b" in place of a value; None: the status allows no body
    # The values: a group of the pattern, a number to add, and how each text of it is written in the body.
    values: tuple[tuple[str, int, Mapping[str, str] | None], ...] = ()
    padding_bytes: int = 0  # spaces after the body
    is_open: bool = False  # the beginning of a request may match: a text in its body has no certain end


GREETING = Answer(
    pattern=r"GET / HTTP/1\.1\r\n(?:.+\r\n)*\r\n",
    fields="Content-Type: application/json\r\n",
    body='{"message":"Hello, World!"}',
)


def responder(answers: Sequence[Answer]) -> Respond:
    """Return a function that tries *answers* in this order, and answers 404 if none matches."""
    known = [(re.compile(answer.pattern.encode()).fullmatch, _maker(answer)) for answer in answers]
    is_open = any(answer.is_open for answer in answers)

    def respond(request: bytes) -> bytes:
        if is_open and missing_bytes(request):
            return b""
        for fullmatch, maker in known:
            if found := fullmatch(request):
                return maker(found)
        return b"" if missing_bytes(request) else _NOT_FOUND

    return respond


def only_response(answers: Sequence[Answer]) -> bytes | None:
    """Return the response if it is always the same and requests have no body. Else None."""
    (answer, *others) = answers
    varies = "(?P<" in answer.pattern or not answer.pattern.endswith(r"\r\n")
    return None if others or varies else _maker(answer)(None)


def _maker(answer: Answer) -> _Maker:
    values = answer.values
    head = f"HTTP/1.1 {answer.status} {_phrase(answer.status)}\r\n{answer.fields}".encode()
    if answer.body is None:
        empty = head + b"\r\n"
        return lambda _: empty
    form = answer.body.encode() + b" " * answer.padding_bytes
    if not values:
        canned = _whole(head, form % ())
        return lambda _: canned
    if any(added or texts for _, added, texts in values):
        of = [(name, added, _encoded(texts)) for name, added, texts in values]
        return lambda found: _whole(head, form % tuple(_value(found, *value) for value in of))
    names = [name for name, _, _ in values]
    return lambda found: _whole(head, form % found.group(*names))


def _encoded(texts: Mapping[str, str] | None) -> Mapping[bytes, bytes] | None:
    return None if texts is None else {sent.encode(): shown.encode() for sent, shown in texts.items()}


def _value(found: re.Match[bytes], name: str, added: int, texts: Mapping[bytes, bytes] | None) -> bytes:
    if texts is not None:
        return texts.get(found[name], found[name])
    return b"%d" % (int(found[name]) + added) if added else found[name]


def _whole(head: bytes, body: bytes) -> bytes:
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""


def missing_bytes(request: bytes) -> int:
    """Return how many bytes of *request* are known to be missing: at least 1 if its head is incomplete."""
    head, end, body = request.partition(_HEAD_END)
    length = _LENGTH.search(head)
    return max(0, int(length[1]) - len(body)) if length and end else int(not end)
