"""Scenarios as the project declares them, in apps/scenarios.toml or bench.toml."""

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

from annotated_types import Ge
from pydantic import AfterValidator, BeforeValidator, model_validator
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from bench.errors import UsageError
from bench.files import read_toml
from bench.model import AtLeastOne, Exchange, Expect, Scenario
from bench.project.bench_file import bench_file, path_below
from bench.project.fields import MOST_NUMBERS, RandomField, can_be_added_to, is_one, with_rows
from bench.project.saves import MISSING, PAGE, at_path, is_source, place_of
from bench.project.uploads import are_parts, texts, with_files

FILE = "apps/scenarios.toml"
KEYS = ("exchanges", "scenarios", "scenarios_file")  # of a bench.toml
PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:\+(\d+))?\}")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"

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


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_request(request: str) -> str:
    method, _, path = request.partition(" ")
    if method not in METHODS or not path.startswith("/"):
        raise ValueError(f'write it as "GET /path", one of {METHODS}')
    return request


def _is_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{{{name}}} cannot be written: {_HOW_TO_NAME}")
    return name


def _are_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header: write letters, digits and -")
        if name.lower() in _OURS:
            raise ValueError(name, "it follows from the body: leave it out")
        if _NOT_IN_A_HEADER.search(value):
            raise ValueError(name, "a header is one line of text: leave control characters out")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is named twice: leave one of them")
    return headers


def _is_of_a_form(value: Any) -> Any:
    if not all(isinstance(one, str | int | float) for one in (value if isinstance(value, list) else [value])):
        raise ValueError("a text, a number, true or false, or a list of these")
    return value


def _can_be_written_out(bounds: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= bounds[1] - bounds[0] < MOST_NUMBERS:
        raise ValueError(f"{[*bounds]}: the lower bound first, {MOST_NUMBERS:,} numbers at most")
    return bounds


def _counts_items(expect: Any) -> Any:
    items = expect.get("items") if isinstance(expect, dict) else None
    counts = items.values() if isinstance(items, dict) else [items]
    if items is not None and not all(type(count) is int for count in counts):
        how = 'write a number, or numbers by quoted paths: { "data.results" = 20 }'
        raise ValueError("items", how)
    return expect


Name = Annotated[str, AfterValidator(_is_name)]


@dataclass(frozen=True, kw_only=True)
class WrittenExchange:
    """One table below [exchanges]. *each*: the one item of a list that names {it} is repeated so often."""

    request: Annotated[str, AfterValidator(_is_request)]
    headers: Annotated[dict[str, str], AfterValidator(_are_headers)] = field(default_factory=dict)
    body: Any = None
    form: dict[str, Annotated[Any, AfterValidator(_is_of_a_form)]] | None = None
    text: str | None = None
    multipart: Annotated[dict[str, Any], AfterValidator(are_parts)] | None = None
    fields: dict[Name, Annotated[RandomField, AfterValidator(is_one)]] = field(default_factory=dict)
    expect: Annotated[Expect, BeforeValidator(_counts_items)] = field(default_factory=Expect)
    save: dict[Name, Annotated[str, AfterValidator(is_source)]] = field(default_factory=dict)
    consumes: Name | None = None
    each: dict[Name, Annotated[tuple[int, int], AfterValidator(_can_be_written_out)]] = field(
        default_factory=dict
    )
    needs: tuple[Name, ...] = ()
    writes: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Return this with its lists written out, and a body that is text as text."""
        given = [key for key in ("body", "form", "text", "multipart") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: a request has one body, leave one of them")
        written = self
        for counter, (first, last) in self.each.items():
            written = written._with_list(counter, range(first, last + 1))
        _check_expected(written.expect)
        _check_page(written.expect, written.save)
        _check_json(written.body, "body")
        _check_json(written.expect.json, "expect", "json")
        named = {name.lower(): value for name, value in self.headers.items()}.get("content-type")
        media = media_type(named or "")
        if self.form is not None and named is not None and media != FORM:
            raise ValueError("form", f"it is sent as {FORM}, but Content-Type says {media}: leave that out")
        if self.multipart is not None and named is not None:
            raise ValueError("multipart", "its Content-Type follows from it: leave that header out")
        if self.body is None or named is None or media == JSON or media.endswith("+json"):
            return written
        if not isinstance(self.body, str):
            raise ValueError(
                "body",
                f"it is sent as JSON, but Content-Type says {media}: "
                'write form = { name = value } or text = "…" instead',
            )
        return replace(written, body=None, text=self.body)

    def _with_list(self, counter: str, numbers: range) -> Self:
        lists = {"body": self.body, "form": self.form, "json": self.expect.json}
        written = _written_out(lists, f"{{{counter}}}", numbers)
        if written == lists:
            hint = "write it there, or leave it out"
            raise ValueError("each", counter, f"no list of one item has {{{counter}}} in it: {hint}")
        expect = replace(self.expect, json=written["json"])
        return replace(self, body=written["body"], form=written["form"], expect=expect)

    def named(self, name: str) -> Exchange:
        method, _, path = self.request.partition(" ")
        kept = {key: value for key, value in vars(self).items() if key not in ("request", "each")}
        return Exchange(name=name, method=method, path=path, **kept)


def _check_json(content: Any, *place: str) -> None:
    try:
        json.dumps(content, allow_nan=False)
    except ValueError as error:
        raise ValueError(*place, "JSON knows neither nan nor inf: write a number") from error


def _check_expected(expect: Expect) -> None:
    status, wanted = expect.status, expect.json
    if not 200 <= status <= 599:
        raise ValueError("expect", "status", f"{status}: answers have one from 200 to 599")
    for key in ("json", "items", "contains"):
        if getattr(expect, key) is not None and status in _BODILESS:
            raise ValueError("expect", key, f"an answer with status {status} has no body: leave it out")
    for path, count in expect.lengths.items():
        place = ("items", path) if path else ("items",)
        if count < 0:
            raise ValueError("expect", *place, f"{count}: a list has 0 or more")
        if path and not all(path.split(".")):
            raise ValueError("expect", *place, 'it is no path of keys: write "data.results"')
        listed = at_path(path, wanted) if path else wanted
        if listed is MISSING or (listed is None and not path):
            continue
        if not isinstance(listed, list):
            words = "it is the length of an array, but json is none: write a list"
            raise ValueError("expect", *place, words if not path else words.replace("json", "json there"))
        if len(listed) > count:
            raise ValueError(
                "expect", *place, f"{count}, but json shows {len(listed)}: write as many or more"
            )


def _check_page(expect: Expect, save: Mapping[str, str]) -> None:
    """Check that an answer is not read both as a page and as JSON. Raises ValueError."""
    places = {variable: place_of(source)[0] for variable, source in save.items()}
    is_json = expect.json is not None or expect.items is not None or "json" in places.values()
    for variable, place in places.items():
        if place in PAGE and is_json:
            words = f"{place} finds values in a page, but this answer is read as JSON: write a path of keys"
            raise ValueError("save", variable, words)
        if place in (*PAGE, "json") and expect.status in _BODILESS:
            raise ValueError(
                "save", variable, f"an answer with status {expect.status} has no body: save it elsewhere"
            )


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


def _has_weight(mix: dict[str, int]) -> dict[str, int]:
    if not any(mix.values()):
        raise ValueError("at least one exchange needs a weight of 1 or more")
    return mix


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenScenario:
    """One table below [scenarios]: exchange → weight, and its name in a sentence."""

    mix: Annotated[dict[str, Annotated[int, Ge(0)]], AtLeastOne, AfterValidator(_has_weight)]
    about: str = ""
    cookies: bool = False  # each connection keeps them


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScenariosFile:
    exchanges: dict[str, WrittenExchange]
    scenarios: dict[str, WrittenScenario]


class _ScenariosInBenchFile(TypedDict, total=False):
    exchanges: dict[str, WrittenExchange]
    scenarios: dict[str, WrittenScenario]
    scenarios_file: str


def declared(root: Path) -> dict[str, Scenario]:
    """Return the scenarios of the project at *root* by name; raises UsageError."""
    return _scenarios(root, *_written(root))


def find(start: Path) -> Path | None:
    """Return the nearest folder from *start* upwards with scenarios of a project; raises UsageError."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file() or any(key in bench_file(folder).content for key in KEYS):
            return folder
    return None


def read(root: Path, file: Path) -> dict[str, Scenario]:
    """Return the scenarios in *file*, of the project at *root*, by name; raises UsageError."""
    return _scenarios(root, str(file), read_toml(file, _ScenariosFile))


def _scenarios(root: Path, file: str, written: _ScenariosFile) -> dict[str, Scenario]:
    exchanges = {name: _exchange(root, file, name, one) for name, one in written.exchanges.items()}
    saved = {variable for exchange in exchanges.values() for variable in exchange.save}
    for exchange in exchanges.values():
        _check_names(f"{file}: exchanges.{exchange.name}", exchange, saved)
    return {name: _scenario(file, name, one, exchanges) for name, one in written.scenarios.items()}


def file_of(root: Path) -> str:
    """Return the file with the project's scenarios, below *root*; raises UsageError."""
    file = bench_file(root)
    inside = file.part(_ScenariosInBenchFile, "exchanges", "scenarios", "scenarios_file")
    if "scenarios_file" in inside:
        if len(inside) > 1:
            raise UsageError(f"{file.where}: scenarios stand here and in a scenarios_file: keep one of them")
        return path_below(f"{file.where}: scenarios_file", inside["scenarios_file"])
    if inside:
        return os.path.relpath(file.where.partition(": ")[0], root)
    if "contenders" in file.content and not (root / FILE).is_file():
        raise UsageError(
            f"{file.where}: no scenarios: write [exchanges] and [scenarios] into it, or name a scenarios_file"
        )
    return FILE


def _written(root: Path) -> tuple[str, _ScenariosFile]:
    file = bench_file(root)
    name = file_of(root)
    if "scenarios" in file.content or "exchanges" in file.content:
        if name != FILE and (root / FILE).is_file():
            raise UsageError(f"{file.where}: scenarios stand here and in {FILE}: keep one of them")
        return file.where, file.part(_ScenariosFile, "exchanges", "scenarios")
    return str(root / name), read_toml(root / name, _ScenariosFile)


def _exchange(root: Path, file: str, name: str, written: WrittenExchange) -> Exchange:
    """Return *written* with what it takes from other files of the project."""
    exchange, where = written.named(name), f"{file}: exchanges.{name}"
    return replace(
        exchange,
        fields=with_rows(root, f"{where}.fields", exchange.fields),
        multipart=with_files(root, f"{where}.multipart", exchange.multipart),
    )


def _check_names(where: str, exchange: Exchange, saved: Collection[str]) -> None:
    """Check that all names in braces are known, and that every field is used. Raises UsageError."""
    known = {*exchange.fields, *saved}
    expect = exchange.expect
    parts = texts(exchange.multipart)
    for place, node in (
        ("request", exchange.path),
        ("headers", exchange.headers),
        ("form", exchange.form),
        ("multipart", parts),
    ):
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
    for place, node in (
        ("body", exchange.body),
        ("form", exchange.form),
        ("multipart", exchange.multipart),
        ("expect.json", expect.json),
    ):
        for key in _keys(node):
            if (named := PLACEHOLDER.fullmatch(key)) and named[1] in known:
                raise UsageError(
                    f"{where}.{place}: {key} is a key, and stays as it is: placeholders are values"
                )
    if unused := sorted(exchange.fields.keys() - _used(exchange)):
        raise UsageError(f"{where}.fields.{unused[0]}: {{{unused[0]}}} is not used: use it, or leave it out")
    for name in exchange.needs:
        if name not in saved or name in exchange.fields:
            words = f"{name} is a field" if name in exchange.fields else f"{name} is saved by no exchange"
            raise UsageError(f"{where}.needs: {words}: name a variable that is saved")
    if exchange.consumes is not None:
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
    if placeholder[2] and field is not None and not can_be_added_to(field):
        raise UsageError(f"{where}: {placeholder[0]}: {placeholder[1]} is no integer that can be added to")


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping | list):
        for part in node.values() if isinstance(node, Mapping) else node:
            yield from _texts(part)


def _keys(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        yield from node
    if isinstance(node, Mapping | list):
        for part in node.values() if isinstance(node, Mapping) else node:
            yield from _keys(part)


def _scenario(file: str, name: str, written: WrittenScenario, exchanges: Mapping[str, Exchange]) -> Scenario:
    where, mix = f"{file}: scenarios.{name}.mix", written.mix
    if unknown := sorted(mix.keys() - exchanges.keys()):
        raise UsageError(f"{where}: there is no exchange {', '.join(unknown)}")
    members = tuple(exchanges[member] for member in mix)
    saved = {variable for member in members for variable in member.save}
    elsewhere = {variable for exchange in exchanges.values() for variable in exchange.save}
    for member in members:
        consumed = {member.consumes} if member.consumes else set()
        needed = (_used(member) & elsewhere) | {*member.needs} | consumed
        if missing := sorted(needed - member.fields.keys() - saved):
            raise UsageError(f"{where}: {member.name} needs {', '.join(missing)}, which nothing here makes")
    if idle := [one for one, weight in mix.items() if not weight and not exchanges[one].save]:
        raise UsageError(
            f"{where}.{idle[0]}: with weight 0 it is sent for what it saves, and it saves nothing: "
            "give it a weight, or leave it out"
        )
    return Scenario(
        name=name,
        exchanges=members,
        weights=tuple(mix.values()),
        about=written.about,
        cookies=written.cookies,
    )


def _used(exchange: Exchange) -> set[str]:
    sent = [exchange.path, exchange.headers, exchange.body, exchange.form, exchange.text]
    shown = [exchange.expect.json, exchange.expect.contains]
    used = _texts([*sent, texts(exchange.multipart), *shown])
    return {found[1] for text in used for found in PLACEHOLDER.finditer(text)}
