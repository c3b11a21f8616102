"""Scenarios as the project declares them in apps/scenarios.toml."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Required, cast

from pydantic import with_config
from typing_extensions import TypedDict

from bench.documents import STRICT, read_toml
from bench.errors import UsageError
from bench.model import Exchange, Expect, Scenario

PLACEHOLDER = re.compile(r"\{([a-z_]+)(?:\+(\d+))?\}")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@with_config(STRICT)
class ExpectForm(TypedDict, total=False):
    """What a response must show."""

    status: int
    json: Any
    items: int
    contains: str
    unchanged: bool


@with_config(STRICT)
class FieldForm(TypedDict, total=False):
    """A random field: exactly one of its generators."""

    integer: tuple[int, int]  # inclusive
    hex: int  # so many digits
    letters: int


@with_config(STRICT)
class _Request(TypedDict):
    request: str


@with_config(STRICT)
class ExchangeForm(_Request, total=False):
    """One table below [exchanges]; *each*: a list's one item that names {it} is written out so often."""

    headers: dict[str, str]
    body: Any
    fields: dict[str, FieldForm]
    expect: ExpectForm
    save: dict[str, str]
    consumes: str
    each: dict[str, tuple[int, int]]
    writes: bool


@with_config(STRICT)
class ScenarioForm(TypedDict, total=False):
    """One table below [scenarios]: exchange → weight, and what a sentence calls it."""

    mix: Required[dict[str, int]]
    about: str


@with_config(STRICT)
class FileForm(TypedDict):
    """The whole file."""

    exchanges: dict[str, ExchangeForm]
    scenarios: dict[str, ScenarioForm]


def declared(root: Path) -> dict[str, Scenario]:
    """Return the scenarios of the project at *root* by name; raises UsageError."""
    file = root / "apps" / "scenarios.toml"
    forms = read_toml(file, FileForm)
    exchanges = {name: _exchange(file, name, form) for name, form in forms["exchanges"].items()}
    return {name: _scenario(file, name, form, exchanges) for name, form in forms["scenarios"].items()}


def _exchange(file: Path, name: str, form: ExchangeForm) -> Exchange:
    method, _, path = form["request"].partition(" ")
    if method not in METHODS or not path.startswith("/"):
        raise UsageError(f'{file}: exchanges.{name}.request: write it as "GET /path", one of {METHODS}')
    for field, generator in form.get("fields", {}).items():
        if len(generator) != 1:
            raise UsageError(f"{file}: exchanges.{name}.fields.{field}: one of integer, hex, letters")
    for counter, (first, last) in form.get("each", {}).items():
        form = cast(ExchangeForm, _written_out(form, f"{{{counter}}}", range(first, last + 1)))
    return Exchange(
        name=name,
        method=method,
        path=path,
        headers=form.get("headers", {}),
        body=form.get("body"),
        fields={field: dict(generator) for field, generator in form.get("fields", {}).items()},
        expect=Expect(**form.get("expect", {})),
        save=form.get("save", {}),
        consumes=form.get("consumes"),
        writes=form.get("writes", False),
    )


def _written_out(node: Any, counter: str, numbers: range) -> Any:
    """Return *node*, where lists of one item that has *counter* in it have one for each of *numbers*."""
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
    for member in members:
        needed = set(_placeholders([member.path, dict(member.headers), member.body, member.expect.json]))
        needed |= {member.consumes} if member.consumes else set()
        if missing := sorted(needed - member.fields.keys() - saved):
            raise UsageError(f"{where}: {member.name} needs {', '.join(missing)}, which nothing here makes")
    return Scenario(name=name, exchanges=members, weights=tuple(mix.values()), about=form.get("about", ""))


def _placeholders(value: Any) -> Iterator[str]:
    """Yield every name that *value* has in braces, however deep."""
    if isinstance(value, str):
        yield from (found[1] for found in PLACEHOLDER.finditer(value))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _placeholders(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _placeholders(part)
