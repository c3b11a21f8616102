"""Which object files and C functions the counted instructions were in, from callgrind's output files.

Format: https://valgrind.org/docs/manual/cl-format.html
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import CannotMeasure
from bench.profile.layers import LAYERS, layer_of
from bench.profile.profiler import PACKAGE
from bench.profile.record import Files

Costs = Mapping[tuple[str, str], int]  # object file and function → instructions in itself, callees apart

EVENT = "Ir"
NAME = re.compile(r"\((\d+)\)(?: (.*))?")
RECURSION = re.compile(r"'\d+$")  # a function that calls itself is named apart: "f'2"
OBJECTS, FUNCTIONS = ("ob", "cob"), ("fn", "cfn")  # each pair shares its compressed names
POSITIONS = "0123456789+-*"  # a line of costs begins with one of these

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


@dataclass(slots=True)
class _Part:
    """The state of a reader: where the next costs belong, and what compressed names stand for."""

    objects: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    object: str = "???"
    function: str = "???"
    positions: int = 1  # numbers that come before the costs of a line
    event: int = 0  # the place of instructions among them
    total: int = 0


def read_costs(files: Iterable[Path]) -> Costs:
    """Return the costs in *files* together, most first: one for each process, or thread, or dump.

    Raises CannotMeasure if one does not add up to its own totals.
    """
    found: Counter[tuple[str, str]] = Counter()
    for file in files:
        found.update(costs(file.read_text(errors="replace"), str(file.name)))
    return dict(found.most_common())


def costs(text: str, named: str = "the profile") -> Costs:
    """Return the costs in *text*, which may have several parts. Raises CannotMeasure as `read_costs` does."""
    part, found = _Part(), Counter[tuple[str, str]]()
    is_calls_cost = False
    for line in text.splitlines():
        if line[:1] in POSITIONS and line:
            if not is_calls_cost:
                numbers = line.split()
                at = part.positions + part.event
                if len(numbers) > at:  # costs of 0 may be left out at the end
                    found[part.object, part.function] += int(numbers[at])
            is_calls_cost = False
        elif line.startswith("calls="):
            is_calls_cost = True  # its next line has the costs of the callee
        else:
            _enter(part, line)
    if (added := found.total()) != part.total:
        raise CannotMeasure(
            f"{named} does not add up: {added:,} of {part.total:,} instructions: it was cut short"
        )
    return found


def _enter(part: _Part, line: str) -> None:
    key, equals, value = line.partition("=")
    if equals and key in OBJECTS:
        name = _named(value, part.objects)
        if key == "ob":
            part.object = name
    elif equals and key in FUNCTIONS:
        name = _named(value, part.functions)
        if key == "fn":
            part.function = RECURSION.sub("", name)
    elif line.startswith("totals:"):
        part.total += int(line.split()[1 + part.event])
    elif line.startswith("positions:"):
        part.positions = len(line.split()) - 1
    elif line.startswith("events:"):
        events = line.split()[1:]
        if EVENT not in events:
            raise CannotMeasure(f"the profile counts no instructions, but {', '.join(events) or 'nothing'}")
        part.event = events.index(EVENT)


def _named(value: str, known: dict[str, str]) -> str:
    """Return the name that *value* stands for: "(12) name" gives 12 a name, "(12)" repeats it."""
    found = NAME.fullmatch(value)
    if not found:
        return value
    number, name = found.groups()
    if name is not None:
        known[number] = name
    return known.get(number, "???")


def object_layer(file: str, files: Files) -> str:
    """Return the layer of an object file, a key of OBJECT_LAYERS. *files*: what the app declares."""
    if file == "???" or OF_VALGRIND.search(file):
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
