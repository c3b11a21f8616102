"""Code of the user's own that packages depend on: it is imported from where it lies, in each server's copy.

An editable installation would lead to a folder that is gone, and a copy would not be what is compared. So a
stand-in is installed: a wheel with the project's name, version and console scripts, and no code. A file
`.pth` puts the folders in BENCH_SOURCE at the end of sys.path, as an editable installation does.
"""

import configparser
import os
import re
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

Table = Mapping[str, Any]

SOURCES = "BENCH_SOURCE"
PATH_FILE = "_bench_source.pth"
PATH_LINE = (
    f'import os, sys; sys.path += [one for one in os.environ.get("{SOURCES}", "").split(os.pathsep) '
    "if one and one not in sys.path]\n"
)
UNKNOWN_VERSION = "0"  # it is computed when the project is built
METADATA = ("pyproject.toml", "setup.cfg", "setup.py")
TABLES = ("project", "dependency-groups", "build-system")
TOOLS = ("uv", "poetry", "pdm", "setuptools", "hatch", "flit")
IN_SETUP_PY = r"\b{key}\s*=\s*[\"']([^\"']+)[\"']"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProject:
    """What is known of a project without building it."""

    name: str
    version: str
    entry_points: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # group → name → object


def is_a_project(folder: Path) -> bool:
    return any((folder / name).is_file() for name in METADATA)


def own_project(folder: Path) -> OwnProject:
    content = pyproject(folder)
    project, poetry = _table(content, "project"), _table(content, "tool", "poetry")
    setup = _setup_cfg(folder)
    script = _text(folder / "setup.py")

    def stated(key: str) -> str | None:
        found = re.search(IN_SETUP_PY.format(key=key), script)
        options = project.get(key), poetry.get(key), setup.get("metadata", {}).get(key), found and found[1]
        return next((one for one in options if isinstance(one, str)), None)

    return OwnProject(
        name=str(canonicalize_name(stated("name") or folder.resolve().name)),
        version=_version(stated("version")),
        entry_points={group: named for group, named in _entry_points(project, poetry, setup) if named},
    )


def metadata_of(folder: Path) -> str:
    """Return all of a project's metadata that an environment can depend on."""
    content = pyproject(folder)
    tables = {key: content[key] for key in TABLES if key in content}
    tools = {key: table for key in TOOLS if (table := _table(content, "tool", key))}
    return "\0".join((repr(tables), repr(tools), *(_text(folder / name) for name in METADATA[1:])))


def requirements_of(folder: Path) -> list[str]:
    """Return the requirements that its pyproject.toml lists, with all extras and groups."""
    content = pyproject(folder)
    project = _table(content, "project")
    lists = [
        project.get("dependencies", []),
        *_table(project, "optional-dependencies").values(),
        *_table(content, "dependency-groups").values(),
    ]
    return [line for one in lists if isinstance(one, list) for line in one if isinstance(line, str)]


def import_folders(folder: Path) -> list[str]:
    """Return the folders that an editable installation would put on sys.path, below *folder*."""
    content = pyproject(folder)
    declared = set(_declared_folders(content))
    if (folder / "src").is_dir():
        declared.add("src")
    there = sorted(os.path.normpath(one) for one in declared if (folder / one).is_dir())
    return there or ["."]


def linked_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders of other projects that the metadata in *folder* depends on by path."""
    content = pyproject(folder)
    sources = _table(content, "tool", "uv", "sources")
    poetry = _table(content, "tool", "poetry", "dependencies")
    for one in (*sources.values(), *poetry.values()):
        for table in one if isinstance(one, list) else [one]:
            if isinstance(table, dict) and isinstance(table.get("path"), str):
                place = folder / table["path"]
                if place.is_dir():
                    yield place


def write_stand_in(project: OwnProject, into: Path) -> Path:
    """Write the wheel that stands for *project* and return it."""
    stem = f"{project.name.replace('-', '_')}-{project.version}"
    wheel, about = into / f"{stem}-py3-none-any.whl", f"{stem}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        named = f"Name: {project.name}\nVersion: {project.version}\n"
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\n{named}")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        lines = []
        for group, named_objects in project.entry_points.items():
            lines += [f"[{group}]", *(f"{name} = {place}" for name, place in named_objects.items())]
        if lines:
            archive.writestr(f"{about}/entry_points.txt", "\n".join(lines) + "\n")
        archive.writestr(f"{about}/RECORD", "")
    return wheel


def pyproject(folder: Path) -> Table:
    """Return the content of its pyproject.toml; empty if it has none that can be read."""
    try:
        return tomllib.loads(_text(folder / "pyproject.toml"))
    except tomllib.TOMLDecodeError:  # uv reports it
        return {}


def _entry_points(
    project: Table, poetry: Table, setup: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, dict[str, str]]]:
    yield "console_scripts", _objects({**_table(poetry, "scripts"), **_table(project, "scripts")})
    for groups in (_table(poetry, "plugins"), _table(project, "entry-points")):
        for group, named in groups.items():
            yield group, _objects(named if isinstance(named, dict) else {})
    for group, lines in setup.get("options.entry_points", {}).items():
        pairs = (line.partition("=") for line in lines.splitlines() if "=" in line)
        yield group, {name.strip(): place.strip() for name, _, place in pairs}


def _objects(table: Table) -> dict[str, str]:
    places = {
        name: written.get("reference", written.get("callable")) if isinstance(written, dict) else written
        for name, written in table.items()
    }
    return {name: place for name, place in places.items() if isinstance(place, str)}


def _declared_folders(content: Table) -> Iterator[str]:
    setuptools = _table(content, "tool", "setuptools")
    where = _table(setuptools, "packages", "find").get("where", [])
    yield from (one for one in where if isinstance(one, str))
    if isinstance(root := _table(setuptools, "package-dir").get(""), str):
        yield root
    if isinstance(root := _table(content, "tool", "uv", "build-backend").get("module-root"), str):
        yield root or "."
    packages = _table(content, "tool", "poetry").get("packages", [])
    yield from (str(one["from"]) for one in packages if isinstance(one, dict) and "from" in one)
    for package in _table(content, "tool", "hatch", "build", "targets", "wheel").get("packages", []):
        yield os.path.dirname(str(package)) or "."


def _table(content: Table, *keys: str) -> Table:
    for key in keys:
        below = content.get(key)
        content = below if isinstance(below, dict) else {}
    return content


def _setup_cfg(folder: Path) -> Mapping[str, Mapping[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(_text(folder / "setup.cfg"))
    except configparser.Error:
        return {}
    return {name: dict(parser[name]) for name in parser.sections()}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return ""


def _version(written: str | None) -> str:
    try:
        return str(Version(written or UNKNOWN_VERSION))
    except InvalidVersion:  # "attr: shop.__version__"
        return UNKNOWN_VERSION
