"""Multipart bodies (RFC 7578): texts, and files of the project with their content."""

import base64
import json
import math
from collections.abc import Mapping
from mimetypes import MimeTypes
from pathlib import Path, PurePosixPath
from typing import Any

from bench.errors import UsageError
from bench.project.fields import is_inside

LARGEST_FILES_BYTES = 4 << 20  # of an exchange: run.json holds them

_KEYS = ("file", "type", "name")
_OF_NO_KIND = "application/octet-stream"
_TYPES = MimeTypes()  # those of Python, not of this machine: a request is the same everywhere
_HOW = '"text", ["one", "two"] or { file = "testdata/photo.jpg", type = "image/jpeg" }'


def are_parts(multipart: dict[str, Any]) -> dict[str, Any]:
    """Return *multipart* if a body can be made of it. Raises ValueError."""
    if not multipart:
        raise ValueError("at least one part")
    for name, value in multipart.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                _check_file(name, part)
            elif not isinstance(part, str | int | float) or (
                isinstance(part, float) and not math.isfinite(part)
            ):
                raise ValueError(name, f"{json.dumps(part)} is no part: write {_HOW}")
    return multipart


def _check_file(name: str, part: Mapping[str, Any]) -> None:
    if unknown := [key for key in part if key not in _KEYS]:
        raise ValueError(name, unknown[0], f"unknown key: a file has {', '.join(_KEYS)}")
    for key, value in part.items():
        if not isinstance(value, str) or not value or not value.isprintable():
            raise ValueError(name, key, "must be a text of one line")
    if "file" not in part:
        raise ValueError(name, f"it names no file: write {_HOW}")
    try:
        is_inside(part["file"], such_as="testdata/photo.jpg")
    except ValueError as error:
        raise ValueError(name, "file", str(error)) from error


def texts(multipart: Mapping[str, Any] | None) -> list[Any]:
    """Return the values of parts that are no files."""
    return [part for _, part in parts(multipart or {}) if not isinstance(part, Mapping)]


def parts(multipart: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the parts in their order. Those of a list have the same name."""
    return [
        (name, part)
        for name, value in multipart.items()
        for part in (value if isinstance(value, list | tuple) else [value])
    ]


def with_files(root: Path, where: str, multipart: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return *multipart* with the content of its files below *root*, in base64.

    Raises UsageError that begins with *where*, the place of the parts in their file.
    """
    if multipart is None:
        return None
    left = LARGEST_FILES_BYTES
    read: dict[str, Any] = {}
    for name, value in multipart.items():
        found = []
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Mapping):
                content = _content(root / part["file"], f"{where}.{name}.file", left)
                left -= len(content)
                part = _whole(part, content)
            found.append(part)
        read[name] = found if isinstance(value, list) else found[0]
    return read


def _whole(part: Mapping[str, Any], content: bytes) -> dict[str, str]:
    name = PurePosixPath(part["file"]).name
    kind = _TYPES.guess_type(name)[0] or _OF_NO_KIND
    return {"type": kind, "name": name, **part, "content": base64.b64encode(content).decode()}


def _content(file: Path, where: str, most_bytes: int) -> bytes:
    try:
        if not file.is_file():
            raise UsageError(f"{where}: there is no file {file}: name it from the folder of the project on")
        if file.stat().st_size > most_bytes:
            most = f"{LARGEST_FILES_BYTES >> 20} MB of files are allowed in a request"
            raise UsageError(f"{where}: {file} is too large: {most}, take a smaller one")
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{where}: {file}: {error.strerror}") from error
