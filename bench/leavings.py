"""What tools leave behind in a project: caches, environments, editors' files. No content of anybody's."""

import re
from collections.abc import Iterable
from pathlib import Path

FOLDERS = re.compile(
    r"__pycache__|node_modules|\.git|\.hg|\.svn|\.venvs?|\.bench|\.tox|\.nox|\.[a-z_]+_cache|\.hypothesis|\.eggs"
)
FILES = re.compile(r"\.git|\.DS_Store|\.coverage(\..*)?|\..*\.sw[a-p]|.*~|\.#.*|#.*#")
ENVIRONMENT = "pyvenv.cfg"  # in every virtual environment, whatever it is called


def is_left_behind(parts: Iterable[str]) -> bool:
    """Return whether a path of these parts, a file's, is of a tool."""
    *folders, name = parts
    return bool(FILES.fullmatch(name)) or any(map(FOLDERS.fullmatch, folders))


def environments(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return the folders ("env/") below *folder* that hold a virtual environment, of files by *names*."""
    found = {name[: -len(ENVIRONMENT)] for name in names if name.endswith(f"/{ENVIRONMENT}")}
    return tuple(sorted(one for one in found if (folder / one / ENVIRONMENT).is_file()))
