"""Contenders as a project declares them, and the one grammar of their names.

base[:switch=value,…][@revision][~aa]
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from annotated_types import Interval
from pydantic import AfterValidator, BeforeValidator
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from bench.errors import UsageError
from bench.files import check_known, near_miss, read_toml
from bench.model.constraints import AtLeastOne, Positive
from bench.model.contender import Contender, Ready
from bench.project import bench_file
from bench.project.bench_file import app_at, path_below
from bench.project.locks import lock_named, short_name
from bench.project.postgres_origins import WrittenPostgres, postgres_origin

NAME = re.compile(
    r"(?P<base>[a-z0-9][a-z0-9_-]*)"
    r"(?::(?P<switches>[a-z_]+=[A-Za-z0-9_.-]+(?:,[a-z_]+=[A-Za-z0-9_.-]+)*))?"
    r"(?:@(?P<revision>[A-Za-z0-9_./-]+))?"
    r"(?P<aa>~aa)?"
)
# Keys of a contender that a name may set without a declared switch: `flask:workers=4`; python and lock too.
_NUMBERS = ("workers", "threads")


SERVICES = {"mariadb": "mysql", "postgresql": "postgres", "redis": "valkey"}  # other names, and the one used
INTERFACE = "http"  # of a service whose interface is not declared

# Characters that would end a line of a request, or begin another header.
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


def _is_path(path: str) -> str:
    if not path.startswith("/") or _BREAKS.search(path) or " " in path:
        raise ValueError(f"{path!r} is no path: it begins with a slash and has no spaces")
    return path


def _in_a_tuple(status: Any) -> Any:
    return tuple(status) if isinstance(status, list) else (status,)


_SEVERAL = BeforeValidator(_in_a_tuple, json_schema_input_type=str | tuple[str, ...])


Status = Annotated[int, Interval(ge=200, le=599)]


class WrittenReady(TypedDict, total=False):
    """The keys of `ready`: how a server's start is detected."""

    path: Annotated[str, AfterValidator(_is_path)]
    host: str
    headers: dict[str, str]
    status: Annotated[
        tuple[Status, ...],
        AtLeastOne,
        BeforeValidator(_in_a_tuple, json_schema_input_type=Status | tuple[Status, ...]),
    ]
    seconds: Positive


class Overlay(TypedDict, total=False):
    """The keys of a contender's table. Its values replace those of the table below it."""

    of: str
    stack: str
    interface: str
    server: str
    command: str
    workers: int
    threads: int
    python: str
    lock: str
    env: dict[str, str]
    services: tuple[str, ...]
    postgres: WrittenPostgres
    sql: tuple[str, ...]
    scenarios: tuple[str, ...]
    keep_alive: bool
    ready: WrittenReady
    folder: str
    install: Annotated[tuple[str, ...], _SEVERAL]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    build: Annotated[tuple[str, ...], _SEVERAL]
    schema: Annotated[tuple[str, ...], _SEVERAL]
    prepare: Annotated[tuple[str, ...], _SEVERAL]
    env_file: str
    pass_env: tuple[str, ...]
    switch: "dict[str, dict[str, Overlay]]"


class _ContendersInBenchFile(TypedDict, total=False):
    contenders: dict[str, Overlay]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One contender's table, with its place."""

    base: str
    where: str  # for messages: "apps/shop_app/contenders.toml: shop"
    root: Path
    folder: str | None  # the working directory, below the root; None: apps/<app>
    app: str
    overlay: Overlay

    @property
    def places(self) -> tuple[Path, ...]:
        """Where its files are looked for."""
        if self.folder is None:
            return (self.root / "apps" / self.app,)
        return tuple(dict.fromkeys((self.root / self.folder, self.root)))


def find_project(start: Path) -> Path:
    """Return the nearest folder from *start* upwards that declares contenders; raises UsageError."""
    for folder in (start, *start.parents):
        if any(folder.glob("apps/*/contenders.toml")) or bench_file.declares(folder):
            return folder
    raise UsageError(
        f"no apps/*/contenders.toml and no {bench_file.NAME} with contenders in {start} or above it: run "
        "bench inside a project; `bench init` writes one"
    )


def declared(root: Path) -> dict[str, Declared]:
    """Return every declared contender of the project by base name; raises UsageError."""
    found: dict[str, Declared] = {}
    for table in (*_of_apps(root), *_of_bench_file(root)):
        if other := found.get(table.base):
            raise UsageError(f"{table.where}: already declared in {other.where.rpartition(':')[0]}")
        found[table.base] = table
    for table in found.values():
        resolve(table.base, found)  # a mistake in any table is reported at once, not at its first use
    return found


def _of_apps(root: Path) -> Iterator[Declared]:
    for file in sorted(root.glob("apps/*/contenders.toml")):
        for base, overlay in read_toml(file, dict[str, Overlay]).items():
            folder = _folder(f"{file}: {base}.folder", root, overlay)
            app = file.parent.name if folder is None else app_at(folder)
            yield Declared(
                base=base, where=f"{file}: {base}", root=root, folder=folder, app=app, overlay=overlay
            )


def _of_bench_file(root: Path) -> Iterator[Declared]:
    file = bench_file.bench_file(root)
    tables = file.part(_ContendersInBenchFile, "contenders").get("contenders", {})
    for base, overlay in tables.items():
        where = f"{file.where}: contenders.{base}"
        below, visited = overlay, {base}
        while "folder" not in below and (of := below.get("of")) in tables and of not in visited:
            visited.add(str(of))
            below = tables[str(of)]
        folder = _folder(f"{where}.folder", root, below) or ""
        yield Declared(base=base, where=where, root=root, folder=folder, app=app_at(folder), overlay=overlay)


def _folder(where: str, root: Path, overlay: Overlay) -> str | None:
    if "folder" not in overlay:
        return None
    folder = path_below(where, overlay["folder"])
    if not (root / folder).is_dir():
        raise UsageError(f'{where}: there is no folder "{overlay["folder"]}" below {root}')
    return folder


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
        switched = _switched(name, tables[base], overlay, *switch.split("="))
        for variable in switched.get("env", {}).items() - overlay.get("env", {}).items():
            if (other := owners.setdefault(variable[0], switch)) != switch:
                raise UsageError(f"{name}: {other} and {switch} do not go together: both set {variable[0]}")
        overlay = switched
    return _contender(name, tables[base], overlay)


def _flattened(table: Declared, tables: Mapping[str, Declared]) -> Overlay:
    chain = [table]
    while (below := chain[-1].overlay.get("of")) is not None:
        if below not in tables or tables[below] in chain or tables[below].app != table.app:
            raise UsageError(f"{table.where}.of: {below!r} is no other contender of this app")
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


def _switched(name: str, table: Declared, overlay: Overlay, switch: str, value: str) -> Overlay:
    values = overlay.get("switch", {}).get(switch)
    if values is not None:
        check_known(value, values, f"{name}: {switch}={value} is unknown")
        return _laid(overlay, values[value])
    if switch in _NUMBERS and value.isdecimal() and int(value) > 0:
        return _laid(overlay, cast(Overlay, {switch: int(value)}))
    if switch == "python":
        return _laid(overlay, {"python": value})
    if switch == "lock":
        return _laid(overlay, {"lock": lock_named(name, value, table.places)})
    known = sorted({*overlay.get("switch", {}), *_NUMBERS, "python", "lock"})
    raise UsageError(f"{name}: it has no switch {switch}={value}{near_miss(switch, known)}")


def _contender(name: str, table: Declared, overlay: Overlay) -> Contender:
    if "command" not in overlay:
        raise UsageError(f"{table.where}.command: missing: how is its server started?")
    if table.folder is None:
        for key in ("stack", "interface", "server"):
            if key not in overlay:
                raise UsageError(f"{table.where}.{key}: missing")
    own: dict[str, Any] = {key: value for key, value in overlay.items() if key not in ("of", "switch")}
    server = overlay["command"].split()[:1] or [""]
    own |= {
        "stack": _stack(table.base, overlay),
        "interface": overlay.get("interface", INTERFACE),
        "server": overlay.get("server", Path(server[0]).name),
        "ready": _ready(f"{table.where}.ready", overlay.get("ready", {})),
        "postgres": postgres_origin(f"{table.where}.postgres", overlay.get("postgres", {})),
        "folder": table.folder,
        "services": tuple(dict.fromkeys(SERVICES.get(one, one) for one in overlay.get("services", ()))),
    }
    if "lock" in overlay:
        own["lock"] = path_below(f"{table.where}.lock", overlay["lock"])
    if table.folder is not None:
        own["schema"] = overlay.get("schema", ())
    return Contender(name=name, base=table.base, app=table.app, root=str(table.root), **own)


def _ready(where: str, written: WrittenReady) -> Ready:
    """Return how a server's start is detected; raises UsageError, which begins with *where*."""
    ready = Ready(**written)
    for name, value in {**ready.headers, "host": ready.host or ""}.items():
        if not name.strip() or ":" in name or _BREAKS.search(name + value) or not (name + value).isascii():
            raise UsageError(f"{where}: {name} = {value!r} cannot be sent as a header")
    if ready.host is not None and any(name.lower() == "host" for name in ready.headers):
        raise UsageError(f"{where}: the header Host is set twice: leave it out of headers, or leave host out")
    return ready


def _stack(base: str, overlay: Overlay) -> str:
    workers, python, lock = overlay.get("workers", 1), overlay.get("python"), overlay.get("lock")
    named = (
        f"{workers} workers" if workers > 1 else "",
        f"Python {python}" if python else "",
        f"lock {short_name(lock)}" if lock else "",
    )
    return ", ".join(filter(None, (overlay.get("stack", base), *named)))
