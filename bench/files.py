"""Files checked against their types: TOML that people write, JSON that runs write; text fit for a file."""

import codecs
import json
import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from bench.errors import UsageError

NOT_LEGIBLE = re.compile(r"[^\w.@~=-]")  # in a file's name

T = TypeVar("T")
# What reads and writes a shape is made once: run.json is written after every slice.
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)

UNKNOWN_KEY = ("unexpected_keyword_argument", "extra_forbidden")  # of a dataclass, of a TypedDict
OF_A_TAG = ("union_tag_not_found", "union_tag_invalid")  # the tag decides which class the rest is
# Our words for pydantic's types of errors. All others keep pydantic's words.
WORDS = {
    **dict.fromkeys(UNKNOWN_KEY, "unknown key"),
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "must be less than {lt:g}; 0.05 is 5 %",
    "less_than_equal": "at most {le:g}",
    "finite_number": "must be a finite number",
    "literal_error": "{input!r} is unknown",
    "too_short": "at least one",
    "union_tag_not_found": "Field required",
    "model_attributes_type": "Input should be an object",  # of a union with a tag
    "string_pattern_mismatch": "must not be empty",
}

# The first bytes of files that are not UTF-8. UTF-32 comes first, because it begins as UTF-16 does.
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_toml(path: Path, shape: type[T]) -> T:
    """Return the content of *path* as *shape*; raises UsageError that names file and key."""
    return shaped(str(path), toml_of(path), shape)


def toml_of(path: Path) -> dict[str, Any]:
    """Return the content of *path*; raises UsageError that names the file."""
    try:
        return tomllib.loads(text_of(path))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error


def shaped(where: str, content: Mapping[str, Any], shape: type[T]) -> T:
    """Return what was read of TOML as *shape*; raises UsageError that names the key, after *where*."""
    try:
        # A misspelt key or a number in quotes is an error. Nothing is guessed. Through JSON, because there an
        # array may become a tuple even with strict types.
        written = json.dumps(content, default=str)
        found: T = _adapter(shape).validate_json(written, strict=True, extra="forbid")
    except ValidationError as error:
        raise UsageError(f"{where}: {_first_mistake(error, content)}") from error
    return found


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
        written = path.read_bytes()
        found: T = _adapter(shape).validate_json(written)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        is_json = error.errors()[0]["type"] != "json_invalid"
        mistake = _first_mistake(error, json.loads(written) if is_json else {})
        raise UsageError(f"{path} is damaged or of another version: {mistake}") from error
    return found


def check_schema(path: Path, found: int, read: int) -> None:
    """Raise UsageError if the file *path* has another schema than the one that is *read*."""
    if found != read:
        raise UsageError(f"{path} has schema {found}, this bench reads {read}: use the bench that wrote it")


def to_json(value: Any) -> bytes:
    return _adapter(type(value)).dump_json(value)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace *path* by *content*. A reader always sees the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def working_folder(folder: Path) -> Path:
    """Make *folder* if it is not there, with what keeps it out of git; raises UsageError if that fails."""
    if not folder.is_dir():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".gitignore").write_text("*\n")
        except OSError as error:
            raise UsageError(f"{folder} cannot be made: {error.strerror}") from error
    return folder


def near_miss(name: str, known: list[str]) -> str:
    """Return " (did you mean …?)" or the known names, to end a message about an unknown *name*."""
    close = get_close_matches(name, known, n=2)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there is {', '.join(known)}" if known else "; there is none"


def check_known(name: str, known: Collection[str], words: str) -> None:
    """Raise UsageError of *words* and the near misses if *name* is none of *known*."""
    if name not in known:
        raise UsageError(f"{words}{near_miss(name, sorted(set(known)))}")


def _first_mistake(error: ValidationError, content: Any) -> str:
    """Return key path and words of the first mistake in *content*, of an unknown key before all others.

    A ValueError of a validator has the words, after the rest of the key path if there is one.
    """
    mistakes = error.errors(include_url=False)
    mistake = next((one for one in mistakes if one["type"] in UNKNOWN_KEY), mistakes[0])
    kind, place, facts = mistake["type"], _keys(mistake["loc"], content), mistake.get("ctx", {})
    words = WORDS[kind].format(input=mistake["input"], **facts) if kind in WORDS else mistake["msg"]
    if kind == "value_error":
        *rest, words = facts["error"].args
        place = (*place, *rest)
    elif kind == "literal_error":
        words += near_miss(str(mistake["input"]), _listed(facts["expected"]))
    elif kind in OF_A_TAG:
        key = facts["discriminator"].strip("'")
        place = (*place, key)
        if kind == "union_tag_invalid":
            words = WORDS["literal_error"].format(input=mistake["input"][key])
            words += near_miss(facts["tag"], _listed(facts["expected_tags"]))
    elif kind in UNKNOWN_KEY:
        absent = [one["loc"] for one in mistakes if one["type"] == "missing"]
        beside = [str(one[-1]) for one in absent if one[:-1] == mistake["loc"][:-1]]
        close = get_close_matches(str(place[-1]), beside)
        words += near_miss(str(place[-1]), close) if close else ""
    return f"{'.'.join(map(str, place)) or 'the file'}: {words}"


def _keys(place: tuple[int | str, ...], content: Any) -> tuple[int | str, ...]:
    """Return *place* as a path of keys. pydantic adds "[key]", and the tag of a union on the way."""
    found: list[int | str] = []
    for part in place[:-1]:
        with suppress(LookupError, TypeError):
            content = content[part]
            found.append(part)
    return (*found, *(part for part in place[-1:] if part != "[key]"))


def _listed(expected: str) -> list[str]:
    return expected.replace("'", "").replace(" or ", ", ").split(", ")


LONGEST = 200  # characters


def printable(data: bytes | str, longest: int = LONGEST) -> str:
    """Return *data* in one line, at most *longest* characters, without terminal control characters."""
    text = data[: 4 * longest].decode(errors="replace") if isinstance(data, bytes) else data[: 4 * longest]
    line = " ".join("".join(one if one.isprintable() or one.isspace() else "\ufffd" for one in text).split())
    return line if len(line) <= longest else line[:longest] + "…"


def legible(name: str) -> str:
    """Return *name* as a part of a file's name."""
    return NOT_LEGIBLE.sub("-", name)
