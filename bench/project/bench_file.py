"""`bench.toml` at the root of a project, or `[tool.bench]` of its pyproject.toml."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from bench.errors import UsageError
from bench.files import check_known, shaped, toml_of

T = TypeVar("T")

NAME = "bench.toml"
PYPROJECT = "pyproject.toml"
KEYS = ("source", "contenders", "exchanges", "scenarios", "scenarios_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchFile:
    """The tables of a project's bench.toml, not checked yet."""

    where: str  # for messages: the file's path, with the table if that is not the whole file
    content: Mapping[str, Any]

    def part(self, shape: type[T], *keys: str) -> T:
        """Return the part below *keys* as *shape*, which names those keys; raises UsageError."""
        return shaped(self.where, {key: self.content[key] for key in keys if key in self.content}, shape)


ROOT = "app"  # what contenders of the project's own folder share

EMPTY = BenchFile(where=NAME, content={})


def bench_file(root: Path) -> BenchFile:
    """Return the project's file, empty if it has none; raises UsageError for an unknown key, or two files."""
    own, shared = root / NAME, root / PYPROJECT
    in_pyproject = _table(shared)
    if not own.is_file():
        return _checked(f"{shared}: tool.bench", in_pyproject) if in_pyproject is not None else EMPTY
    if in_pyproject is not None:
        raise UsageError(f"{own} and [tool.bench] of {shared} are both there: keep one of them")
    return _checked(str(own), toml_of(own))


def declares(folder: Path) -> bool:
    """Return whether contenders stand in the file of *folder*. A file that cannot be read counts."""
    try:
        return "contenders" in bench_file(folder).content
    except UsageError:
        return True


def path_below(where: str, written: str) -> str:
    """Return *written* as a path below the project, "" for the project; raises UsageError."""
    path = PurePosixPath(written)
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(f'{where}: "{written}" is no path below the project')
    return "" if str(path) == "." else str(path)


def app_at(folder: str) -> str:
    """Return what contenders of *folder* share: the name of their app."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", folder).strip("-") or ROOT


def env_files(root: Path) -> list[str]:
    """Return the paths of the env files that contenders of the file name, unchecked."""
    return [
        os.path.normpath(os.path.join(str(table.get("folder", "")), table["env_file"]))
        for table in tables(root)
        if isinstance(table.get("env_file"), str)
    ]


def folders(root: Path) -> dict[str, str]:
    """Return the app of each folder that contenders of the file have for themselves, unchecked."""
    written = [table.get("folder") for table in tables(root)]
    paths = [os.path.normpath(one) for one in written if isinstance(one, str)]
    return {path: app_at(path) for path in paths if path != "." and not path.startswith(("..", "/"))}


def tables(root: Path) -> list[Mapping[str, Any]]:
    """Return the tables of contenders, unchecked; none if the file cannot be read."""
    try:
        found = bench_file(root).content.get("contenders", {})
    except UsageError:
        return []
    return [one for one in found.values() if isinstance(one, dict)] if isinstance(found, dict) else []


def _table(file: Path) -> Mapping[str, Any] | None:
    try:
        content = tomllib.loads(os.fsdecode(file.read_bytes()))
    except (OSError, tomllib.TOMLDecodeError):  # of no project of ours, or a fault that its own tools report
        return None
    tool = content.get("tool")
    found = tool.get("bench") if isinstance(tool, dict) else None
    return found if isinstance(found, dict) else None


def _checked(where: str, content: Mapping[str, Any]) -> BenchFile:
    for key in content:
        check_known(key, KEYS, f"{where}: {key}: unknown key")
    return BenchFile(where=where, content=content)
