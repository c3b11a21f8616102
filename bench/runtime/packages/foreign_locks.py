"""Locks of Poetry, PDM and Pipenv, as lines of a requirements.txt for one Python on this machine."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from bench.errors import UsageError
from bench.files import check_known, toml_of
from bench.project.installs import InstallFile, Kind
from bench.runtime.packages.own_code import pyproject

Table = Mapping[str, Any]
WRITERS: dict[Kind, str] = {"poetry": "poetry lock", "pdm": "pdm lock", "pipenv": "pipenv lock"}
OF_NO_GROUP = {"poetry": "main", "pdm": "default", "pipenv": "default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of a lock."""

    where: str  # for messages: "poetry.lock of shop"
    python: str  # full version
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def holds(self, marker: str | None, extras: Iterable[str] | None = None) -> bool:
        """Return whether *marker* is true for this Python and any of the extras, its own if not given."""
        if not marker:
            return True
        minor = ".".join(self.python.split(".")[:2])
        facts = {"python_full_version": self.python, "python_version": minor}
        try:
            read = Marker(marker)
            return any(
                read.evaluate({**facts, "extra": extra})
                for extra in ("", *(self.extras if extras is None else extras))
            )
        except (InvalidMarker, ValueError) as error:
            raise UsageError(f"{self.where}: its marker {marker!r} cannot be read: lock it again") from error

    def allows(self, versions: str | None) -> bool:
        """Return whether this Python is one of *versions*, PEP 440's or Poetry's."""
        found = specifiers(versions)
        return found is None or any(one.contains(self.python, prereleases=True) for one in found)


def pinned_lines(file: InstallFile, wanted: Wanted) -> list[str]:
    """Return one requirement with its hashes for each package of a lock; raises UsageError."""
    readers = {"poetry": _of_poetry, "pdm": _of_pdm, "pipenv": _of_pipenv}
    always = "default" if file.kind == "pipenv" else "metadata"
    content = _content(file, wanted)
    try:
        content[always]  # an empty file is no lock of nothing
        return list(dict.fromkeys(readers[file.kind](content, file.file.parent, wanted)))
    except (KeyError, TypeError, AttributeError, InvalidRequirement) as error:
        raise UsageError(
            f"{wanted.where} is damaged, or of a version that bench does not read ({error!r}): "
            f"write it again (`{WRITERS[file.kind]}`)"
        ) from error


def wanted_python(file: InstallFile, wanted: Wanted) -> str | None:
    """Return the versions of Python that the lock is for."""
    content = _content(file, wanted)
    if file.kind == "pipenv":
        requires = content.get("_meta", {}).get("requires", {})
        if full := requires.get("python_full_version"):
            return f"=={full}"
        return f"=={minor}.*" if (minor := requires.get("python_version")) else None
    metadata = content.get("metadata", {})
    targets = [one.get("requires_python") or "*" for one in metadata.get("targets", [])]
    versions: str | None = metadata.get("python-versions")
    return versions or "||".join(targets) or None


def specifiers(versions: str | None) -> list[SpecifierSet] | None:
    """Return alternatives of versions, in PEP 440's words or Poetry's; None if all or unreadable."""
    if not versions or versions.strip() == "*":
        return None
    try:
        return [_specifiers(one) for one in versions.split("||")]
    except (InvalidSpecifier, ValueError):
        return None


def _specifiers(written: str) -> SpecifierSet:
    parts = []
    for one in filter(None, re.split(r"\s*,\s*|\s+(?=[\^~<>=!\d])", written.strip())):
        if found := re.fullmatch(r"([\^~])\s*(\d+)(?:\.(\d+))?(?:\.\d+)*", one):
            kind, major, minor = found.groups()
            low = one[1:].strip()
            exact = kind == "~" and minor is not None
            high = f"{major}.{int(minor) + 1}" if exact else str(int(major) + 1)
            parts += [f">={low}", f"<{high}"]
        elif one[0].isdigit():
            parts.append(f"=={one}")
        else:
            parts.append(one)
    return SpecifierSet(",".join(parts))


def _content(file: InstallFile, wanted: Wanted) -> Table:
    try:
        if file.kind == "pipenv":
            content = json.loads(file.file.read_text(encoding="utf-8-sig"))
            if not isinstance(content, dict):
                raise ValueError("it is no object")
            return content
        return toml_of(file.file)
    except UsageError as error:
        raise UsageError(str(error).replace(str(file.file), wanted.where)) from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{wanted.where} cannot be read: {error}") from error


def _of_poetry(content: Table, folder: Path, wanted: Wanted) -> Iterator[str]:
    packages = content.get("package", [])
    _check(wanted.extras, _normal(content.get("extras", {})), f"{wanted.where}: extras")
    if any("groups" in one for one in packages):  # written by Poetry 2
        _check_groups(packages, "groups", wanted)
        chosen = [one for one in packages if _of_groups(one, "groups", "main", wanted)]
    else:
        chosen = _reached(packages, _poetry_roots(pyproject(folder), content, wanted), wanted)
    for package in _one_of_each(chosen, wanted):
        yield from _poetry_line(package, folder)
    if _installs_itself(pyproject(folder)):
        yield f"-e {folder.resolve().as_uri()}"


def _of_groups(package: Table, key: str, default: str, wanted: Wanted) -> bool:
    groups = {default, *wanted.groups}.intersection(package.get(key, [default]))
    markers = package.get("markers", package.get("marker"))
    if isinstance(markers, dict):  # Poetry's: one for each group
        held = any(wanted.holds(markers.get(group)) for group in groups)
    else:
        held = wanted.holds(markers)
    optional = package.get("optional", False) and not (wanted.extras or wanted.groups)
    return bool(groups) and held and not optional


def _poetry_roots(project: Table, content: Table, wanted: Wanted) -> list[tuple[str, Table]]:
    poetry = project.get("tool", {}).get("poetry", {})
    groups = poetry.get("group", {})
    for group in wanted.groups:
        check_known(group, groups, f"{wanted.where}: groups: there is no {group}")
    extras = {
        str(canonicalize_name(_name(one)))
        for extra, names in content.get("extras", {}).items()
        if canonicalize_name(extra) in map(canonicalize_name, wanted.extras)
        for one in names
    }
    roots = list(_edges(poetry.get("dependencies", {}), extras))
    for group in wanted.groups:
        roots += _edges(groups[group].get("dependencies", {}), extras)
    roots += [(name, {}) for name in sorted(extras)]
    for line in project.get("project", {}).get("dependencies", []):
        read = Requirement(line)
        marker = {"markers": str(read.marker)} if read.marker else {}
        roots.append((str(canonicalize_name(read.name)), {"extras": list(read.extras), **marker}))
    return roots


def _edges(table: Table, wanted_optional: Collection[str]) -> Iterator[tuple[str, Table]]:
    for name, written in table.items():
        normal = str(canonicalize_name(name))
        if normal == "python":
            continue
        for one in written if isinstance(written, list) else [written]:
            edge = one if isinstance(one, dict) else {}
            if not edge.get("optional") or normal in wanted_optional:
                yield normal, edge


def _reached(packages: Sequence[Table], roots: Iterable[tuple[str, Table]], wanted: Wanted) -> list[Table]:
    """Return the packages that *roots* lead to. Locks of Poetry 1 do not name the groups of a package."""
    by_name: dict[str, list[Table]] = {}
    for package in packages:
        by_name.setdefault(str(canonicalize_name(package["name"])), []).append(package)
    waiting = [(name, edge, frozenset(wanted.extras)) for name, edge in roots]
    done, found = set(), []
    while waiting:
        name, edge, of_parent = waiting.pop()
        extras = frozenset(edge.get("extras", []))
        if not wanted.holds(edge.get("markers"), of_parent) or not wanted.allows(edge.get("python")):
            continue
        if (name, extras) in done:
            continue
        done.add((name, extras))
        for package in by_name.get(name, []):
            found.append(package)
            more = {
                str(canonicalize_name(_name(one)))
                for extra, names in package.get("extras", {}).items()
                if extra in extras
                for one in names
            }
            below = _edges(package.get("dependencies", {}), more)
            waiting += [(inner, needed, extras) for inner, needed in below]
    return found


def _poetry_line(package: Table, folder: Path) -> Iterator[str]:
    source = package.get("source", {})
    kind, url = source.get("type"), source.get("url", "")
    files = [str(one["hash"]) for one in package.get("files", [])]
    if kind in ("directory", "file"):
        yield _place(package["name"], (folder / url).resolve(), files)
    elif kind == "git":
        yield _repository(package["name"], url, source["resolved_reference"], source.get("subdirectory"))
    elif kind == "url":
        yield _line(f"{package['name']} @ {url}", files)
    else:
        if kind == "legacy":
            yield f"--extra-index-url {url}"
        yield _line(f"{package['name']}=={package['version']}", files)


def _of_pdm(content: Table, folder: Path, wanted: Wanted) -> Iterator[str]:
    packages = content.get("package", [])
    if packages and not any("groups" in one for one in packages):
        raise UsageError(
            f"{wanted.where} does not say which packages are for development: write it again "
            "(`pdm lock --strategy inherit_metadata`)"
        )
    groups = (*wanted.groups, *wanted.extras)  # PDM's optional dependencies are groups
    wanted = Wanted(where=wanted.where, python=wanted.python, groups=groups)
    _check_groups(packages, "groups", wanted)
    chosen = [one for one in packages if _of_groups(one, "groups", "default", wanted)]
    for package in _one_of_each(chosen, wanted):
        name, files = package["name"], [str(one["hash"]) for one in package.get("files", [])]
        if "git" in package:
            yield _repository(name, package["git"], package["revision"], package.get("subdirectory"))
        elif "url" in package:
            yield _line(f"{name} @ {package['url']}", files)
        elif "path" in package:
            place = (folder / package["path"]).resolve()
            yield _place(name, place, files)
        else:
            yield _line(f"{name}=={package['version']}", files)
    if _installs_itself(pyproject(folder)):
        yield f"-e {folder.resolve().as_uri()}"


def _of_pipenv(content: Table, folder: Path, wanted: Wanted) -> Iterator[str]:
    groups = {name for name in content if not name.startswith("_")}
    _check(wanted.groups, groups, f"{wanted.where}: groups")
    urls = [source["url"] for source in content.get("_meta", {}).get("sources", [])]
    yield from (f"--{'extra-' if place else ''}index-url {url}" for place, url in enumerate(urls))
    for group in ("default", *wanted.groups):
        for name, package in content.get(group, {}).items():
            if not wanted.holds(package.get("markers")):
                continue
            hashes = list(package.get("hashes", []))
            if "git" in package:
                yield _repository(name, package["git"], package["ref"], package.get("subdirectory"))
            elif "path" in package:
                place = (folder / package["path"]).resolve()
                yield _place(name, place, hashes)
            elif "file" in package:
                yield _line(f"{name} @ {package['file']}", hashes)
            else:
                yield _line(f"{name}{package['version']}", hashes)


def _one_of_each(packages: Iterable[Table], wanted: Wanted) -> Iterator[Table]:
    """Yield the packages for this Python. Raises UsageError for two versions of one."""
    versions: dict[str, str] = {}
    for package in packages:
        requires = package.get("python-versions", package.get("requires_python"))
        if not wanted.allows(requires):
            continue
        name, version = str(canonicalize_name(package["name"])), str(package["version"])
        if versions.setdefault(name, version) != version:
            raise UsageError(
                f"{wanted.where} has {name} {versions[name]} and {version}, and does not say which is for "
                f"Python {wanted.python}: write a requirements.txt from it (`poetry export --output "
                "requirements.txt`) and name that in `install`"
            )
        yield package


def _check_groups(packages: Iterable[Table], key: str, wanted: Wanted) -> None:
    known = {group for package in packages for group in package.get(key, [])}
    _check(wanted.groups, known, f"{wanted.where}: groups")


def _check(names: Iterable[str], known: Collection[str], words: str) -> None:
    for name in names:
        check_known(name, known, f"{words}: there is no {name}")


def _normal(table: Table) -> list[str]:
    return sorted({*table, *(str(canonicalize_name(name)) for name in table)})


def _installs_itself(project: Table) -> bool:
    tools = project.get("tool", {})
    poetry, pdm = tools.get("poetry", {}), tools.get("pdm", {})
    if poetry.get("package-mode") is False or pdm.get("distribution") is False:
        return False
    return "build-system" in project and ("name" in project.get("project", {}) or "name" in poetry)


def _name(written: str) -> str:
    try:
        return Requirement(written).name
    except InvalidRequirement:  # Poetry's own: "httptools (>=0.5,<0.6)"
        return re.split(r"[\s\[(<>=!~;]", written, maxsplit=1)[0]


def _repository(name: str, url: str, commit: str, below: str | None) -> str:
    part = f"#subdirectory={below}" if below else ""
    if found := re.fullmatch(r"(git@[^:/]+):(.+)", url):  # as git writes an address of SSH
        url = f"ssh://{found[1]}/{found[2]}"
    return f"{name} @ {url if url.startswith('git+') else f'git+{url}'}@{commit}{part}"


def _place(name: str, place: Path, hashes: Iterable[str]) -> str:
    return f"-e {place.as_uri()}" if place.is_dir() else _line(f"{name} @ {place.as_uri()}", hashes)


def _line(requirement: str, hashes: Iterable[str]) -> str:
    return " ".join((requirement, *(f"--hash={one}" for one in hashes)))
