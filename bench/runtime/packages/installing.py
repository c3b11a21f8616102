"""Packages are installed by uv, whatever tool wrote the lock."""

import os
import re
import shutil
import tomllib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.utils import canonicalize_name

from bench.errors import UsageError
from bench.files import text_of
from bench.project.installs import InstallFile
from bench.project.sources import listed
from bench.runtime.packages.foreign_locks import pinned_lines
from bench.runtime.packages.installation import Installation
from bench.runtime.packages.own_code import (
    PATH_FILE,
    PATH_LINE,
    own_project,
    pyproject,
    requirements_of,
    write_stand_in,
)
from bench.runtime.packages.own_lines import for_uv, is_own, pinned_name, with_places
from bench.runtime.requirements import OPTION, PLACE, lines_of
from bench.runtime.uv_calls import call_uv

COMPILE = (
    *("pip", "compile", "--generate-hashes", "--no-header", "--no-annotate"),
    *("--emit-index-url", "--emit-find-links", "--emit-build-options"),
)
SECTION = re.compile(r"(?m)^(?=\[\[packages\]\]|\[(?!\[?packages[.\]]))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What is known of an environment beside its packages."""

    folders: tuple[str, ...] = ()  # projects of the user's own, below the project
    unlocked: str = ""  # why two installations may differ; "" if they do not
    loose: tuple[str, ...] = ()  # packages whose versions no file states


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One file as uv reads it."""

    file: InstallFile
    arguments: tuple[str, ...]
    locked: bool
    hashed: bool = False  # every package has a hash
    empty: bool = False
    own: tuple[Path, ...] = ()


def install(made: Installation, environment: Path, libraries: Path, known_versions: Path) -> Installed:
    """Install the packages into *environment*. Raises CannotMeasure if uv fails, UsageError.

    *known_versions* has those of the environment that was used last. A resolution prefers them, so what a
    revision does not change stays as it was.
    """
    with TemporaryDirectory(prefix="bench-install-") as folder:
        scratch = Path(folder)
        python = environment / "bin/python"
        parts = [_part(made, file, scratch / str(place), python) for place, file in enumerate(made.files)]
        own = [one for part in parts for one in part.own]
        loose: tuple[str, ...] = ()
        if all(part.locked for part in parts):
            if arguments := [one for part in parts if not part.empty for one in part.arguments]:
                hashed = ("--require-hashes",) if all(part.hashed for part in parts) else ()
                _sync(made, environment, (*hashed, *arguments), scratch)
        else:
            resolved = _resolve(made, parts, environment, scratch, known_versions)
            own += made.own_folders([one for one in resolved if is_own(one)], made.folder, made.named)
            rest = scratch / "rest.txt"
            rest.write_text("".join(f"{one}\n" for one in resolved if not is_own(one)))
            if any(not OPTION.match(one) for one in lines_of(rest.read_text())):
                _sync(made, environment, (str(rest),), scratch)
            loose = _loose(made, resolved)
        _stand_in(made, own, environment, libraries, scratch)
    root = os.path.realpath(made.contender.root)
    below = dict.fromkeys(os.path.relpath(one, root) for one in own)
    return Installed(folders=tuple(below), loose=loose, unlocked=_unlocked(made, loose))


def _part(made: Installation, file: InstallFile, scratch: Path, python: Path) -> _Part:
    if file.kind == "requirements":
        return _requirements(made, file, scratch)
    if file.kind == "project":
        groups = [f"--group={file.file}:{one}" for one in made.contender.groups]
        extras = [f"--extra={one}" for one in made.contender.extras]
        here = [Path(os.path.realpath(file.file.parent))] if is_installed(file) else []
        return _Part(file=file, arguments=(*extras, *groups, str(file.file)), locked=False, own=tuple(here))
    if file.kind == "pylock":
        return _pylock(made, file, scratch)
    lines = exported(made, file, python) if file.kind == "uv" else pinned_lines(file, made.wanted(file))
    scratch.mkdir()
    written = scratch / f"{file.file.name}.txt"
    rest = [one for one in lines if not is_own(one)]
    written.write_text("".join(f"{one}\n" for one in rest))
    own = made.own_folders([one for one in lines if is_own(one)], file.file.parent, made.name(file))
    empty = all(OPTION.match(one) for one in rest)
    return _Part(file=file, arguments=(str(written),), locked=True, empty=empty, own=tuple(own))


def is_installed(file: InstallFile) -> bool:
    """Return whether a project is a package itself, not only a list of dependencies."""
    tools = pyproject(file.file.parent).get("tool", {})
    return tools.get("poetry", {}).get("package-mode") is not False and (
        tools.get("uv", {}).get("package") is not False
    )


def exported(made: Installation, file: InstallFile, python: Path) -> list[str]:
    """Return the lines of a uv.lock: of the contender's own member of a workspace, if it is one."""
    contender = made.contender
    member = pyproject(contender.place).get("project", {}).get("name")
    members = {package.get("name") for package in made.toml(file).get("package", [])}
    chosen = [f"--package={member}"] if member and canonicalize_name(member) in members else []
    text = call_uv(
        *("export", "--frozen", "--no-dev", "--no-header", "--no-annotate", "--python", str(python)),
        *chosen,
        *(f"--extra={one}" for one in contender.extras),
        *(f"--group={one}" for one in contender.groups),
        folder=file.file.parent,
        failed=f"{made.name(file)} cannot be exported by uv",
    )
    return list(lines_of(text))


def _pylock(made: Installation, file: InstallFile, scratch: Path) -> _Part:
    """Return the lock of PEP 751 without the folders in it."""
    try:
        head, *sections = SECTION.split(text_of(file.file))
        kept, own = [head], []
        for section in sections:
            package: dict[str, Any] = next(iter(tomllib.loads(section).get("packages", [])), {})
            if "directory" not in package:
                kept.append(section)
            elif made.wanted(file).holds(package.get("marker")):
                own.append(f"-e {package['directory']['path']}")
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{made.name(file)} is damaged: {error}") from error
    written = file.file
    if own:
        scratch.mkdir()
        written = scratch / "pylock.toml"
        written.write_text("".join(kept))
    more = [f"--extra={one}" for one in made.contender.extras]
    more += [f"--group={one}" for one in made.contender.groups]
    folders = made.own_folders(own, file.file.parent, made.name(file))
    empty = not any("[[packages]]" in one for one in kept)
    return _Part(file=file, arguments=(*more, str(written)), locked=True, empty=empty, own=tuple(folders))


def _requirements(made: Installation, file: InstallFile, scratch: Path) -> _Part:
    texts = made.texts_of(file)
    lines = [line for text in texts.values() for line in lines_of(text)]
    own = [line for line in lines if is_own(line)]
    packages = [line for line in lines if not (is_own(line) or OPTION.match(line))]
    editable = [line for line in lines if OPTION.match(line) and list(for_uv([line])) != [line]]
    hashed = all("--hash" in line for line in packages) and not editable
    written = file.file
    if editable or (hashed and packages and own):
        above = Path(os.path.commonpath([one.parent for one in texts]))
        for one, text in texts.items():
            copy = scratch / one.relative_to(above)
            copy.parent.mkdir(parents=True, exist_ok=True)
            lines = [with_places(line, made.folder) for line in for_uv(lines_of(text))]
            kept = [line for line in lines if not (hashed and is_own(line))]
            copy.write_text("".join(f"{line}\n" for line in kept))
        written = scratch / file.file.relative_to(above)
    # What only names the user's own code has no versions of what that code needs.
    locked = hashed and (bool(packages) or not own)
    return _Part(
        file=file,
        arguments=(os.path.relpath(written, made.folder) if written == file.file else str(written),),
        locked=locked,
        hashed=hashed,
        empty=not packages,
        own=tuple(made.own_folders(own, made.folder, made.name(file))) if locked else (),
    )


def _resolve(
    made: Installation, parts: Iterable[_Part], environment: Path, scratch: Path, known_versions: Path
) -> list[str]:
    output = scratch / "resolved.txt"
    output.write_text(known_versions.read_text() if known_versions.is_file() else "")
    arguments = [one for part in parts for one in part.arguments]
    with left_as_they_are(made.own):
        call_uv(
            *COMPILE,
            *("--python", str(environment / "bin/python"), "--output-file", str(output)),
            *arguments,
            folder=made.folder,
            failed=f"the environment of {made.named} cannot be made",
            names=_names(made, scratch),
        )
    return [with_places(line, made.folder) for line in lines_of(output.read_text())]


@contextmanager
def left_as_they_are(folders: Iterable[Path]) -> Iterator[None]:
    """Remove what setuptools writes into *folders* when uv looks for a project's list of packages."""
    patterns = ("*.egg-info", "*/*.egg-info")
    before = {one for folder in folders for pattern in patterns for one in folder.glob(pattern)}
    try:
        yield
    finally:
        for one in {one for folder in folders for pattern in patterns for one in folder.glob(pattern)}:
            if one not in before:
                shutil.rmtree(one, ignore_errors=True)


def _sync(made: Installation, environment: Path, arguments: Iterable[str], scratch: Path) -> None:
    call_uv(
        # Compiled now, or the first start of a server would take longer than the others.
        *("pip", "sync", "--compile-bytecode", "--python", str(environment / "bin/python")),
        *arguments,
        folder=made.folder,
        failed=f"the environment of {made.named} cannot be made",
        names=_names(made, scratch),
    )


def _stand_in(
    made: Installation, folders: Iterable[Path], environment: Path, libraries: Path, scratch: Path
) -> None:
    """Install what stands for the user's own projects."""
    projects = {(one := own_project(folder)).name: one for folder in folders}
    if not projects:
        return
    wheels = [str(write_stand_in(project, scratch)) for project in projects.values()]
    call_uv(
        *("pip", "install", "--no-deps", "--no-index", "--python", str(environment / "bin/python")),
        *wheels,
        folder=scratch,
        failed=f"the environment of {made.named} cannot be made",
    )
    (libraries / PATH_FILE).write_text(PATH_LINE)


def _loose(made: Installation, resolved: Iterable[str]) -> tuple[str, ...]:
    """Return the packages whose versions no file states."""
    stated = [line for text in made.texts.values() for line in lines_of(text)]
    for folder in {file.file.parent for file in made.files} | set(made.own):
        stated += requirements_of(folder)
    pinned = {str(canonicalize_name(name)) for line in for_uv(stated) if (name := pinned_name(line))}
    lines = [line for line in resolved if not (OPTION.match(line) or PLACE.match(line) or is_own(line))]
    names = [str(canonicalize_name(re.split(r"[\s@=\[;]", line, maxsplit=1)[0])) for line in lines]
    return tuple(sorted(set(names) - pinned))


def _unlocked(made: Installation, loose: Collection[str]) -> str:
    if not loose:
        return ""
    of = " and ".join(file.at for file in made.files)
    return (
        f"its packages are not locked: no version of {listed(loose)} stands in {of}: "
        "installed another day, they may differ"
    )


def _names(made: Installation, scratch: Path) -> dict[str, str]:
    """Return what files of ours stand for in a message."""
    names = {f"{scratch / 'rest.txt'}": made.named, f"{scratch / 'resolved.txt'}": made.named}
    for number, file in enumerate(made.files):
        below = scratch / str(number)
        names |= {f"{below / file.file.name}.txt": file.at, f"{below}/": "", str(file.file): file.at}
    return names
