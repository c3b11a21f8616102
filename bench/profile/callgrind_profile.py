"""Which object files and C functions the counted instructions were in, from callgrind's output files."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.profile.layers import LAYERS, layer_of
from bench.profile.profiler import PACKAGE
from bench.profile.record import Files
from bench.runtime import callgrind_file

Costs = Mapping[tuple[str, str], int]  # object file and function → instructions in itself, callees apart


INTERPRETER, JSON, LIBC, PACKAGES, UNKNOWN = "interpreter", "json", "libc", "packages", "unknown"
# Layers of object files, in the order of a report. No file of the app itself is one: it has Python's.
OBJECT_LAYERS = {
    **{name: LAYERS[name] for name in ("server", "framework", "validation", "orm", "driver", "template")},
    JSON: "JSON",
    PACKAGES: "other packages and libraries",
    INTERPRETER: "interpreter",
    LIBC: "libc",
    UNKNOWN: "unknown",
}
OF_PYTHON = re.compile(r"(?:^|/)(?:libpython3[^/]*\.so[^/]*|python3?(?:\.\d+)?t?)$")
MODULE_OF_PYTHON = re.compile(r"/lib-dynload/([^/.]+)\.[^/]*$")
OF_LIBC = re.compile(r"/(?:libc|libm|libpthread|libdl|librt|ld-linux[^/.]*|ld-musl[^/.]*|ld)[.-][^/]*$")
OF_VALGRIND = re.compile(r"/vgpreload_[^/]*$")
JSON_PARTS = frozenset(("_json", "orjson", "ujson", "simplejson", "rapidjson", "msgspec"))
# Parts in C that no layers.toml has to name; where an app declares a layer, that holds.
USUAL = {
    "pydantic_core": "validation",
    "sqlalchemy": "orm",
    "asyncpg": "driver",
    "psycopg_binary": "driver",
    "psycopg_c": "driver",
    "psycopg2": "driver",
    "psycopg2_binary": "driver",
    "sqlite3": "driver",
    "libsqlite3": "driver",
    "libpq": "driver",
    "httptools": "server",
    "uvloop": "server",
    "granian": "server",
    "gevent": "server",
    "asyncio": "server",
    "markupsafe": "template",
}


def read_costs(files: Iterable[Path]) -> Costs:
    """Return the costs in *files* together, most first: one for each process, or thread, or dump.

    Raises CannotMeasure if one does not add up to its own totals.
    """
    found: Counter[tuple[str, str]] = Counter()
    for file in files:
        found.update(costs(file.read_text(errors="replace"), str(file.name)))
    return dict(found.most_common())


def costs(text: str, named: str = "the profile") -> Costs:
    """Return the costs in *text*. Raises CannotMeasure as `read_costs` does."""
    found: Counter[tuple[str, str]] = Counter()
    for one in callgrind_file.costs(text, named):
        if not one.callee:
            found[one.object, one.function] += one.instructions
    return found


def object_layer(file: str, files: Files) -> str:
    """Return the layer of an object file, a key of OBJECT_LAYERS. *files*: what the app declares."""
    if file == callgrind_file.UNNAMED or OF_VALGRIND.search(file):
        return UNKNOWN
    in_package = PACKAGE.match(file)
    if OF_PYTHON.search(file) and not in_package:
        return INTERPRETER
    if OF_LIBC.search(file) and not in_package:
        return LIBC
    if module := MODULE_OF_PYTHON.search(file):
        name = module[1]
        return JSON if name in JSON_PARTS else _declared(name.removeprefix("_"), files) or INTERPRETER
    path = PACKAGE.sub("", file) if in_package else file.rpartition("/")[2]
    top, slash, rest = path.partition("/")
    top = top.removesuffix(".libs").partition(".")[0]  # what a wheel brings lies in "psycopg_binary.libs"
    if top in JSON_PARTS:
        return JSON
    return _declared(f"{top}{slash}{rest}", files) or PACKAGES


def _declared(path: str, files: Files) -> str | None:
    layer = layer_of(path, files) or layer_of(path, USUAL)
    return layer if layer in OBJECT_LAYERS else None


def by_layer(costs: Costs, files: Files) -> Mapping[str, int]:
    """Return the instructions in each layer of OBJECT_LAYERS, in their order."""
    found = dict.fromkeys(OBJECT_LAYERS, 0)
    layers: dict[str, str] = {}
    for (file, _), instructions in costs.items():
        layer = layers.get(file) or layers.setdefault(file, object_layer(file, files))
        found[layer] += instructions
    return found


def by_function(costs: Costs, most: int | None = None) -> Mapping[str, int]:
    """Return the instructions in each "function (object file)", most first; *most* of them, or all."""
    found: Counter[str] = Counter()
    for (file, function), instructions in costs.items():
        found[f"{function} ({file.rpartition('/')[2]})"] += instructions
    return dict(found.most_common(most))
