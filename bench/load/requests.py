"""Compiles exchanges for one target. Requests are drawn from a seeded generator.

`{name}` and `{name+1}` stand for a drawn field or for a variable saved from an earlier response. A string
that is only one placeholder takes the value with its type. In a longer text, braces around anything else stay
as they are: GraphQL and JSON have their own.
"""

import json
import re
import string
from bisect import bisect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, repeat
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

from bench.errors import UsageError
from bench.model import Exchange, Scenario
from bench.project.scenarios import FORM, JSON, PLACEHOLDER, media_type

Saved = dict[str, list[Any]]  # variable → values a connection has saved, the latest last

RESERVED = "/?&=%:;,@!$'()*+~[]{}"  # characters that a path template keeps unquoted
_PREVIEW_BYTES = 4_096  # kept of a body that is not checked
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_WHOLE_NUMBER = re.compile(r"-?\d+", re.ASCII)


class Values(dict[str, Any]):
    """Values by placeholder. `name+1` is calculated from `name`."""

    def __missing__(self, placeholder: str) -> Any:
        name, plus, step = placeholder.partition("+")
        if not plus:
            raise KeyError(placeholder)
        value = self[name]
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
            return str(int(value) + int(step))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{{{placeholder}}}: {name} is {value!r}, not a number that can be added to")
        return value + int(step)


def filled(node: Any, values: Values) -> Any:
    """Return *node*, any JSON, with its placeholders replaced. Those without a value in *values* stay."""
    if isinstance(node, str):
        whole = PLACEHOLDER.fullmatch(node)
        return values[node[1:-1]] if whole and whole[1] in values else filled_text(node, values)
    if isinstance(node, Mapping):
        return {key: filled(value, values) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [filled(item, values) for item in node]
    return node


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def filled_text(text: str, values: Values, written: Callable[[Any], str] = as_text) -> str:
    """Return *text* with its placeholders replaced by *values*, each converted by *written*."""
    return PLACEHOLDER.sub(
        lambda found: written(values[found[0][1:-1]]) if found[1] in values else found[0], text
    )


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


@dataclass(slots=True, eq=False, kw_only=True)
class Template:
    """An exchange from which requests are drawn."""

    exchange: Exchange
    needs: tuple[str, ...]  # saved variables without which it cannot be sent
    lasting: bool  # equal requests have equal right answers, so these can be remembered
    looks: bool  # the body of an answer is checked
    reads_json: bool  # the body is parsed as JSON
    _draws: tuple[tuple[str, Callable[[Random], Any]], ...]
    _line: str
    _fields: str
    _text: str | None  # a body that is not JSON
    _written: Callable[[Any], str]  # how a value is written in that body
    _constant: Request | None = field(default=None, init=False)

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
        for name in self.needs:
            values[name] = saved[name][-1]
        if self.exchange.consumes:
            saved[self.exchange.consumes].pop()
        request = Request(self._payload(values), self, values)
        if not values:
            self._constant = request
        return request

    def _payload(self, values: Values) -> bytes:
        in_path, in_fields = values, values
        if self.needs:  # drawn values need no quoting: digits and letters
            in_path = Values((name, _quoted(value)) for name, value in values.items())
            in_fields = Values((name, _in_header(value)) for name, value in values.items())
        head = (self._line % in_path + self._fields % in_fields).encode()
        if self._text is not None:
            body = filled_text(self._text, values, self._written).encode()
        elif self.exchange.body is not None:
            body = json.dumps(filled(self.exchange.body, values), separators=(",", ":")).encode()
        else:
            return head
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


class Mix:
    """The templates of a scenario, drawn by weight."""

    def __init__(self, scenario: Scenario, host: str) -> None:
        """Compile *scenario* for *host*, the value of the Host header. Raises UsageError."""
        saved = [name for exchange in scenario.exchanges for name in exchange.save]
        consumed = {exchange.consumes for exchange in scenario.exchanges}
        self._templates = tuple(compile_exchange(exchange, host, saved) for exchange in scenario.exchanges)
        self._bounds = tuple(accumulate(scenario.weights))
        self._savers = {name: saver for saver in self._templates for name in saver.exchange.save}
        for template in self._templates:
            self._sendable(template, {})
        needed = {name for template in self._templates for name in template.needs}
        self._prepared = tuple(sorted(needed - consumed))
        self.kept = frozenset(name for name in needed - consumed if saved.count(name) == 1)

    @property
    def is_set_up(self) -> bool:
        """Whether some of its requests need values that others save, and do not use them up."""
        return bool(self._prepared)

    @property
    def can_be_shared(self) -> bool:
        """Whether connections may use each other's saved values: none of these changes later."""
        return self.kept.issuperset(self._prepared)

    def keep(self, saved: Saved) -> None:
        """Leave in *saved* what outlives a slice: values that are not used up and that one exchange saves."""
        for name in list(saved):
            if name in self.kept:
                del saved[name][:-1]
            else:
                del saved[name]

    def due_first(self, saved: Saved) -> Template | None:
        """Return what must be sent before *saved* has all lasting values. None if it has."""
        for name in self._prepared:
            if not saved.get(name):
                return self._sendable(self._savers[name], saved)
        return None

    def requests(self, seed: int, connection: int, saved: Saved) -> Iterator[Request]:
        """Yield the endless requests of *connection*.

        They depend on *seed*, *connection* and *saved* only.
        """
        draw = self.drawing(seed, connection)
        if self._never_varies:
            return repeat(draw(saved))
        return (draw(saved) for _ in repeat(None))

    def drawing(self, seed: int, stream: int) -> Callable[[Saved], Request]:
        """Return a function that draws the next request of *stream*.

        Its argument: a connection's saved values.
        """
        random = Random(f"{seed}/{stream}")
        if self._never_varies:
            only = self._templates[0].request(random, {})
            return lambda saved: only
        return partial(self._draw, random)

    @property
    def _never_varies(self) -> bool:
        only = self._templates[0]
        return len(self._templates) == 1 and not (only.needs or only.exchange.fields)

    def _draw(self, random: Random, saved: Saved) -> Request:
        template = self._templates[bisect(self._bounds, random.random() * self._bounds[-1])]
        return self._sendable(template, saved).request(random, saved)

    def _sendable(self, template: Template, saved: Saved) -> Template:
        """Return *template*, or the template that must first save what it needs."""
        tried = [template.exchange.name]
        while (name := template.missing(saved)) is not None:
            saver = self._savers.get(name)
            if saver is None:
                raise UsageError(
                    f"exchange {tried[-1]}: {{{name}}} is neither one of its fields nor saved by an "
                    "exchange of the same mix: add the one that saves it"
                )
            if saver.exchange.name in tried:
                raise UsageError(
                    f"exchanges {', '.join(tried)} wait for each other: {{{name}}} is never saved"
                )
            tried.append(saver.exchange.name)
            template = saver
        return template


def compile_exchange(exchange: Exchange, host: str, known: Collection[str] | None = None) -> Template:
    """Make the template of *exchange* for *host*. Raises UsageError.

    *known*: the variables that the mix saves. None: every placeholder in a text is a variable.
    """
    text = text_of(exchange)
    sent = _names([exchange.path, list(exchange.headers.values()), exchange.form])
    expected = _names(exchange.expect.json)
    loose_sent, loose_expected = _names([exchange.body, exchange.text]), _names(exchange.expect.contains)
    if known is not None:
        declared = {*known, *exchange.fields}
        whole = _wholes(exchange.body)
        loose_sent, loose_expected = (loose_sent & declared) | whole, loose_expected & declared
    sent, expected = sent | loose_sent, expected | loose_expected
    used = sent | expected | ({exchange.consumes} if exchange.consumes else set())
    expect = exchange.expect
    reads_json = expect.json is not None or expect.items is not None or bool(exchange.save)
    return Template(
        exchange=exchange,
        needs=tuple(sorted(used - exchange.fields.keys())),
        lasting=exchange.method == "GET" and not exchange.save and expected <= sent,
        looks=reads_json or expect.contains is not None,
        reads_json=reads_json,
        _draws=tuple((name, _generator(exchange, name)) for name in exchange.fields),
        _line=f"{exchange.method} {_format(quote(exchange.path, safe=RESERVED))} HTTP/1.1\r\n",
        _fields=_format(_header_lines(exchange, host)),
        _text=text,
        _written=_writer(content_type(exchange)),
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


def _quoted(value: Any) -> Any:
    return quote(value, safe="") if isinstance(value, str) else _plain(value)


def _in_header(value: Any) -> Any:
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


def _generator(exchange: Exchange, name: str) -> Callable[[Random], Any]:
    match dict(exchange.fields[name]):
        case {"integer": [int(low), int(high)]} if low <= high:
            return lambda random: low + int(random.random() * (high - low + 1))
        case {"hex": int(length)} if length > 0:
            return lambda random: f"{random.getrandbits(4 * length):0{length}x}"
        case {"letters": int(length)} if length > 0:
            return lambda random: "".join(random.choices(string.ascii_lowercase, k=length))
    raise UsageError(
        f"exchange {exchange.name}, field {name}: known are integer = [low, high], hex = N and letters = N"
    )
