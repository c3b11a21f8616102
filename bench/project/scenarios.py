"""Scenarios as the project declares them, in apps/scenarios.toml or bench.toml."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import AfterValidator
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from bench.errors import UsageError
from bench.files import read_toml
from bench.model.constraints import AtLeastOne
from bench.model.scenario import Exchange, Scenario
from bench.project.bench_file import bench_file, path_below
from bench.project.exchanges import HOW_TO_NAME, WrittenExchange
from bench.project.fields import can_be_added_to, with_rows
from bench.project.locustfiles import declared_users
from bench.project.uploads import texts, with_files

FILE = "apps/scenarios.toml"
KEYS = ("exchanges", "scenarios", "scenarios_file")  # of a bench.toml
PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:\+(\d+))?(?::text)?\}")

_BRACES = re.compile(r"\{([^{}]*)\}")
_LIKE_A_NAME = re.compile(r"[\w.+$-]+(?::text)?")
_OF_A_TYPE = re.compile(r"\{([A-Za-z_]\w*)(?:\+\d+)?:(?!text\})\w+\}")
_LIKE_NAMES = re.compile(r"[\w.+$ -]+")
_HOW_TO_KEEP = 'braces stay as they are in a longer text, as in "query {viewer}"'


def _has_weight(mix: dict[str, int]) -> dict[str, int]:
    if not any(mix.values()):
        raise ValueError("at least one exchange needs a weight of 1 or more")
    return mix


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenScenario:
    """One table below [scenarios]: exchange → weight, or a locustfile; and its name in a sentence."""

    mix: Annotated[dict[str, Annotated[int, Ge(0)]], AtLeastOne, AfterValidator(_has_weight)] | None = None
    locustfile: str | None = None  # below the folder of the project
    users: tuple[str, ...] = ()  # classes of the locustfile; empty: all
    about: str = ""
    cookies: bool = False  # each connection keeps them


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScenariosFile:
    scenarios: dict[str, WrittenScenario]
    exchanges: dict[str, WrittenExchange] = field(default_factory=dict)


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
    return {name: _scenario(root, file, name, one, exchanges) for name, one in written.scenarios.items()}


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
            if (typed := _OF_A_TYPE.fullmatch(text)) and typed[1] in known:
                raise UsageError(f"{where}.{place}: {text}: write {{{typed[1]}:text}} for its text")
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
        raise UsageError(f"{where}: {found[0]} is no placeholder: {HOW_TO_NAME}{_kept(where, found)}")
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


def _scenario(
    root: Path, file: str, name: str, written: WrittenScenario, exchanges: Mapping[str, Exchange]
) -> Scenario:
    where, mix = f"{file}: scenarios.{name}.mix", written.mix
    if written.locustfile is not None:
        return _of_users(root, f"{file}: scenarios.{name}", name, written, exchanges)
    if mix is None:
        raise UsageError(f"{file}: scenarios.{name}: it requests nothing: write a mix, or name a locustfile")
    if written.users:
        raise UsageError(f"{file}: scenarios.{name}.users: only a locustfile has users: leave them out")
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


def _of_users(
    root: Path, where: str, name: str, written: WrittenScenario, exchanges: Collection[str]
) -> Scenario:
    for key in ("mix", "cookies"):
        if getattr(written, key):
            raise UsageError(f"{where}.{key}: a locustfile settles that itself: leave out one of the two")
    if name in exchanges:
        raise UsageError(f"{where}: an exchange has the same name: rename one of the two")
    locustfile, exchange = declared_users(root, where, name, written.locustfile or "", written.users)
    return Scenario(
        name=name, exchanges=(exchange,), weights=(1,), about=written.about, locustfile=locustfile
    )


def _used(exchange: Exchange) -> set[str]:
    sent = [exchange.path, exchange.headers, exchange.body, exchange.form, exchange.text]
    shown = [exchange.expect.json, exchange.expect.contains]
    used = _texts([*sent, texts(exchange.multipart), *shown])
    return {found[1] for text in used for found in PLACEHOLDER.finditer(text)}
