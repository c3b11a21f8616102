"""Lines of requirements that name a folder of the user, and those that must be written otherwise for uv."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

from packaging.markers import InvalidMarker, Marker

from bench.errors import UsageError
from bench.runtime.packages.own_code import is_a_project
from bench.runtime.requirements import ARCHIVE, EDITABLE, OPTION, PLACE, REPOSITORY

EGG = re.compile(r"#(?:.*&)?egg=(?P<name>[\w.-]+)")
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\]\s*)?===?\s*[^\s*,;]+\s*(?:;|--hash|$)")
COMMIT = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\]\s*)?@\s*git\+\S+@[0-9a-f]{40}\b")
ARCHIVED = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\]\s*)?@\s*\S+")


def is_own(line: str) -> bool:
    """Return whether *line* names a folder: `-e .`, `./libs/common`, `common @ file:../common`."""
    if REPOSITORY.search(line):
        return False
    if EDITABLE.match(line):
        return True
    return not OPTION.match(line) and bool(PLACE.search(line)) and not ARCHIVE.search(line)


def own_folder(line: str, *, base: Path, root: Path, where: str) -> Path:
    """Return the folder that a line names, with links resolved; raises UsageError, which names the remedy."""
    written = EDITABLE.sub("", line, count=1).lstrip("= ").partition(";")[0].strip().strip("\"'")
    path = written.rpartition(" @ ")[2].partition("#")[0].strip()
    path = re.sub(r"(?<=[\w./])\[[\w.,\s-]*\]$", "", path)
    if path.startswith("file:"):
        path = unquote(re.sub(r"^file:(?://(?:localhost)?(?=/))?", "", path))
    folder = Path(os.path.realpath(base / path))
    if not folder.is_relative_to(os.path.realpath(root)):
        raise UsageError(
            f"{where} has `{line}`, a folder outside of the project, which no revision of it holds: keep "
            "bench.toml in a folder above both"
        )
    if not is_a_project(folder):
        raise UsageError(f"{where} has `{line}`, and no pyproject.toml, setup.py or setup.cfg is there")
    return folder


def applies(line: str) -> bool:
    """Return whether the marker of *line*, if it has one, is true."""
    marker = line.partition(" ;")[2].partition("--hash")[0].strip()
    try:
        return not marker or Marker(marker).evaluate()
    except InvalidMarker:
        return True


def for_uv(lines: Iterable[str]) -> Iterator[str]:
    """Yield *lines* with repositories as uv wants them: it refuses `-e git+https://…#egg=shop`."""
    for line in lines:
        if EDITABLE.match(line) and REPOSITORY.search(line) and (egg := EGG.search(line)):
            address = EDITABLE.sub("", line, count=1).lstrip("= ").partition("#")[0].strip()
            yield f"{egg['name']} @ {address}"
        else:
            yield line


def with_places(line: str, base: Path) -> str:
    """Return *line* with the folder of `--find-links` as uv needs it in a file that lies elsewhere."""
    option, _, place = line.partition(" ")
    if option in ("--find-links", "-f") and "://" not in place and (base / place.strip()).exists():
        return f"{option} {(base / place.strip()).resolve()}"
    return line


def pinned_name(line: str) -> str | None:
    """Return the package whose exact version *line* states."""
    found = PINNED.match(line) or COMMIT.match(line)
    if not found and "git+" not in line and ARCHIVE.search(line):
        found = ARCHIVED.match(line)
    return found["name"] if found else None
