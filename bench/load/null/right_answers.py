"""Right answers for the null server, made from the request alone."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import islice
from typing import Any
from urllib.parse import quote

from bench.load.answers import MISSING, at_path, check, place_of
from bench.load.requests import RESERVED, Mix, Saved, Values, as_text, filled, text_of
from bench.load.responses import LARGEST_BYTES, Heads, read_response
from bench.model import Exchange, Scenario
from bench.project.scenarios import PLACEHOLDER

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
    values: tuple[tuple[str, int], ...] = ()  # the values: a group of the pattern, and a number to add
    padding_bytes: int = 0  # spaces after the body


GREETING = Answer(
    pattern=r"GET / HTTP/1\.1\r\n(?:.+\r\n)*\r\n",
    fields="Content-Type: application/json\r\n",
    body='{"message":"Hello, World!"}',
)


def responder(answers: Sequence[Answer]) -> Respond:
    """Return a function that tries *answers* in this order, and answers 404 if none matches."""
    known = [(re.compile(answer.pattern.encode()).fullmatch, _maker(answer)) for answer in answers]

    def respond(request: bytes) -> bytes:
        for fullmatch, maker in known:
            if found := fullmatch(request):
                return maker(found)
        return _NOT_FOUND if _is_whole(request) else b""

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


_SAVED = "1"  # the value to save if the scenario expects no particular one
_BODILESS = (204, 304)
_REHEARSED = 2_000  # requests, for the average length of a response
_REHEARSED_BYTES = 100 << 20  # the most bytes sent and answered for it
_IN_QUOTES = re.compile(rf'"({PLACEHOLDER.pattern})"')
_COMPACT, _SPACED = (",", ":"), (", ", ": ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    pattern: str = r'[^\s"/?&]+'  # of its text in a request
    integer: bool = False
    constant: str = _SAVED  # its text, if it does not depend on the request


Known = Mapping[str, Value]


def answers(scenario: Scenario, response_bytes: int = 0) -> tuple[Answer, ...]:
    """Return how to answer each exchange of *scenario*, the likelier ones first. Raises UsageError.

    Bodies are padded with spaces until a response has *response_bytes* bytes on average, head included.
    """
    mix = Mix(scenario, host="localhost")
    saved: dict[str, Value] = {}
    for exchange in scenario.exchanges:
        for name, value in _saved(exchange).items():
            known = saved.setdefault(name, value)
            saved[name] = known if known == value else Value(pattern=r"-?\d+", integer=True)  # a counter
    weighed = [
        (_answer(exchange, saved | _drawn(exchange)), weight)
        for exchange, weight in zip(scenario.exchanges, scenario.weights, strict=True)
    ]
    # Answers that need a header come first, then constant ones: patterns of others might match them.
    weighed.sort(key=lambda pair: ("(?=" not in pair[0].pattern, "(?P<" in pair[0].pattern, -pair[1]))
    ordered = tuple(answer for answer, _ in weighed)
    padding = _padding(list(_rehearsed(mix, ordered)), response_bytes)
    return tuple(replace(answer, padding_bytes=padding) for answer in ordered)


def _padding(lengths: Sequence[tuple[int, int | None]], response_bytes: int) -> int:
    """Return how many bytes to add to each body, so that responses have *response_bytes* on average."""
    bodies = [body for _, body in lengths if body is not None]
    if not bodies:
        return 0
    padding = 0
    for _ in range(2):  # extra digits in Content-Length count only in the second pass
        digits = sum(len(str(body + padding)) - len(str(body)) for body in bodies)
        padded = sum(length for length, _ in lengths) + padding * len(bodies) + digits
        padding += round((response_bytes * len(lengths) - padded) / len(bodies))
        padding = min(max(0, padding), LARGEST_BYTES)
    return padding


def _rehearsed(mix: Mix, answers: tuple[Answer, ...]) -> Iterator[tuple[int, int | None]]:
    """Yield the sizes of response and body, in bytes, for the first requests of one connection.

    The body's size is None if the response can have no body.
    """
    respond, heads = responder(answers), Heads()
    saved: Saved = {}
    budget_bytes = _REHEARSED_BYTES
    for request in islice(mix.requests(0, 0, saved), _REHEARSED):
        response = respond(request.payload) or b""
        if read := read_response(response, heads):
            head, body = read
            check(request, head, body, saved)
            yield len(response), None if head.status in _BODILESS else len(body)
        budget_bytes -= len(response) + len(request.payload)
        if budget_bytes < 0:
            return


def _drawn(exchange: Exchange) -> dict[str, Value]:
    return {name: _generated(dict(generator)) for name, generator in exchange.fields.items()}


def _generated(generator: Mapping[str, Any]) -> Value:
    match generator:
        case {"integer": _}:
            return Value(pattern=r"-?\d+", integer=True)
        case {"hex": length}:
            return Value(pattern=rf"[0-9a-f]{{{length}}}")
        case {"letters": length}:
            return Value(pattern=rf"[a-z]{{{length}}}")
    return Value()


def _saved(exchange: Exchange) -> dict[str, Value]:
    kept = {}
    for name, source in exchange.save.items():
        place, path = place_of(source)
        content = at_path(path, exchange.expect.json) if place == "json" else MISSING
        if content is MISSING:
            kept[name] = Value(pattern=re.escape(_SAVED), integer=place == "json")
        else:
            kept[name] = _held(content, _drawn(exchange))
    return kept


def _held(content: Any, drawn: Known) -> Value:
    if isinstance(content, str) and (whole := PLACEHOLDER.fullmatch(content)):
        return drawn.get(whole[1], Value())
    if isinstance(content, str) and PLACEHOLDER.search(content):
        return Value()
    text = as_text(content)
    return Value(pattern=re.escape(text), integer=isinstance(content, int | float), constant=text)


def _answer(exchange: Exchange, known: Known) -> Answer:
    caught: set[str] = set()
    pattern = _pattern(exchange, known, caught)
    values: list[tuple[str, int]] = []

    def value(name: str, added: int) -> str:
        if name in caught:
            values.append((name, added))
            return "%b"
        constant = known[name].constant
        return str(int(constant) + added) if added else constant

    places = map(place_of, exchange.save.values())
    headers = "".join(_header(place, name) for place, name in places if place != "json")
    status = exchange.expect.status
    if status in _BODILESS:
        return Answer(pattern=pattern, status=status, fields=headers)
    content = _content(exchange, known)
    if content is None:
        media, body = "text/html", _woven(exchange.expect.contains or "", known, _escaped, value)
    else:
        media, body = "application/json", _woven(_unquoted(content, known), known, _escaped, value)
    headers += f"Content-Type: {media}\r\n"
    return Answer(pattern=pattern, status=status, fields=headers, body=body, values=tuple(values))


def _header(place: str, name: str) -> str:
    begins = f"Set-Cookie: {name}=" if place == "cookie" else f"{name.removesuffix('?')}: "
    return f"{begins}{_SAVED}\r\n"


def _pattern(exchange: Exchange, known: Known, caught: set[str]) -> str:
    """Return a regular expression of the requests of *exchange*.

    Add the values that it captures to *caught*.
    """

    def value(name: str, added: int) -> str:
        if added:
            return r"-?\d+"
        if name in caught:
            return f"(?P={name})"
        caught.add(name)
        return f"(?P<{name}>{known[name].pattern})"

    def woven(text: str) -> str:
        return _woven(text, known, re.escape, value)

    line = woven(f"{exchange.method} {quote(exchange.path, safe=RESERVED)} HTTP/1.1")
    headers = "".join(
        rf"(?=(?:.+\r\n)*(?i:{re.escape(name)}): *{woven(text)}\r\n)"
        for name, text in exchange.headers.items()
        if PLACEHOLDER.search(text)
    )
    sent = text_of(exchange)
    if sent is None:
        sent = "" if exchange.body is None else json.dumps(exchange.body, separators=_COMPACT)
        sent = _unquoted(sent, known)
    return rf"{line}\r\n{headers}(?:.+\r\n)*\r\n{woven(sent)}"


def _content(exchange: Exchange, known: Known) -> str | None:
    """Return the expected body as JSON text with placeholders. None if it need not be JSON."""
    expect = exchange.expect
    content: Any = expect.json
    for source in exchange.save.values():
        place, path = place_of(source)
        if place == "json" and at_path(path, content) is MISSING:
            content = _with(path.split("."), content)
    if expect.items is not None:
        wanted = list(content or [{}])
        any_values = Values((name, 1 if value.integer else "x") for name, value in known.items())
        more = [filled(wanted[-1], any_values)] * (expect.items - len(wanted))
        content = (wanted + more)[: expect.items]
    if content is None:
        return None
    texts = [json.dumps(content, separators=style, ensure_ascii=False) for style in (_COMPACT, _SPACED)]
    return next((text for text in texts if (expect.contains or "") in text), texts[0])


def _with(path: Sequence[str], content: Any) -> Any:
    """Return *content* with a value to save at *path*. Missing objects and arrays on the path are added."""
    if not path:
        return int(_SAVED)
    key, rest = path[0], path[1:]
    if key.isdigit() and not isinstance(content, Mapping):
        items = list(content) if isinstance(content, list | tuple) else []
        items += [{} for _ in range(int(key) + 1 - len(items))]
        items[int(key)] = _with(rest, items[int(key)])
        return items
    fields = dict(content) if isinstance(content, Mapping) else {}
    return {**fields, key: _with(rest, fields.get(key))}


def _unquoted(text: str, known: Known) -> str:
    def unquoted(found: "re.Match[str]") -> str:
        value = known.get(found[2])
        return found[1] if value and (found[3] or value.integer) else found[0]

    return _IN_QUOTES.sub(unquoted, text)


def _woven(text: str, known: Known, literal: Callable[[str], str], value: Callable[[str, int], str]) -> str:
    """Return *text* with *value* applied to placeholders and *literal* to the text between them."""
    pieces, at = [], 0
    for found in PLACEHOLDER.finditer(text):
        if found[1] in known:
            pieces += [literal(text[at : found.start()]), value(found[1], int(found[2] or 0))]
            at = found.end()
    return "".join([*pieces, literal(text[at:])])


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
