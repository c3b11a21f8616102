"""Files checked against their types: TOML that people write, JSON that runs write; text fit for a file."""

import codecs
import json
import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.errors import UsageError

T = TypeVar("T")

# For the shapes of TOML files: a misspelt key or a number in quotes is an error. Nothing is guessed.
STRICT = ConfigDict(extra="forbid", strict=True)

# The first bytes of files that are not UTF-8. UTF-32 comes first, because it begins as UTF-16 does.
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_toml(path: Path, shape: type[T]) -> T:
    """Return the content of *path* as *shape*; raises UsageError that names file and key."""
    try:
        content = tomllib.loads(text_of(path))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error
    try:
        # Through JSON, because there an array may become a tuple even with strict types.
        return TypeAdapter(shape).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise UsageError(f"{path}: {_first_mistake(error)}") from error


def text_of(path: Path) -> str:
    """Return the text of a file that people write, without a byte order mark.

    Raises OSError, and UsageError that names the encoding if it is not UTF-8.
    """
    content = path.read_bytes()
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            raise UsageError(f"{path} is written in {encoding}: write it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        encoding = "UTF-16" if b"\0" in content else "another encoding, Latin-1 it may be"
        raise UsageError(f"{path}, line {line}, is written in {encoding}: write it as UTF-8") from error
    if "\0" in text:  # plain letters of UTF-16 without its mark
        raise UsageError(f"{path} is written in UTF-16: write it as UTF-8")
    return text.replace("\r\n", "\n")


def read_json(path: Path, shape: type[T]) -> T:
    """Return the content of *path* as *shape*; raises UsageError that names the damaged place."""
    try:
        return TypeAdapter(shape).validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"{path} is damaged or of another version: {_first_mistake(error)}") from error


def to_json(value: Any) -> bytes:
    return TypeAdapter(type(value)).dump_json(value)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace *path* by *content*. A reader always sees the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def near_miss(name: str, known: list[str]) -> str:
    """Return " (did you mean …?)" or the known names, to end a message about an unknown *name*."""
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


LONGEST = 200  # characters


def printable(data: bytes | str, longest: int = LONGEST) -> str:
    """Return *data* in one line, at most *longest* characters, without terminal control characters."""
    text = data[: 4 * longest].decode(errors="replace") if isinstance(data, bytes) else data[: 4 * longest]
    line = " ".join("".join(one if one.isprintable() or one.isspace() else "\ufffd" for one in text).split())
    return line if len(line) <= longest else line[:longest] + "…"
