"""Which files a contender's environment is made from: those that it names, or the first that is found."""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import UsageError
from bench.model.contender import Contender
from bench.project import bench_file
from bench.project.bench_file import path_below
from bench.project.locks import other_locks

Kind = Literal["uv", "pylock", "poetry", "pdm", "pipenv", "requirements", "project"]

# In the order in which they are looked for. A lock comes before what it is made from.
KINDS: dict[str, Kind] = {
    "uv.lock": "uv",
    "pylock.toml": "pylock",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
    "Pipfile.lock": "pipenv",
    "requirements.txt": "requirements",
    "pyproject.toml": "project",
    "setup.py": "project",
    "setup.cfg": "project",
}
PATTERNS: dict[str, Kind] = {
    r"pylock\.[^.]+\.toml": "pylock",
    r".+\.(txt|in)": "requirements",
}


# Where none of KINDS is there: files that may be meant.
NEAR = (
    "pylock.*.toml",
    "requirements*.txt",
    "requirements/*.txt",
    "*requirements*.txt",
    "requirements*.in",
    "requirements/*.in",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallFile:
    """One file that an environment is made from."""

    file: Path
    kind: Kind
    at: str  # its path below the project, for messages


def keeps_a_lock_of_apps(contender: Contender) -> bool:
    """Return whether its packages are those of the lock with hashes in its folder of apps/."""
    named = (contender.install, contender.extras or None, contender.groups or None)
    of_requirements = contender.lock is None or contender.lock.endswith(".txt")
    return contender.folder is None and named == (None, None, None) and of_requirements


def install_places(root: Path) -> list[str]:
    """Return the paths at which contenders of bench.toml may have such files, in any revision, unchecked."""
    tables = bench_file.tables(root)
    if not tables:
        return []
    folders = ["", *bench_file.folders(root)]
    places = [os.path.join(folder, name) for folder in folders for name in KINDS]
    for table in tables:
        written = table.get("install", [])
        for one in map(str, written if isinstance(written, list) else [written]):
            # A file in a folder of such files includes others of it: requirements/prod.txt.
            place = os.path.dirname(one) or one
            places += [os.path.normpath(os.path.join(folder, place)) for folder in folders]
    places += [os.path.relpath(one, root) for folder in folders for one in other_locks(root / folder)]
    return [one for one in dict.fromkeys(places) if one != "." and not one.startswith(("..", "/"))]


def install_files(contender: Contender) -> tuple[InstallFile, ...]:
    """Return the files of a contender, none if it needs no packages; raises UsageError."""
    root = Path(contender.root)
    if contender.lock is not None:
        return (_named(contender, root, contender.lock, "lock"),)
    if contender.install is None:
        return (_found(contender, root),)
    return tuple(_named(contender, root, written, "install") for written in contender.install)


def _found(contender: Contender, root: Path) -> InstallFile:
    for folder in dict.fromkeys((contender.place, root)):
        for name, kind in KINDS.items():
            file = folder / name
            if file.is_file() and (name != "pyproject.toml" or _is_a_project(file)):
                return _file(root, file, kind)
    raise UsageError(
        f"{contender.name} has none of {', '.join(KINDS)} in {contender.at or 'the project'}"
        f"{' or above it' if contender.at else ''}: name its file, `install = "
        f'"{_near(contender, root)}"`, or write `install = []` if it needs no packages'
    )


def _named(contender: Contender, root: Path, written: str, key: str) -> InstallFile:
    path = path_below(f"{contender.name}: {key}", written)
    patterns = (kind for pattern, kind in PATTERNS.items() if re.fullmatch(pattern, Path(path).name))
    kind = KINDS.get(Path(path).name) or next(patterns, None)
    if kind is None:
        known = ", ".join((*KINDS, "*.txt", "*.in"))
        raise UsageError(
            f'{contender.name}: {key}: "{written}" is no file that bench can install from: it reads {known}'
        )
    for folder in (contender.place, root):
        if (folder / path).is_file():
            return _file(root, folder / path, kind)
    beside = f" or {contender.at}" if contender.at else ""
    raise UsageError(f'{contender.name}: {key}: there is no file "{written}" in {root}{beside}')


def _file(root: Path, file: Path, kind: Kind) -> InstallFile:
    return InstallFile(file=file, kind=kind, at=os.path.relpath(file, root))


def _is_a_project(file: Path) -> bool:
    """Return whether a pyproject.toml lists packages. A damaged one counts: reading it says so."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig", errors="replace"))
    except tomllib.TOMLDecodeError:
        return True
    return "project" in content or not {"poetry", "flit"}.isdisjoint(content.get("tool", {}))


def _near(contender: Contender, root: Path) -> str:
    """Return a file that may be meant."""
    for folder in (contender.place, root):
        for pattern in NEAR:
            for file in sorted(folder.glob(pattern)):
                return os.path.relpath(file, folder)
    return "requirements/base.txt"
