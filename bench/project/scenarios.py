"""Scenarios as the project declares them in apps/scenarios.toml."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Required, cast

from typing_extensions import TypedDict

from bench.errors import UsageError
from bench.files import read_toml
from bench.model import Exchange, Expect, Scenario

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:\+(\d+))?\}")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MOST_NUMBERS = 100_000  # of a list that is written out

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACES = re.compile(r"\{([^{}]*)\}")
_LIKE_A_NAME = re.compile(r"[\w.+$-]+")
_LIKE_NAMES = re.compile(r"[\w.+$ -]+")
_HOW_TO_NAME = "a name has letters of A to Z, digits and _, as in {userId} or {id+1}"
_HOW_TO_KEEP = 'braces stay as they are in a longer text, as in "query {viewer}"'
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # the name of a header, RFC 9110 §5.6.2
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = ("content-length", "transfer-encoding")
_BODILESS = (204, 304)


class ExpectForm(TypedDict, total=False):
    """What a response must show."""

    status: int
    json: Any
    items: int
    contains: str
    unchanged: bool


class FieldForm(TypedDict, total=False):
    """A random field: exactly one of its generators."""

    integer: tuple[int, int]  # inclusive
    hex: int  # number of digits
    letters: int


class _Request(TypedDict):
    request: str


class ExchangeForm(_Request, total=False):
    """One table below [exchanges]. *each*: the one item of a list that names {it} is repeated so often."""

    headers: dict[str, str]
    body: Any
    form: dict[str, Any]
    text: str
    fields: dict[str, FieldForm]
    expect: ExpectForm
    save: dict[str, str]
    consumes: str
    each: dict[str, tuple[int, int]]
    writes: bool


class ScenarioForm(TypedDict, total=False):
    """One table below [scenarios]: exchange → weight, and its name in a sentence."""

    mix: Required[dict[str, int]]
    about: str


class FileForm(TypedDict):
    """The whole file."""

    exchanges: dict[str, ExchangeForm]
    scenarios: dict[str, ScenarioForm]


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def declared(root: Path) -> dict[str, Scenario]:
    """Return the scenarios of the project at *root* by name; raises UsageError."""
    file = root / "apps" / "scenarios.toml"
    forms = read_toml(file, FileForm)
    exchanges = {name: _exchange(file, name, form) for name, form in forms["exchanges"].items()}
    saved = {variable for exchange in exchanges.values() for variable in exchange.save}
    for exchange in exchanges.values():
        _check_names(f"{file}: exchanges.{exchange.name}", exchange, saved)
    return {name: _scenario(file, name, form, exchanges) for name, form in forms["scenarios"].items()}


def _exchange(file: Path, name: str, form: ExchangeForm) -> Exchange:
    where = f"{file}: exchanges.{name}"
    method, _, path = form["request"].partition(" ")
    if method not in METHODS or not path.startswith("/"):
        raise UsageError(f'{where}.request: write it as "GET /path", one of {METHODS}')
    for field, generator in form.get("fields", {}).items():
        _check_field(f"{where}.fields.{field}", field, generator)
    for counter, (first, last) in form.get("each", {}).items():
        form = _each(f"{where}.each.{counter}", form, counter, first, last)
    headers = form.get("headers", {})
    _check_headers(f"{where}.headers", headers)
    _check_expected(f"{where}.expect", form.get("expect", {}))
    for variable, source in form.get("save", {}).items():
        _check_saved(f"{where}.save.{variable}", variable, source)
    body, text = _body(where, form, headers)
    return Exchange(
        name=name,
        method=method,
        path=path,
        headers=headers,
        body=body,
        form=form.get("form"),
        text=text,
        fields={field: dict(generator) for field, generator in form.get("fields", {}).items()},
        expect=Expect(**form.get("expect", {})),
        save=form.get("save", {}),
        consumes=form.get("consumes"),
        writes=form.get("writes", False),
    )


def _body(where: str, form: ExchangeForm, headers: Mapping[str, str]) -> tuple[Any, str | None]:
    given = [key for key in ("body", "form", "text") if key in form]
    if len(given) > 1:
        raise UsageError(f"{where}: {' and '.join(given)}: a request has one body, leave one of them")
    media = media_type({key.lower(): value for key, value in headers.items()}.get("content-type", JSON))
    body, text = form.get("body"), form.get("text")
    if "body" in form and media != JSON and not media.endswith("+json"):
        if not isinstance(body, str):
            raise UsageError(
                f"{where}.body: it is sent as JSON, but Content-Type says {media}: "
                'write form = { name = value } or text = "…" instead'
            )
        body, text = None, body
    if "form" in form and "content-type" in map(str.lower, headers) and media != FORM:
        raise UsageError(f"{where}.form: it is sent as {FORM}, but Content-Type says {media}: leave that out")
    for key, value in form.get("form", {}).items():
        if not all(
            isinstance(one, str | int | float) for one in (value if isinstance(value, list) else [value])
        ):
            raise UsageError(f"{where}.form.{key}: a text, a number, true or false, or a list of these")
    _check_json(f"{where}.body", body)
    return body, text


def _check_json(where: str, content: Any) -> None:
    try:
        json.dumps(content, allow_nan=False)
    except ValueError as error:
        raise UsageError(f"{where}: JSON knows neither nan nor inf: write a number") from error


def _check_field(where: str, name: str, generator: FieldForm) -> None:
    _check_name(where, name)
    if len(generator) != 1:
        raise UsageError(f"{where}: one of integer, hex, letters")
    low, high = generator.get("integer", (0, 0))
    if low > high:
        raise UsageError(f"{where}.integer: [{low}, {high}] is empty: write the lower bound first")
    for kind, length in (("hex", generator.get("hex", 1)), ("letters", generator.get("letters", 1))):
        if not 1 <= length <= MOST_NUMBERS:
            raise UsageError(
                f"{where}.{kind}: {length} characters: write 1 or more, {MOST_NUMBERS:,} at most"
            )


def _check_name(where: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: {{{name}}} cannot be written: {_HOW_TO_NAME}")


def _check_headers(where: str, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise UsageError(f"{where}: {name!r} is no name of a header: write letters, digits and -")
        if name.lower() in _OURS:
            raise UsageError(f"{where}.{name}: it follows from the body: leave it out")
        if _NOT_IN_A_HEADER.search(value):
            raise UsageError(f"{where}.{name}: a header is one line of text: leave control characters out")
    if len({name.lower() for name in headers}) < len(headers):
        raise UsageError(f"{where}: a header is named twice: leave one of them")


def _check_expected(where: str, expect: ExpectForm) -> None:
    status, items = expect.get("status", 200), expect.get("items")
    if not 200 <= status <= 599:
        raise UsageError(f"{where}.status: {status}: answers have one from 200 to 599")
    for key in ("json", "items", "contains"):
        if key in expect and status in _BODILESS:
            raise UsageError(f"{where}.{key}: an answer with status {status} has no body: leave it out")
    if items is not None and items < 0:
        raise UsageError(f"{where}.items: {items}: a list has 0 or more")
    if items is not None and "json" in expect:
        wanted = expect["json"]
        if not isinstance(wanted, list):
            raise UsageError(f"{where}.items: it is the length of an array, but json is none: write a list")
        if len(wanted) > items:
            raise UsageError(f"{where}.items: {items}, but json shows {len(wanted)}: write as many or more")
    _check_json(f"{where}.json", expect.get("json"))


def _check_saved(where: str, variable: str, source: str) -> None:
    _check_name(where, variable)
    place, colon, name = source.partition(":")
    how = 'write a path of keys ("user.token", "items.0.id"), "header:Name", "header:Name?" or "cookie:name"'
    if colon and place in ("header", "cookie"):
        if not _TOKEN.fullmatch(name.removesuffix("?") if place == "header" else name):
            raise UsageError(f"{where}: {source!r} names no {place}: {how}")
    elif (
        (colon and place.strip().lower().removesuffix("s") in ("header", "cookie", "body", "json", "statu"))
        or not all(source.split("."))
        or source != source.strip()
        or source.startswith("$.")
        or "[" in source
    ):
        raise UsageError(f"{where}: {source!r} cannot be read: {how}")


def _each(where: str, form: ExchangeForm, counter: str, first: int, last: int) -> ExchangeForm:
    _check_name(where, counter)
    if not 0 <= last - first < MOST_NUMBERS:
        raise UsageError(
            f"{where}: [{first}, {last}]: the lower bound first, {MOST_NUMBERS:,} numbers at most"
        )
    written = _written_out(form, f"{{{counter}}}", range(first, last + 1))
    if written == form:
        raise UsageError(
            f"{where}: no list of one item has {{{counter}}} in it: write it there, or leave it out"
        )
    return cast(ExchangeForm, written)


def _check_names(where: str, exchange: Exchange, saved: Collection[str]) -> None:
    """Check that all names in braces are known, and that every field is used. Raises UsageError."""
    known = {*exchange.fields, *saved}
    expect = exchange.expect
    for place, node in (("request", exchange.path), ("headers", exchange.headers), ("form", exchange.form)):
        for text in _texts(node):
            for found in _BRACES.finditer(text):
                if place == "request" or _LIKE_NAMES.fullmatch(found[1]):
                    _check_placeholder(f"{where}.{place}", found, exchange, known)
    for place, node in (("body", exchange.body), ("text", exchange.text), ("expect.json", expect.json)):
        for text in _texts(node):
            for found in _BRACES.finditer(text):
                alone = found[0] == text and _LIKE_A_NAME.fullmatch(found[1].strip())
                if alone or (place == "expect.json" and _LIKE_A_NAME.fullmatch(found[1])):
                    _check_placeholder(f"{where}.{place}", found, exchange, known)
                elif known_name := PLACEHOLDER.fullmatch(found[0]):
                    _check_added(f"{where}.{place}", known_name, exchange)
    for known_name in PLACEHOLDER.finditer(expect.contains or ""):
        _check_added(f"{where}.expect.contains", known_name, exchange)
    for place, node in (("body", exchange.body), ("form", exchange.form), ("expect.json", expect.json)):
        for key in _keys(node):
            if (named := PLACEHOLDER.fullmatch(key)) and named[1] in known:
                raise UsageError(
                    f"{where}.{place}: {key} is a key, and stays as it is: placeholders are values"
                )
    sent = [exchange.path, exchange.headers, exchange.body, exchange.form, exchange.text]
    used = set(_placeholders([*sent, expect.json, expect.contains]))
    if unused := sorted(exchange.fields.keys() - used):
        raise UsageError(
            f"{where}.fields.{unused[0]}: {{{unused[0]}}} is used nowhere: use it, or leave it out"
        )
    if exchange.consumes is not None:
        _check_name(f"{where}.consumes", exchange.consumes)
        if exchange.consumes in exchange.fields:
            raise UsageError(
                f"{where}.consumes: {exchange.consumes} is a field: name a variable that is saved"
            )
        if exchange.consumes not in saved:
            raise UsageError(f"{where}.consumes: {exchange.consumes} is saved by no exchange")


def _check_placeholder(
    where: str, found: "re.Match[str]", exchange: Exchange, known: Collection[str]
) -> None:
    placeholder = PLACEHOLDER.fullmatch(found[0])
    if placeholder is None:
        raise UsageError(f"{where}: {found[0]} is no placeholder: {_HOW_TO_NAME}{_kept(where, found)}")
    if placeholder[1] not in known:
        raise UsageError(
            f"{where}: {exchange.name} needs {placeholder[1]}, which nothing here makes: it is neither one "
            f"of its fields nor saved by an exchange{_kept(where, found)}"
        )
    _check_added(where, placeholder, exchange)


def _kept(where: str, found: "re.Match[str]") -> str:
    return f"; {_HOW_TO_KEEP}" if where.endswith((".body", ".text")) and found[0] == found.string else ""


def _check_added(where: str, placeholder: "re.Match[str]", exchange: Exchange) -> None:
    field = exchange.fields.get(placeholder[1])
    if placeholder[2] and field is not None and "integer" not in field:
        raise UsageError(f"{where}: {placeholder[0]}: {placeholder[1]} is no integer that can be added to")


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for part in node.values():
            yield from _texts(part)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _texts(part)


def _keys(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        yield from node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for part in node:
            yield from _keys(part)


def _written_out(node: Any, counter: str, numbers: range) -> Any:
    """Return *node* with each list of one item that contains *counter* repeated for each of *numbers*."""
    if isinstance(node, Mapping):
        return {key: _written_out(value, counter, numbers) for key, value in node.items()}
    if isinstance(node, list) and len(node) == 1 and counter in repr(node):
        return [_counted(node[0], counter, str(number)) for number in numbers]
    return node


def _counted(node: Any, counter: str, number: str) -> Any:
    if isinstance(node, str):
        return node.replace(counter, number)
    if isinstance(node, Mapping):
        return {key: _counted(value, counter, number) for key, value in node.items()}
    return [_counted(part, counter, number) for part in node] if isinstance(node, list) else node


def _scenario(file: Path, name: str, form: ScenarioForm, exchanges: Mapping[str, Exchange]) -> Scenario:
    where, mix = f"{file}: scenarios.{name}.mix", form["mix"]
    if unknown := sorted(mix.keys() - exchanges.keys()):
        raise UsageError(f"{where}: there is no exchange {', '.join(unknown)}")
    if not mix or min(mix.values()) < 1:
        raise UsageError(f"{where}: at least one exchange, each with a weight of 1 or more")
    members = tuple(exchanges[member] for member in mix)
    saved = {variable for member in members for variable in member.save}
    elsewhere = {variable for exchange in exchanges.values() for variable in exchange.save}
    for member in members:
        sent = [member.path, dict(member.headers), member.body, member.form, member.text]
        needed = set(_placeholders([*sent, member.expect.json, member.expect.contains])) & elsewhere
        needed |= {member.consumes} if member.consumes else set()
        if missing := sorted(needed - member.fields.keys() - saved):
            raise UsageError(f"{where}: {member.name} needs {', '.join(missing)}, which nothing here makes")
    return Scenario(name=name, exchanges=members, weights=tuple(mix.values()), about=form.get("about", ""))


def _placeholders(value: Any) -> Iterator[str]:
    for text in _texts(value):
        yield from (found[1] for found in PLACEHOLDER.finditer(text))
