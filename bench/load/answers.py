"""What a well-framed response must say, and the memory that makes checking every one affordable."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from bench.load.responses import Head
from bench.load.templates import Request, Saved, filled

_SHOWN = 120
_NOT_MODIFIED = 304
_OVERHEAD_BYTES = 200  # what an entry of a dict of two bytes objects costs beside their content


class Mismatch(NamedTuple):
    """Why a response is not the one expected."""

    kind: str  # "status" or "body"
    text: str  # "expected …, got …"


class KnownBodies:
    """Bodies by request, once verified; forgets them all when it holds *limit_bytes*."""

    def __init__(self, limit_bytes: int = 64 << 20) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._bodies: dict[bytes, bytes] = {}
        self.get = self._bodies.get

    def remember(self, payload: bytes, body: bytes) -> None:
        """Keep *body* as a right answer to *payload*, in place of an earlier one."""
        if self._held_bytes > self._limit_bytes:
            self._bodies.clear()
            self._held_bytes = 0
        self._bodies[payload] = body
        self._held_bytes += len(payload) + len(body) + _OVERHEAD_BYTES


def check(request: Request, head: Head, body: bytes, saved: Saved) -> Mismatch | None:
    """Hold a response against what *request* expects; keep in *saved* what is to be saved."""
    exchange = request.template.exchange
    expect = exchange.expect
    if expect.unchanged and head.status == _NOT_MODIFIED:
        return None
    if head.status != expect.status:
        return Mismatch("status", f"expected status {expect.status}, got {head.status} {_shown(body)}")
    if expect.contains is not None and expect.contains.encode() not in body:
        return Mismatch("body", f"expected {expect.contains!r} in it, got {_shown(body)}")
    content = None
    if expect.json is not None or expect.items is not None or exchange.save:
        with suppress(ValueError):
            content = json.loads(body)
    wanted = filled(expect.json, request.values)
    if wanted is not None and not agrees(wanted, content):
        return Mismatch("body", f"expected {json.dumps(wanted)}, got {_shown(body)}")
    if expect.items is not None and not (isinstance(content, list) and len(content) == expect.items):
        return Mismatch("body", f"expected {expect.items} items, got {_shown(body)}")
    return _save(exchange.save, head, content, saved)


def agrees(wanted: Any, actual: Any) -> bool:
    """Return whether *actual* holds at least *wanted*: objects by key, arrays by position."""
    if isinstance(wanted, Mapping):
        return isinstance(actual, dict) and all(
            key in actual and agrees(value, actual[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(actual, list) and len(actual) >= len(wanted) and all(map(agrees, wanted, actual))
    return bool(wanted == actual) and isinstance(wanted, bool) == isinstance(actual, bool)


def _save(save: Mapping[str, str], head: Head, content: Any, saved: Saved) -> Mismatch | None:
    for variable, source in save.items():
        value = _found(source, head, content)
        if value is None:
            return Mismatch("body", f"expected {source} to save, got none")
        saved.setdefault(variable, []).append(value)
    return None


def _found(source: str, head: Head, content: Any) -> Any:
    match source.partition(":"):
        case "header", ":", name:
            return head.fields.get(name.removesuffix("?").lower(), "" if name.endswith("?") else None)
        case "cookie", ":", name:
            cookie = re.search(rf"(?:^|, ){re.escape(name)}=([^;,]*)", head.fields.get("set-cookie", ""))
            return cookie and cookie[1]
    return content.get(source) if isinstance(content, dict) else None


def _shown(body: bytes) -> str:
    text = " ".join(body[: 4 * _SHOWN].decode(errors="replace").split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
