"""Which packages a service declares, in which file, and for which Python."""

import re
import sys
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from bench.init.checkout import Checkout, joined
from bench.project.installs import KINDS

SERVERS = ("gunicorn", "uvicorn", "granian", "hypercorn", "daphne", "waitress")
PYTHONS = ("3.14", "3.13", "3.12", "3.11", "3.10", "3.9")
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?")
_INCLUDED = re.compile(r"\s*(?:-r|--requirement)[ =]*(\S+)")
_OF_MAIN = ("main", "default")  # groups of poetry.lock and pdm.lock that are installed
# Extras and groups of those who work on the project: a server in them is for its tests.
_FOR_WORK = re.compile(r"(?:.*[-_.])?(?:dev|devel|development|tests?|testing|docs?|lint|typing|ci|bench)")
_PRODUCTION = ("prod", "production", "deploy", "server", "web", "all", "base", "common", "main", "app")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What is installed for a service."""

    names: frozenset[str] = frozenset()  # normalised; of a lock: with what those need
    file: str = ""  # the file that bench installs from, below the root
    install: tuple[str, ...] | None = None  # what bench.toml must say; None: it is found
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    python: str = ""  # a version, where that of bench does not fit
    requires_python: str = ""

    def has(self, *names: str) -> bool:
        return not self.names.isdisjoint(names)

    @property
    def server(self) -> str:
        return next((one for one in SERVERS if one in self.names), "")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(files: Checkout, folder: str) -> Needs:
    """Return what the service in *folder* needs."""
    at, kind = _found(files, folder)
    if not at:
        return _of_another_file(files, folder)
    home = at.rpartition("/")[0]
    names = set(_of_file(files, at))
    project = files.toml(joined(home, "pyproject.toml"))
    setup = files.toml(joined(folder, "pyproject.toml")) if home != folder else project
    if kind not in ("requirements", "pipenv"):
        names |= set(_declared(setup or project))
    extras, groups = _with_a_server(setup or project, names) if kind != "requirements" else ((), ())
    requires = _requires_python(files, folder, setup or project)
    return Needs(
        names=frozenset(names | set(_of_groups(setup or project, extras, groups))),
        file=at,
        extras=extras,
        groups=groups,
        python=_python(requires),
        requires_python=requires,
    )


def _found(files: Checkout, folder: str) -> tuple[str, str]:
    for place in dict.fromkeys((folder, "")):
        for name, kind in KINDS.items():
            at = joined(place, name)
            if files.has(at) and (name != "pyproject.toml" or _is_a_project(files.toml(at))):
                return at, kind
    return "", ""


def _is_a_project(content: Mapping[str, Any]) -> bool:
    return "project" in content or not {"poetry", "flit"}.isdisjoint(content.get("tool", {}))


def _of_another_file(files: Checkout, folder: str) -> Needs:
    """Return what a file of requirements with another name has: requirements/prod.txt."""
    there = [
        path
        for place in dict.fromkeys((folder, ""))
        for path in files.below(place)
        if re.search(r"requirements[^/]*(/[^/]+)?\.(txt|in)$", path.removeprefix(place).lstrip("/"))
        and path.removeprefix(place).lstrip("/").count("/") < 2
    ]

    def rank(path: str) -> int:
        words = re.split(r"[^a-z]+", path.lower())
        return next((at for at, one in enumerate(_PRODUCTION) if one in words), len(_PRODUCTION))

    if not there:
        return Needs(install=())
    at = min(there, key=rank)
    inside = at.removeprefix(f"{folder}/") if folder else at
    return Needs(names=frozenset(_of_file(files, at)), file=at, install=(inside,))


def _of_file(files: Checkout, path: str) -> Iterator[str]:
    name = path.rpartition("/")[2]
    if name.endswith((".txt", ".in")):
        yield from _of_requirements(files, path, set())
    elif (name.endswith(".lock") and not name.startswith("Pip")) or name.startswith("pylock"):
        yield from _of_lock(files.toml(path))
    elif name == "Pipfile.lock":
        yield from map(normal, re.findall(r'^ {8}"([A-Za-z0-9._-]+)": \{', files.text(path), re.MULTILINE))
    elif name == "setup.py":
        yield from (normal(found[1]) for found in re.finditer(r"[\"']([A-Za-z][\w.-]*)", files.text(path)))
    elif name == "setup.cfg":
        parser = ConfigParser(interpolation=None)
        try:
            parser.read_string(files.text(path))
        except ConfigError:
            return
        yield from _names(parser.get("options", "install_requires", fallback="").splitlines())


def _of_lock(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is installed of a lock: of uv.lock what own code needs, without extras."""
    packages = [one for one in content.get("package", content.get("packages", [])) if "name" in one]
    own = [one for one in packages if _is_own(one)]
    if not own:
        for one in packages:
            of = one.get("groups", _OF_MAIN)
            if not one.get("optional") and not {*_OF_MAIN}.isdisjoint(of):
                yield normal(one["name"])
        return
    needed = {one["name"]: _needed(one) for one in packages}
    found = [one["name"] for one in own]
    for name in found:
        found += [one for one in needed.get(name, ()) if one not in found]
    yield from map(normal, found)


def _is_own(package: Mapping[str, Any]) -> bool:
    source = package.get("source")
    return isinstance(source, dict) and not {"virtual", "editable", "directory"}.isdisjoint(source)


def _needed(package: Mapping[str, Any]) -> list[str]:
    """Return what *package* of a uv.lock needs, with all that its extras bring if they are named."""
    groups = [package.get("dependencies", []), *package.get("optional-dependencies", {}).values()]
    return [one["name"] for group in (groups[:1] if _is_own(package) else groups) for one in group]


def _of_requirements(files: Checkout, path: str, visited: set[str]) -> Iterator[str]:
    if path in visited:
        return
    visited.add(path)
    lines = files.text(path).splitlines()
    yield from _names(lines)
    for line in lines:
        if found := _INCLUDED.match(line):
            yield from _of_requirements(files, joined(path.rpartition("/")[0], found[1]), visited)


def _names(lines: Any) -> Iterator[str]:
    """Yield the names in requirements, and what an extra of theirs is known to bring."""
    for line in lines if isinstance(lines, list) else []:
        found = _NAME.match(line) if isinstance(line, str) else None
        if found:
            yield normal(found[1])
            if normal(found[1]) == "fastapi" and found[2]:
                yield "uvicorn"


def _declared(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _names(content.get("project", {}).get("dependencies", []))
    for name, value in content.get("tool", {}).get("poetry", {}).get("dependencies", {}).items():
        extra = str(value.get("extras", "")) if isinstance(value, dict) else ""
        yield from _names([f"{name}[{extra}]" if extra else name])


def _sections(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    poetry = content.get("tool", {}).get("poetry", {}).get("group", {})
    named = {name: list(one.get("dependencies", {})) for name, one in poetry.items() if isinstance(one, dict)}
    extras = content.get("project", {}).get("optional-dependencies", {})
    return extras, {**content.get("dependency-groups", {}), **named}


def _with_a_server(content: Mapping[str, Any], names: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the extras or groups that bring a server, if the packages themselves have none."""
    extras, groups = _sections(content)
    direct = set(_declared(content))
    if not direct.isdisjoint(SERVERS):
        return (), ()
    for place, sections in (("extras", extras), ("groups", groups)):
        for name, lines in sections.items():
            if not _FOR_WORK.fullmatch(name.lower()) and not set(_names(lines)).isdisjoint(SERVERS):
                return ((name,), ()) if place == "extras" else ((), (name,))
    return (), ()


def _of_groups(content: Mapping[str, Any], extras: tuple[str, ...], groups: tuple[str, ...]) -> Iterator[str]:
    known, others = _sections(content)
    for name in extras:
        yield from _names(known[name])
    for name in groups:
        yield from _names(others[name])


def _requires_python(files: Checkout, folder: str, project: Mapping[str, Any]) -> str:
    poetry = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    found = project.get("project", {}).get("requires-python") or poetry.get("python", "")
    if isinstance(found, str) and found:
        return re.sub(r"\^(\d+)((?:\.\d+)*)", r">=\1\2,<4", found)
    for place in dict.fromkeys((folder, "")):
        lines = files.text(joined(place, ".python-version")).split()
        if lines and re.fullmatch(r"3\.\d+(\.\d+)?", lines[0]):
            return f"=={'.'.join(lines[0].split('.')[:2])}.*"
    return ""


def _python(requires: str) -> str:
    try:
        wanted = SpecifierSet(requires)
    except InvalidSpecifier:
        return ""
    if not requires or wanted.contains(".".join(map(str, sys.version_info[:3]))):
        return ""
    return next((one for one in PYTHONS if wanted.contains(f"{one}.99")), "")
