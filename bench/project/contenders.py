"""Contenders as the apps declare them, and the one grammar of their names.

base[:switch=value,…][@revision][~aa]
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from annotated_types import Interval
from pydantic import AfterValidator, BeforeValidator
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from bench.errors import UsageError
from bench.files import check_known, near_miss, read_toml
from bench.model import AtLeastOne, Contender, Positive, Ready

NAME = re.compile(
    r"(?P<base>[a-z0-9][a-z0-9_-]*)"
    r"(?::(?P<switches>[a-z_]+=[A-Za-z0-9_.-]+(?:,[a-z_]+=[A-Za-z0-9_.-]+)*))?"
    r"(?:@(?P<revision>[A-Za-z0-9_./-]+))?"
    r"(?P<aa>~aa)?"
)
# Keys of a contender that a name may set without a declared switch: `flask:workers=4`.
_NUMBERS = ("workers", "threads")


# Characters that would end a line of a request, or begin another header.
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


def _is_path(path: str) -> str:
    if not path.startswith("/") or _BREAKS.search(path) or " " in path:
        raise ValueError(f"{path!r} is no path: it begins with a slash and has no spaces")
    return path


def _in_a_tuple(status: Any) -> Any:
    return tuple(status) if isinstance(status, list) else (status,)


Status = Annotated[int, Interval(ge=200, le=599)]


class WrittenReady(TypedDict, total=False):
    """The keys of `ready`: how a server's start is detected."""

    path: Annotated[str, AfterValidator(_is_path)]
    host: str
    headers: dict[str, str]
    status: Annotated[tuple[Status, ...], AtLeastOne, BeforeValidator(_in_a_tuple)]
    seconds: Positive


class Overlay(TypedDict, total=False):
    """The keys of a table in contenders.toml. Its values replace those of the table below it."""

    of: str
    stack: str
    interface: str
    server: str
    command: str
    workers: int
    threads: int
    python: str
    env: dict[str, str]
    services: tuple[str, ...]
    sql: tuple[str, ...]
    scenarios: tuple[str, ...]
    keep_alive: bool
    ready: WrittenReady
    switch: "dict[str, dict[str, Overlay]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One table of a contenders.toml, with its file."""

    base: str
    file: Path
    overlay: Overlay

    @property
    def app(self) -> Path:
        return self.file.parent


def find_project(start: Path) -> Path:
    """Return the nearest folder from *start* upwards with `apps/*/contenders.toml`; raises UsageError."""
    for folder in (start, *start.parents):
        if any(folder.glob("apps/*/contenders.toml")):
            return folder
    raise UsageError(f"no apps/*/contenders.toml in {start} or above it: run bench inside a project")


def declared(root: Path) -> dict[str, Declared]:
    """Return every declared contender of the project by base name; raises UsageError."""
    found: dict[str, Declared] = {}
    for file in sorted(root.glob("apps/*/contenders.toml")):
        for base, overlay in read_toml(file, dict[str, Overlay]).items():
            if base in found:
                raise UsageError(f"{file}: {base}: already declared in {found[base].file}")
            found[base] = Declared(base=base, file=file, overlay=overlay)
    for table in found.values():
        resolve(table.base, found)  # a mistake in any table is reported at once, not at its first use
    return found


def resolve(name: str, tables: Mapping[str, Declared], *, revised: bool = False) -> Contender:
    """Return the contender named *name*; raises UsageError with the near misses.

    A name may have a revision if *tables* are *revised*, which means those of that revision.
    """
    parts = NAME.fullmatch(name)
    if not parts:
        raise UsageError(f"{name!r} is not a contender's name: base[:switch=value,…][@revision][~aa]")
    base = parts["base"]
    check_known(base, tables, f"unknown contender {base}")
    if parts["revision"] and not revised:
        raise UsageError(
            f"{name}: `bench diff` compares revisions; everything else is of the files as they are"
        )
    overlay = _flattened(tables[base], tables)
    owners: dict[str, str] = {}  # variable → the switch that sets it
    for switch in filter(None, (parts["switches"] or "").split(",")):
        switched = _switched(name, overlay, *switch.split("="))
        for variable in switched.get("env", {}).items() - overlay.get("env", {}).items():
            if (other := owners.setdefault(variable[0], switch)) != switch:
                raise UsageError(f"{name}: {other} and {switch} do not go together: both set {variable[0]}")
        overlay = switched
    return _contender(name, tables[base], overlay)


def _flattened(table: Declared, tables: Mapping[str, Declared]) -> Overlay:
    chain = [table]
    while (below := chain[-1].overlay.get("of")) is not None:
        if below not in tables or tables[below] in chain or tables[below].app != table.app:
            raise UsageError(f"{table.file}: {table.base}.of: {below!r} is no other contender of this app")
        chain.append(tables[below])
    overlay: Overlay = {}
    for layer in reversed(chain):
        overlay = _laid(overlay, layer.overlay)
    return overlay


def _laid(below: Overlay, above: Overlay) -> Overlay:
    merged = {**below, **above}
    for key in ("env", "ready", "switch"):
        if key in below and key in above:
            merged[key] = {**below[key], **above[key]}
    return cast(Overlay, merged)


def _switched(name: str, overlay: Overlay, switch: str, value: str) -> Overlay:
    values = overlay.get("switch", {}).get(switch)
    if values is not None:
        check_known(value, values, f"{name}: {switch}={value} is unknown")
        return _laid(overlay, values[value])
    if switch in _NUMBERS and value.isdecimal() and int(value) > 0:
        return _laid(overlay, cast(Overlay, {switch: int(value)}))
    if switch == "python":
        return _laid(overlay, {"python": value})
    known = sorted({*overlay.get("switch", {}), *_NUMBERS, "python"})
    raise UsageError(f"{name}: it has no switch {switch}={value}{near_miss(switch, known)}")


def _contender(name: str, table: Declared, overlay: Overlay) -> Contender:
    for key in ("stack", "interface", "server", "command"):
        if key not in overlay:
            raise UsageError(f"{table.file}: {table.base}.{key}: missing")
    own: dict[str, Any] = {key: value for key, value in overlay.items() if key not in ("of", "switch")}
    own["stack"] = _stack(overlay)
    own["ready"] = _ready(f"{table.file}: {table.base}.ready", overlay.get("ready", {}))
    root = str(table.app.parent.parent)
    return Contender(name=name, base=table.base, app=table.app.name, root=root, **own)


def _ready(where: str, written: WrittenReady) -> Ready:
    """Return how a server's start is detected; raises UsageError, which begins with *where*."""
    ready = Ready(**written)
    for name, value in {**ready.headers, "host": ready.host or ""}.items():
        if not name.strip() or ":" in name or _BREAKS.search(name + value) or not (name + value).isascii():
            raise UsageError(f"{where}: {name} = {value!r} cannot be sent as a header")
    if ready.host is not None and any(name.lower() == "host" for name in ready.headers):
        raise UsageError(f"{where}: the header Host is set twice: leave it out of headers, or leave host out")
    return ready


def _stack(overlay: Overlay) -> str:
    workers, python = overlay.get("workers", 1), overlay.get("python")
    named = (f"{workers} workers" if workers > 1 else "", f"Python {python}" if python else "")
    return ", ".join(filter(None, (overlay["stack"], *named)))
