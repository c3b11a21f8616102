"""Right answers for the null server, made from the request alone."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import quote, quote_plus

from bench.load.answers import check
from bench.load.mix import Mix
from bench.load.multipart import pieces
from bench.load.null.responder import Answer, responder
from bench.load.placeholders import AS_TEXT, Values, as_text, filled
from bench.load.requests import RESERVED, Saved, content_type, in_header, in_path, text_of
from bench.load.responses import LARGEST_BYTES, Heads, read_response
from bench.model.scenario import Exchange, Scenario
from bench.project.exchanges import FORM, JSON, media_type
from bench.project.patterns import example_of
from bench.project.saves import MISSING, at_path, place_of
from bench.project.scenarios import PLACEHOLDER
from bench.project.selectors import selector

_SAVED = "1"  # the value to save if the scenario expects no particular one
_REHEARSED = 2_000  # requests, for the average length of a response
_REHEARSED_BYTES = 100 << 20  # the most bytes sent and answered for it
_IN_QUOTES = re.compile(rf'"({PLACEHOLDER.pattern})"')
_ALIKE = re.compile(r"[A-Za-z0-9_.~-]+")  # a text that is written so in all places
_WHOLE = "\0"  # before a placeholder that stands for a JSON value, not for a part of a text
_COMPACT, _SPACED = (",", ":"), (", ", ": ")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownValue:
    pattern: str = r'[^\s"/?&]+'  # of its text in a request
    integer: bool = False
    constant: str = _SAVED  # its text, if it does not depend on the request
    choices: tuple[Any, ...] = ()  # all of its values, if they are not written alike in all places


Known = Mapping[str, KnownValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuePlace:
    """Where a value stands: how it is written there, and what may be there in its place."""

    pattern: str
    written: Callable[[Any], str]


_AS_JSON = ValuePlace(pattern=r'(?:"(?:[^"\\]|\\.)*"|[-+.\w]+)', written=json.dumps)
_IN_JSON = ValuePlace(pattern=r'(?:[^"\\]|\\.)*?', written=lambda value: json.dumps(as_text(value))[1:-1])
_IN_PATH = ValuePlace(pattern=r"[\w.~%+-]*", written=lambda value: str(in_path(value)))
_IN_HEADER = ValuePlace(pattern=r"[^\r\n]*?", written=lambda value: str(in_header(value)))
_IN_FORM = ValuePlace(pattern=r"[\w.~%+-]*", written=lambda value: quote_plus(as_text(value)))
_IN_TEXT = ValuePlace(pattern=r"(?s:.*?)", written=as_text)


def answers(scenario: Scenario, response_bytes: int = 0) -> tuple[Answer, ...]:
    """Return how to answer each exchange of *scenario*, the likelier ones first. Raises UsageError.

    Bodies are padded with spaces until a response has *response_bytes* bytes on average, head included.
    """
    mix = Mix(scenario, host="localhost")
    saved: dict[str, KnownValue] = {}
    for exchange in scenario.exchanges:
        for name, value in _saved(exchange).items():
            known = saved.setdefault(name, value)
            saved[name] = known if known == value else KnownValue(pattern=r"-?\d+", integer=True)  # a counter
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
    respond, heads = responder(answers), {one: Heads(bodiless=one) for one in (False, True)}
    saved: Saved = {}
    budget_bytes = _REHEARSED_BYTES
    for request in islice(mix.requests(0, 0, saved), _REHEARSED):
        response = respond(request.payload) or b""
        template = request.template
        if read := read_response(response, heads[template.is_head]):
            head, body = read
            check(request, head, body, saved)
            yield len(response), None if template.exchange.is_bodiless else len(body)
        budget_bytes -= len(response) + len(request.payload)
        if budget_bytes < 0:
            return


def _drawn(exchange: Exchange) -> dict[str, KnownValue]:
    return {name: _generated(dict(generator)) for name, generator in exchange.fields.items()}


def _generated(generator: Mapping[str, Any]) -> KnownValue:
    match generator:
        case {"integer": _}:
            return KnownValue(pattern=r"-?\d+", integer=True)
        case {"hex": length}:
            return KnownValue(pattern=rf"[0-9a-f]{{{length}}}")
        case {"letters": length}:
            return KnownValue(pattern=rf"[a-z]{{{length}}}")
        case {"uuid": _}:
            return KnownValue(pattern=r"[0-9a-f-]{36}")
        case {"values": values}:
            return _one_of(tuple(values))
    return KnownValue()


def _one_of(values: tuple[Any, ...]) -> KnownValue:
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return KnownValue(pattern=r"-?\d+", integer=True)
    if all(isinstance(value, str) and _ALIKE.fullmatch(value) for value in values):
        return KnownValue(pattern=rf"{_ALIKE.pattern}")
    return KnownValue(choices=values)


def _saved(exchange: Exchange) -> dict[str, KnownValue]:
    kept = {}
    for name, source in exchange.save.items():
        place, path = place_of(source)
        content = at_path(path, exchange.expect.json) if place == "json" else MISSING
        if place == "regex":
            value = example_of(path)[1]
            kept[name] = replace(_one_of((value,)), constant=value)
        elif content is MISSING:
            kept[name] = KnownValue(pattern=re.escape(_SAVED), integer=place == "json")
        else:
            kept[name] = _held(content, _drawn(exchange))
    return kept


def _held(content: Any, drawn: Known) -> KnownValue:
    if isinstance(content, str) and (whole := PLACEHOLDER.fullmatch(content)):
        value = drawn.get(whole[1], KnownValue())
        return replace(value, integer=False, choices=()) if _is_text(content) else value
    if isinstance(content, str) and PLACEHOLDER.search(content):
        return KnownValue()
    text = as_text(content)
    return KnownValue(pattern=re.escape(text), integer=isinstance(content, int | float), constant=text)


def _answer(exchange: Exchange, known: Known) -> Answer:
    caught: dict[str, ValuePlace] = {}
    pattern, is_open = _pattern(exchange, known, caught)
    values: list[tuple[str, int, Mapping[str, str] | None]] = []

    def value(name: str, added: int, place: ValuePlace) -> str:
        if name in caught:
            choices = known[name].choices
            values.append((name, added, _texts(choices, caught[name], place, added) if choices else None))
            return "%b"
        if known[name].choices:
            return _escaped(place.written(known[name].choices[0]))
        constant = known[name].constant
        return str(int(constant) + added) if added else constant

    places = map(place_of, exchange.save.values())
    headers = "".join(_header(place, name) for place, name in places if place in ("header", "cookie"))
    status = exchange.expect.status
    if exchange.is_bodiless:
        return Answer(pattern=pattern, status=status, fields=headers, is_open=is_open)
    content = _content(exchange, known)
    if content is None:
        page = "".join(_shown(*place_of(source)) for source in exchange.save.values())
        text = _woven(exchange.expect.contains or "", known, _escaped, value, _IN_TEXT)
        media, body = "text/html", _escaped(page) + text
    else:
        media, body = "application/json", _woven(_unquoted(content, known), known, _escaped, value, _IN_JSON)
    headers += f"Content-Type: {media}\r\n"
    return Answer(
        pattern=pattern, status=status, fields=headers, body=body, values=tuple(values), is_open=is_open
    )


def _texts(choices: Sequence[Any], sent: ValuePlace, shown: ValuePlace, added: int) -> dict[str, str]:
    """Return the text of each of *choices* where it is shown, by its text where it is sent."""
    texts: dict[str, str] = {}
    for choice in choices:
        result = Values(n=choice)[f"n+{added}"] if added else choice
        texts.setdefault(sent.written(choice), shown.written(result))
    return texts


def _shown(place: str, name: str) -> str:
    """Return a piece of a page in which the selector or pattern *name* finds the value to save."""
    if place == "regex":
        return example_of(name)[0]
    if place != "css":
        return ""
    wanted = selector(name)
    attributes = {key: value or "" for key, value in wanted.attributes}
    if wanted.classes:
        attributes["class"] = " ".join(wanted.classes)
    if wanted.taken:
        attributes[wanted.taken] = _SAVED
    written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    tag = wanted.tag or "b"
    return f"<{tag}{written}>{'' if wanted.taken else _SAVED}</{tag}>"


def _header(place: str, name: str) -> str:
    begins = f"Set-Cookie: {name}=" if place == "cookie" else f"{name.removesuffix('?')}: "
    return f"{begins}{_SAVED}\r\n"


def _pattern(exchange: Exchange, known: Known, caught: dict[str, ValuePlace]) -> tuple[str, bool]:
    """Return a regular expression of the requests of *exchange*, and whether it matches the beginning of one.

    Add the values that it captures to *caught*, with the place where each does.
    """

    def value(name: str, added: int, place: ValuePlace) -> str:
        choices = known[name].choices
        if added and not choices:
            return r"-?\d+"
        if added or (name in caught and choices):
            return place.pattern
        if name in caught:
            return f"(?P={name})"
        caught[name] = place
        return f"(?P<{name}>{place.pattern if choices else known[name].pattern})"

    def woven(text: str, place: ValuePlace) -> str:
        return _woven(text, known, re.escape, value, place)

    line = woven(f"{exchange.method} {quote(exchange.path, safe=RESERVED)} HTTP/1.1", _IN_PATH)
    headers = "".join(
        rf"(?=(?:.+\r\n)*(?i:{re.escape(name)}): *{woven(text, _IN_HEADER)}\r\n)"
        for name, text in exchange.headers.items()
        if PLACEHOLDER.search(text)
    )
    head = rf"{line}\r\n{headers}(?:.+\r\n)*\r\n"
    sent, place = text_of(exchange), _place_of_text(exchange)
    if sent is None:
        sent = "" if exchange.body is None else json.dumps(exchange.body, separators=_COMPACT)
        sent, place = _unquoted(sent, known), _IN_JSON
    if exchange.multipart is not None:  # a file is known by its length: comparing it would take long
        body = "".join(
            rf"(?s:.{{{len(piece)}}})" if isinstance(piece, bytes) else woven(piece, _IN_TEXT)
            for piece in pieces(exchange.multipart)
        )
        return head + body, True
    is_open = any(known[found[1]].choices for found in PLACEHOLDER.finditer(sent) if found[1] in known)
    return head + woven(sent, place), is_open


def _place_of_text(exchange: Exchange) -> ValuePlace:
    media = media_type(content_type(exchange) or "")
    if media == FORM:
        return _IN_FORM
    return _IN_JSON if media == JSON or media.endswith("+json") else _IN_TEXT


def _content(exchange: Exchange, known: Known) -> str | None:
    """Return the expected body as JSON text with placeholders. None if it need not be JSON."""
    expect = exchange.expect
    content: Any = expect.json
    for source in exchange.save.values():
        place, path = place_of(source)
        if place == "json" and at_path(path, content) is MISSING:
            content = _with(path.split("."), content, int(_SAVED))
    any_values = Values((name, 1 if value.integer else "x") for name, value in known.items())
    for path, count in expect.lengths.items():
        listed = at_path(path, content) if path else content
        wanted = list(listed) if isinstance(listed, list | tuple) and listed else [{}]
        more = [filled(wanted[-1], any_values)] * (count - len(wanted))
        content = _with(path.split(".") if path else [], content, (wanted + more)[:count])
    if content is None:
        return None
    texts = [json.dumps(content, separators=style, ensure_ascii=False) for style in (_COMPACT, _SPACED)]
    return next((text for text in texts if (expect.contains or "") in text), texts[0])


def _with(path: Sequence[str], content: Any, value: Any) -> Any:
    """Return *content* with *value* at *path*. Missing objects and arrays on the path are added."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if key.isdigit() and not isinstance(content, Mapping):
        items = list(content) if isinstance(content, list | tuple) else []
        items += [{} for _ in range(int(key) + 1 - len(items))]
        items[int(key)] = _with(rest, items[int(key)], value)
        return items
    fields = dict(content) if isinstance(content, Mapping) else {}
    return {**fields, key: _with(rest, fields.get(key), value)}


def _unquoted(text: str, known: Known) -> str:
    def unquoted(found: "re.Match[str]") -> str:
        if _is_text(found[1]):
            return found[0]
        value = known.get(found[2])
        if value and value.choices:
            return _WHOLE + found[1]
        return found[1] if value and (found[3] or value.integer) else found[0]

    return _IN_QUOTES.sub(unquoted, text)


def _is_text(placeholder: str) -> bool:
    return placeholder.endswith(f"{AS_TEXT}}}")


def _woven(
    text: str,
    known: Known,
    literal: Callable[[str], str],
    value: Callable[[str, int, ValuePlace], str],
    place: ValuePlace,
) -> str:
    """Return *text* with *value* applied to placeholders and *literal* to the text between them."""
    pieces, at = [], 0
    for found in PLACEHOLDER.finditer(text):
        if found[1] in known:
            before = text[at : found.start()]
            here = _AS_JSON if before.endswith(_WHOLE) else place
            pieces += [literal(before.removesuffix(_WHOLE)), value(found[1], int(found[2] or 0), here)]
            at = found.end()
    return "".join([*pieces, literal(text[at:])])


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
