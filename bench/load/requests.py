"""Compiles exchanges for one target. Requests are drawn from a seeded generator.

Placeholders stand for drawn fields, or for variables saved from earlier responses.
"""

import json
import re
import string
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

from bench.errors import UsageError
from bench.load.cookies import Jar
from bench.load.multipart import border, pieces
from bench.load.placeholders import Values, as_text, filled, filled_text
from bench.model.scenario import Exchange
from bench.project.exchanges import FORM, JSON, MULTIPART, media_type
from bench.project.fields import HOW_TO_DRAW
from bench.project.saves import place_of
from bench.project.scenarios import PLACEHOLDER
from bench.project.uploads import texts

Saved = dict[str, list[Any]]  # variable → values a connection has saved, the latest last
JAR = "set-cookie"  # its jar among the saved values: no variable has such a name
Draw = Callable[[Random], Any]  # a value of a field

RESERVED = "/?&=%:;,@!$'()*+~[]{}"  # characters that a path template keeps unquoted
_COOKIES_KEPT = 4_096  # requests of a template that differ in their cookies
_PREVIEW_BYTES = 4_096  # kept of a body that is not checked
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def text_of(exchange: Exchange) -> str | None:
    """Return the body of *exchange* if it is text, with its placeholders. None if it is JSON."""
    if exchange.form is None:
        return exchange.text
    pairs = [
        (name, value)
        for name, values in exchange.form.items()
        for value in (values if isinstance(values, list | tuple) else [values])
    ]
    return "&".join(f"{quote_plus(name)}={_form_quoted(as_text(value))}" for name, value in pairs)


def content_type(exchange: Exchange) -> str | None:
    """Return the Content-Type of *exchange*. None if it has no body."""
    if exchange.multipart is not None:
        return f"{MULTIPART}; boundary={border(exchange.multipart)}"
    given = {name.lower(): value for name, value in exchange.headers.items()}.get("content-type")
    if exchange.body is not None:
        return given or JSON
    if exchange.form is not None:
        return given or FORM
    return None if exchange.text is None else given or "text/plain; charset=utf-8"


def _form_quoted(text: str) -> str:
    pieces, at = [], 0
    for found in PLACEHOLDER.finditer(text):
        pieces += [quote_plus(text[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*pieces, quote_plus(text[at:])])


@dataclass(slots=True, eq=False)
class Request:
    """One request to send. `answer`: all bytes of the last verified response, if the request never varies."""

    payload: bytes
    template: "Template"
    values: Values
    answer: bytes | None = None

    @property
    def line(self) -> str:
        return self.payload.partition(b" HTTP/1.1")[0].decode()

    @property
    def target(self) -> str:
        """Its path with its query."""
        return self.payload.split(b" ", 2)[1].decode()


@dataclass(slots=True, eq=False, kw_only=True)
class Template:
    """An exchange from which requests are drawn."""

    exchange: Exchange
    needs: tuple[str, ...]  # saved variables without which it cannot be sent
    lasting: bool  # equal requests have equal right answers, so these can be remembered
    looks: bool  # the body of an answer is checked
    reads_json: bool  # the body is parsed as JSON
    is_head: bool  # an answer shows the length of a body that does not follow
    keeps_cookies: bool  # what an answer sets is kept for later requests
    _draws: tuple[tuple[str, Draw], ...]
    _line: str
    _fields: str
    _text: str | None  # a body that is not JSON
    _pieces: tuple[str | bytes, ...]  # a multipart body: text, and content of files
    _written: Callable[[Any], str]  # how a value is written in that body
    _sends_cookies: bool  # those that are kept
    _valued: tuple[str, ...]  # saved variables that it shows or consumes
    _quotes: bool  # its values need quoting in a path, or in a header
    _constant: Request | None = field(default=None, init=False)
    _bare: bytes = field(default=b"", init=False)  # its bytes without cookies, if they never vary
    _by_cookies: dict[str, Request] = field(default_factory=dict, init=False)  # constant but for its cookies

    @property
    def keep_bytes(self) -> int | None:
        """How many bytes of a response's body must be kept. None: all."""
        return None if self.looks else _PREVIEW_BYTES

    def missing(self, saved: Saved) -> str | None:
        return next((name for name in self.needs if not saved.get(name)), None)

    def request(self, random: Random, saved: Saved) -> Request:
        """Draw its next request. A value that the exchange consumes is removed from *saved*."""
        if self._constant is not None:
            return self._constant
        values = Values((name, draw(random)) for name, draw in self._draws)
        for name in self._valued:
            values[name] = saved[name][-1]
        if self.exchange.consumes:
            saved[self.exchange.consumes].pop()
        if self._sends_cookies:
            return self._with_cookies(values, saved)
        request = Request(self._payload(values), self, values)
        if not values:
            self._constant = request
        return request

    def _with_cookies(self, values: Values, saved: Saved) -> Request:
        if values or not self._bare:
            payload = self._payload(values)
            self._bare = b"" if values else payload
        else:
            payload = self._bare
        if not (cookies := jar_of(saved).header(payload.split(b" ", 2)[1].decode())):
            return Request(payload, self, values)
        if not values and (known := self._by_cookies.get(cookies)):
            return known
        line, end, rest = payload.partition(b"\r\n")
        # Cookies came as they are sent: every byte is a character.
        request = Request(
            b"%b%bCookie: %b\r\n%b" % (line, end, cookies.encode("latin-1"), rest), self, values
        )
        if not values:
            if len(self._by_cookies) >= _COOKIES_KEPT:
                self._by_cookies.clear()
            self._by_cookies[cookies] = request
        return request

    def _payload(self, values: Values) -> bytes:
        of_path, of_fields = values, values
        if self._quotes:
            of_path = Values((name, in_path(value)) for name, value in values.items())
            of_fields = Values((name, in_header(value)) for name, value in values.items())
        head = (self._line % of_path + self._fields % of_fields).encode()
        if self._text is not None:
            body = filled_text(self._text, values, self._written).encode()
        elif self._pieces:
            body = b"".join(
                piece if isinstance(piece, bytes) else filled_text(piece, values).encode()
                for piece in self._pieces
            )
        elif self.exchange.body is not None:
            body = json.dumps(filled(self.exchange.body, values), separators=(",", ":")).encode()
        else:
            return head
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def jar_of(saved: Saved) -> Jar:
    """Return the cookies among *saved*."""
    if JAR not in saved:
        saved[JAR] = [Jar()]
    jar: Jar = saved[JAR][-1]
    return jar


def compile_exchange(
    exchange: Exchange, host: str, known: Collection[str] | None = None, *, cookies: bool = False
) -> Template:
    """Make the template of *exchange* for *host*. Raises UsageError.

    *known*: the variables that the mix saves. None: every placeholder in a text is a variable. *cookies*: it
    sends and keeps cookies.
    """
    sent = _names([exchange.path, list(exchange.headers.values()), exchange.form, texts(exchange.multipart)])
    expected = _names(exchange.expect.json)
    loose_sent, loose_expected = _names([exchange.body, exchange.text]), _names(exchange.expect.contains)
    if known is not None:
        declared = {*known, *exchange.fields}
        whole = _wholes(exchange.body)
        loose_sent, loose_expected = (loose_sent & declared) | whole, loose_expected & declared
    sent, expected = sent | loose_sent, expected | loose_expected
    shown = sent | expected | ({exchange.consumes} if exchange.consumes else set())
    used = shown | {*exchange.needs}
    needs = tuple(sorted(used - exchange.fields.keys()))
    expect = exchange.expect
    places = {place_of(source)[0] for source in exchange.save.values()}
    reads_json = expect.json is not None or expect.items is not None or "json" in places
    return Template(
        exchange=exchange,
        needs=needs,
        lasting=exchange.method == "GET" and not exchange.save and expected <= sent,
        looks=reads_json or expect.contains is not None or bool(exchange.save),
        reads_json=reads_json,
        is_head=exchange.method == "HEAD",
        _draws=tuple(_draws(exchange)),
        _line=f"{exchange.method} {_format(quote(exchange.path, safe=RESERVED))} HTTP/1.1\r\n",
        _fields=_format(_header_lines(exchange, host)),
        _text=text_of(exchange),
        _pieces=() if exchange.multipart is None else pieces(exchange.multipart),
        _written=_writer(content_type(exchange)),
        keeps_cookies=cookies,
        _sends_cookies=cookies and "cookie" not in {name.lower() for name in exchange.headers},
        _valued=tuple(name for name in needs if name in shown),
        _quotes=needs != () or any({"values", "query"} & one.keys() for one in exchange.fields.values()),
    )


def _writer(kind: str | None) -> Callable[[Any], str]:
    media = media_type(kind or "")
    if media == FORM:
        return lambda value: quote_plus(as_text(value))
    if media == JSON or media.endswith("+json"):
        return lambda value: json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)
    return as_text


def _header_lines(exchange: Exchange, host: str) -> str:
    headers = {"host": ("Host", host)}
    if kind := content_type(exchange):
        headers["content-type"] = ("Content-Type", kind)
    elif exchange.method in ("POST", "PUT", "PATCH"):
        headers["content-length"] = ("Content-Length", "0")
    headers |= {name.lower(): (name, value) for name, value in exchange.headers.items()}
    end = "" if kind else "\r\n"  # otherwise Content-Length follows
    return "".join(f"{name}: {value}\r\n" for name, value in headers.values()) + end


def _format(text: str) -> str:
    return PLACEHOLDER.sub(lambda found: f"%({found[0][1:-1]})s", text.replace("%", "%%"))


def in_path(value: Any) -> Any:
    return quote(value, safe="") if isinstance(value, str) else _plain(value)


def in_header(value: Any) -> Any:
    """Return *value* with control characters escaped. A line end in it would start another header."""
    if isinstance(value, str):
        return _CONTROLS.sub(lambda found: f"%{ord(found[0]):02X}", value)
    return _plain(value)


def _plain(value: Any) -> Any:
    return as_text(value) if isinstance(value, bool) else value


def _names(node: Any) -> set[str]:
    if isinstance(node, str):
        return {found[1] for found in PLACEHOLDER.finditer(node)}
    if isinstance(node, Mapping):
        node = list(node.values())
    return set().union(*map(_names, node)) if isinstance(node, list | tuple) else set()


def _wholes(node: Any) -> set[str]:
    """Return the names of strings that are only a placeholder."""
    if isinstance(node, str):
        found = PLACEHOLDER.fullmatch(node)
        return {found[1]} if found else set()
    if isinstance(node, Mapping):
        node = list(node.values())
    return set().union(*map(_wholes, node)) if isinstance(node, list | tuple) else set()


def _draws(exchange: Exchange) -> Iterator[tuple[str, Draw]]:
    """Yield how each field is drawn. Fields of one file come from the same row."""
    rows: dict[str, list[int]] = {}  # by file: the number of the row that was drawn last
    for name, drawn in exchange.fields.items():
        if (file := drawn.get("csv")) and drawn.get("values"):
            known = file in rows
            yield name, _of_row(drawn["values"], rows.setdefault(file, [0]), draws=not known)
        else:
            yield name, _generator(exchange, name)


def _of_row(values: Sequence[Any], row: list[int], *, draws: bool) -> Draw:
    if not draws:
        return lambda random: values[row[0]]
    count = len(values)

    def draw(random: Random) -> Any:
        row[0] = int(random.random() * count)
        return values[row[0]]

    return draw


def _generator(exchange: Exchange, name: str) -> Draw:
    match dict(exchange.fields[name]):
        case {"integer": [int(low), int(high)]} if low <= high:
            return lambda random: low + int(random.random() * (high - low + 1))
        case {"hex": int(length)} if length > 0:
            return lambda random: f"{random.getrandbits(4 * length):0{length}x}"
        case {"letters": int(length)} if length > 0:
            return lambda random: "".join(random.choices(string.ascii_lowercase, k=length))
        case {"uuid": True}:
            return lambda random: str(UUID(int=random.getrandbits(128), version=4))
        case {"values": [_, *_] as values}:
            return lambda random: values[int(random.random() * len(values))]
        case {"query": str()}:
            return lambda random: _not_queried(exchange, name)
    raise UsageError(f"exchange {exchange.name}, field {name}: no such field can be drawn: {HOW_TO_DRAW}")


def _not_queried(exchange: Exchange, name: str) -> Any:
    raise UsageError(
        f"exchange {exchange.name}, field {name}: its values are those of a query, which was not carried out"
    )
