"""What tools leave behind in a project: caches, environments, editors' files. No content of a user."""

import re
from collections.abc import Iterable
from pathlib import Path

FOLDERS = re.compile(
    r"__pycache__|node_modules|\.git|\.hg|\.svn|\.venvs?|\.bench|\.tox|\.nox|\.[a-z_]+_cache|\.hypothesis|\.eggs"
)
FILES = re.compile(r"\.git|\.DS_Store|\.coverage(\..*)?|\..*\.sw[a-p]|.*~|\.#.*|#.*#")
# A file that identifies a folder, and how it begins: a virtual environment, a run, a verdict.
MARKS = {"pyvenv.cfg": b"", "run.json": b'{"schema":', "verdict.json": b'{"schema":'}


def is_left_behind(parts: Iterable[str]) -> bool:
    *folders, name = parts
    return bool(FILES.fullmatch(name)) or any(map(FOLDERS.fullmatch, folders))


def is_made(folder: Path) -> bool:
    """Return whether *folder* is a virtual environment or holds a run, whatever its name."""
    return any(_begins(folder / name, mark) for name, mark in MARKS.items())


def made(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return the folders ("env/") below *folder* that tools made, found by the *names* of files."""
    found = {name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in MARKS}
    return tuple(sorted(f"{one}/" for one in found if one and is_made(folder / one)))


def _begins(file: Path, mark: bytes) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(mark)) == mark
