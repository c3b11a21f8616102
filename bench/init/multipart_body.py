"""A recorded multipart body → its parts. A recording has no files: their places in the project are named."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bench.init.masks import masked

FILES = "testdata"  # the folder where files of uploads are expected
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(r'[; ]name="([^"]*)"')
_FILE = re.compile(r'filename\*?="?(?:UTF-8\'\')?([^";\r\n]*)"?', re.IGNORECASE)
_TYPE = re.compile(r"^content-type: *(\S+)", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(r"\r?\n\r?\n")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def multipart_of(content_type: str, posted: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parts of *posted*, and the files that must be put into the project. Empty if it has none."""
    parts: dict[str, Any] = {}
    files: list[str] = []
    for name, value, file, kind in [*_in_text(content_type, posted)] or [*_in_params(posted)]:
        part: Any = masked(name, value)
        if file is not None:
            path = f"{FILES}/{_UNSAFE.sub('-', file).strip('-.') or 'file'}"
            part = {"file": path, **({"type": kind} if kind else {}), **({"name": file} if file else {})}
            files.append(path)
        if name not in parts:
            parts[name] = part
        else:
            parts[name] = [*parts[name], part] if isinstance(parts[name], list) else [parts[name], part]
    return parts, tuple(dict.fromkeys(files))


Part = tuple[str, str, str | None, str]  # name, value, name of its file, type


def _in_text(content_type: str, posted: Mapping[str, Any]) -> Iterator[Part]:
    found, text = _BOUNDARY.search(content_type), posted.get("text")
    if not found or not isinstance(text, str):
        return
    for piece in text.split(f"--{found[1]}")[1:]:
        head, *body = _BLANK.split(piece, maxsplit=1)
        if body and (name := _NAME.search(head)):
            file, kind = _FILE.search(head), _TYPE.search(head)
            value = body[0].removesuffix("\n").removesuffix("\r")
            yield name[1], value, file[1] if file else None, kind[1] if kind else ""


def _in_params(posted: Mapping[str, Any]) -> Iterator[Part]:
    for one in posted.get("params") or []:
        file = one.get("fileName")
        yield (
            str(one["name"]),
            str(one.get("value") or ""),
            str(file) if file is not None else None,
            str(one.get("contentType") or "") if file is not None else "",
        )
