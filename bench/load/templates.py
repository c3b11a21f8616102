"""Exchanges compiled for one target: what is sent, drawn from a seeded generator.

`{name}` and `{name+1}` stand for a drawn field or for a variable saved from an earlier response. A string
that is nothing but one placeholder takes the value with its type.
"""

import json
import string
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, repeat
from random import Random
from typing import Any
from urllib.parse import quote

from bench.errors import UsageError
from bench.model import Exchange, Scenario
from bench.scenarios import PLACEHOLDER

Saved = dict[str, list[Any]]  # variable → values a connection has saved, the latest last

RESERVED = "/?&=%:;,@!$'()*+~[]{}"  # what a path template keeps as it is


class Values(dict[str, Any]):
    """Values by placeholder; `name+1` is worked out from `name`."""

    def __missing__(self, placeholder: str) -> Any:
        name, plus, step = placeholder.partition("+")
        if not plus:
            raise KeyError(placeholder)
        return self[name] + int(step)


def filled(node: Any, values: Values) -> Any:
    """Return *node*, any JSON, with its placeholders replaced."""
    if isinstance(node, str):
        if PLACEHOLDER.fullmatch(node):
            return values[node[1:-1]]
        return PLACEHOLDER.sub(lambda found: str(values[found[0][1:-1]]), node)
    if isinstance(node, Mapping):
        return {key: filled(value, values) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [filled(item, values) for item in node]
    return node


@dataclass(slots=True, eq=False)
class Request:
    """One request to send. `answer`: all bytes of the last verified response, for one that never varies."""

    payload: bytes
    template: "Template"
    values: Values
    answer: bytes | None = None

    @property
    def line(self) -> str:
        """Method and path, for people."""
        return self.payload.partition(b" HTTP/1.1")[0].decode()


@dataclass(slots=True, eq=False, kw_only=True)
class Template:
    """An exchange whose requests are ready to be drawn."""

    exchange: Exchange
    needs: tuple[str, ...]  # saved variables without which it cannot be sent
    lasting: bool  # equal requests have equal right answers, so that these can be remembered
    _draws: tuple[tuple[str, Callable[[Random], Any]], ...]
    _line: str
    _fields: str
    _constant: Request | None = field(default=None, init=False)

    def missing(self, saved: Saved) -> str | None:
        """Return a variable that it needs and that is not saved."""
        return next((name for name in self.needs if not saved.get(name)), None)

    def request(self, random: Random, saved: Saved) -> Request:
        """Draw its next request, using up what it consumes."""
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
        # What is drawn needs no quoting: digits and letters.
        in_path = Values(zip(values, map(_quoted, values.values()), strict=True)) if self.needs else values
        head = self._line % in_path + self._fields % values
        if self.exchange.body is None:
            return head.encode()
        body = json.dumps(filled(self.exchange.body, values), separators=(",", ":")).encode()
        return b"%bContent-Length: %d\r\n\r\n%b" % (head.encode(), len(body), body)


class Mix:
    """The templates of a scenario, drawn by weight."""

    def __init__(self, scenario: Scenario, host: str) -> None:
        """Compile *scenario* for *host* (as in the Host header). Raises UsageError."""
        self._templates = tuple(compile_exchange(exchange, host) for exchange in scenario.exchanges)
        self._bounds = tuple(accumulate(scenario.weights))
        self._savers = {name: saver for saver in self._templates for name in saver.exchange.save}
        for template in self._templates:
            self._sendable(template, {})

    def requests(self, seed: int, connection: int, saved: Saved) -> Iterator[Request]:
        """Yield what *connection* sends, for ever: a function of seed, connection and what it saved."""
        draw = self.drawing(seed, connection)
        if self._never_varies:
            return repeat(draw(saved))
        return (draw(saved) for _ in repeat(None))

    def drawing(self, seed: int, stream: int) -> Callable[[Saved], Request]:
        """Return what draws the next request of *stream* for whoever saved what it is given."""
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
        """Return *template*, or the one that first has to save what it needs."""
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


def compile_exchange(exchange: Exchange, host: str) -> Template:
    """Make the template of *exchange* for *host*. Raises UsageError."""
    sent = _names([exchange.path, list(exchange.headers.values()), exchange.body])
    expected = _names(exchange.expect.json)
    used = sent | expected | ({exchange.consumes} if exchange.consumes else set())
    return Template(
        exchange=exchange,
        needs=tuple(sorted(used - exchange.fields.keys())),
        lasting=exchange.method == "GET" and not exchange.save and expected <= sent,
        _draws=tuple((name, _generator(exchange, name)) for name in exchange.fields),
        _line=f"{exchange.method} {_format(quote(exchange.path, safe=RESERVED))} HTTP/1.1\r\n",
        _fields=_format(_header_lines(exchange, host)),
    )


def _header_lines(exchange: Exchange, host: str) -> str:
    headers = {"host": ("Host", host)}
    if exchange.body is not None:
        headers["content-type"] = ("Content-Type", "application/json")
    elif exchange.method in ("POST", "PUT", "PATCH"):
        headers["content-length"] = ("Content-Length", "0")
    headers |= {name.lower(): (name, value) for name, value in exchange.headers.items()}
    end = "\r\n" if exchange.body is None else ""  # else Content-Length is still to come
    return "".join(f"{name}: {value}\r\n" for name, value in headers.values()) + end


def _format(text: str) -> str:
    return PLACEHOLDER.sub(lambda found: f"%({found[0][1:-1]})s", text.replace("%", "%%"))


def _quoted(value: Any) -> Any:
    return quote(value, safe="") if isinstance(value, str) else value


def _names(node: Any) -> set[str]:
    if isinstance(node, str):
        return {found[1] for found in PLACEHOLDER.finditer(node)}
    if isinstance(node, Mapping):
        node = list(node.values())
    return set().union(*map(_names, node)) if isinstance(node, list | tuple) else set()


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
