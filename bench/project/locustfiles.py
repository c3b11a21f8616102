"""A locustfile that a scenario names. Here it is only parsed: its users run where the load comes from."""

import ast
import hashlib
from pathlib import Path

from bench.errors import UsageError
from bench.model.scenario import Exchange, Locustfile
from bench.project.fields import is_inside

_DIGITS = 16  # of the hash of its content


def declared_users(
    root: Path, where: str, scenario: str, path: str, users: tuple[str, ...]
) -> tuple[Locustfile, Exchange]:
    """Return the locustfile at *path* below *root*, and the exchange that stands for all its requests.

    Base and head of a diff have the same work if that exchange is the same: its path has the content. What it
    requests is unknown, so it counts as writing. Raises UsageError that begins with *where*.
    """
    try:
        is_inside(path, such_as="locustfile.py")
    except ValueError as error:
        raise UsageError(f"{where}.locustfile: {error}") from error
    content = _content(root / path, f"{where}.locustfile")
    of = f"&users={','.join(users)}" if users else ""
    exchange = Exchange(
        name=scenario,
        method="GET",
        path=f"/{path}?sha256={hashlib.sha256(content).hexdigest()[:_DIGITS]}{of}",
        writes=True,
    )
    return Locustfile(root=str(root), path=path, users=users), exchange


def _content(file: Path, where: str) -> bytes:
    try:
        if not file.is_file():
            raise UsageError(f"{where}: there is no file {file}: name it from the folder of the project on")
        content = file.read_bytes()
        ast.parse(content, str(file))
    except OSError as error:
        raise UsageError(f"{where}: {file}: {error.strerror}") from error
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        at = f"{file}, line {line}" if line else f"{file}"
        what = getattr(error, "msg", error)
        raise UsageError(f"{where}: {at}: it is no Python: {what}: mend it") from error
    return content
