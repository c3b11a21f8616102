"""Files held to their types: TOML that people write, JSON that runs leave behind."""

import json
import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.errors import UsageError

T = TypeVar("T")

# For the shapes of TOML files: a misspelt key or a number in quotes is a mistake, never a guess.
STRICT = ConfigDict(extra="forbid", strict=True)


def read_toml(path: Path, shape: type[T]) -> T:
    """Return the content of *path* as *shape*; raises UsageError that names file and key."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    try:
        # By way of JSON, where an array may become a tuple even when types are strict.
        return TypeAdapter(shape).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise UsageError(f"{path}: {_first_mistake(error)}") from error


def read_json(path: Path, shape: type[T]) -> T:
    """Return the content of *path* as *shape*; raises UsageError that says where it is damaged."""
    try:
        return TypeAdapter(shape).validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"{path} is damaged or of another version: {_first_mistake(error)}") from error


def to_json(value: Any) -> bytes:
    """Return *value* (a fact, or plain data) as JSON."""
    return TypeAdapter(type(value)).dump_json(value)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace *path* by *content*: a reader sees the old file or the new one, whatever happens."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def near_miss(name: str, known: list[str]) -> str:
    """Return " (did you mean …?)" or what there is, to end a message about an unknown *name*."""
    close = get_close_matches(name, known, n=2)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there is {', '.join(known)}" if known else "; there is none"


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in mistake["loc"]) or "the file"
    what = (
        "unknown key"
        if mistake["type"] in ("extra_forbidden", "unexpected_keyword_argument")
        else mistake["msg"]
    )
    return f"{where}: {what}"
