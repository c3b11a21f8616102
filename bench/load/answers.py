"""Checks every response. Bodies checked before are remembered, so a repeat costs one comparison."""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from bench.load.encodings import Undecodable, decoded
from bench.load.pages import found_in
from bench.load.placeholders import filled, filled_text
from bench.load.requests import Request, Saved, jar_of
from bench.load.responses import SET_COOKIE, Head
from bench.project.saves import MISSING, PAGE, at_path, place_of

WHOLE_BYTES = 256_000  # larger bodies are remembered as digests
LONGEST_SAVED = 65_536  # characters of a value that later requests send
_SHOWN = 120
_STRANGE_ONE_IN = 10  # a body with more unprintable characters is not text
_NOT_MODIFIED = 304
_OVERHEAD_BYTES = 200  # size of a dict entry with two bytes objects, without their content


class Mismatch(NamedTuple):
    """Why a response differs from the expected one."""

    kind: str  # "status 503" or "body"
    text: str  # "expected …, got …"


class KnownBodies:
    """Verified bodies by request. All are forgotten when they take more than *limit_bytes*.

    Of a body larger than WHOLE_BYTES only a digest is kept. Bodies are kept as received, before decoding.
    """

    def __init__(self, limit_bytes: int = 64 << 20) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._bodies: dict[bytes, tuple[str, bytes]] = {}

    def knows(self, payload: bytes, head: Head, body: bytes) -> bool:
        """Return whether *body*, in the encoding of *head*, is the verified answer to *payload*."""
        known = self._bodies.get(payload)
        if known is None or known[0] != head.encoding:
            return False
        return known[1] == (body if len(body) <= WHOLE_BYTES else _digest(body))

    def remember(self, payload: bytes, head: Head, body: bytes) -> None:
        if self._held_bytes > self._limit_bytes:
            self._bodies.clear()
            self._held_bytes = 0
        kept = body if len(body) <= WHOLE_BYTES else _digest(body)
        self._bodies[payload] = head.encoding, kept
        self._held_bytes += len(payload) + len(kept) + _OVERHEAD_BYTES


def check(request: Request, head: Head, body: bytes, saved: Saved) -> Mismatch | None:
    """Compare a response with what *request* expects. Add the values to save to *saved*."""
    template = request.template
    exchange = template.exchange
    expect = exchange.expect
    keep_cookies(request, head, saved)
    if expect.unchanged and head.status == _NOT_MODIFIED:
        return None
    if head.status != expect.status:
        got = f"{head.status} {_shown_of(head, body)}"
        return Mismatch(f"status {head.status}", f"expected status {expect.status}, got {got}")
    if not template.looks:
        return None
    if head.encoding:
        try:
            body = decoded(body, head.encoding)
        except Undecodable as error:
            return Mismatch("body", f"its {len(body):,} bytes cannot be read: {error}")
    if expect.contains is not None:
        text = filled_text(expect.contains, request.values)
        if text.encode() not in body:
            return Mismatch("body", f"expected {text!r} in it, got {_shown(body)}")
    content = None
    if template.reads_json:
        with suppress(ValueError, RecursionError):
            content = json.loads(body)
    wanted = filled(expect.json, request.values)
    if wanted is not None and not agrees(wanted, content):
        return Mismatch("body", f"expected {json.dumps(wanted)}, got {_shown(body)}")
    for path, count in expect.lengths.items():
        listed = at_path(path, content) if path else content
        if not (isinstance(listed, list) and len(listed) == count):
            where = f" at {path}" if path else ""
            return Mismatch("body", f"expected {count} items{where}, got {_counted(listed, body)}")
    return _save(exchange.save, head, body, content, saved)


def keep_cookies(request: Request, head: Head, saved: Saved) -> None:
    """Keep the cookies that an answer sets, if its scenario has them kept."""
    if request.template.keeps_cookies and (lines := head.fields.get(SET_COOKIE)):
        jar_of(saved).take(lines, request.target)


def agrees(wanted: Any, actual: Any) -> bool:
    """Return whether *actual* contains *wanted*: objects are compared by key, arrays by position."""
    if isinstance(wanted, Mapping):
        return isinstance(actual, dict) and all(
            key in actual and agrees(value, actual[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(actual, list) and len(actual) >= len(wanted) and all(map(agrees, wanted, actual))
    return bool(wanted == actual) and isinstance(wanted, bool) == isinstance(actual, bool)


def _save(save: Mapping[str, str], head: Head, body: bytes, content: Any, saved: Saved) -> Mismatch | None:
    for variable, source in save.items():
        place, name = place_of(source)
        value = found_in(body, place, name) if place in PAGE else _found(place, name, head, content)
        if value is MISSING or value is None:
            got = "none" if value is MISSING else "null"
            return Mismatch("body", f"expected {source} to save, got {got}")
        if isinstance(value, dict | list):
            kind = "an object" if isinstance(value, dict) else "an array"
            return Mismatch("body", f"{source} is {kind}, expected a value to save")
        if isinstance(value, str) and (why := _unfit(value)):
            return Mismatch("body", f"{source} {why}, expected a value to save")
        if place in PAGE:  # a hidden field is valid until the next one comes
            saved[variable] = [value]
        else:
            saved.setdefault(variable, []).append(value)
    return None


def _unfit(text: str) -> str:
    if len(text) > LONGEST_SAVED:
        return f"has {len(text):,} characters"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "has half of a character"  # a lone surrogate: JSON can escape one, no request can send it
    return ""


def _found(place: str, name: str, head: Head, content: Any) -> Any:
    if place == "header":
        value = head.fields.get(name.removesuffix("?").lower(), "" if name.endswith("?") else MISSING)
        return value.replace("\n", ", ") if isinstance(value, str) else value
    if place == "cookie":
        lines = head.fields.get(SET_COOKIE, "")
        found = re.findall(rf"^{re.escape(name)}=([^;\n]*)", lines, re.MULTILINE)
        return found[-1].strip() if found else MISSING
    return at_path(name, content)


def _counted(listed: Any, body: bytes) -> str:
    return f"{len(listed):,} of them: {_shown(body)}" if isinstance(listed, list) else _shown(body)


def _shown_of(head: Head, body: bytes) -> str:
    if head.encoding:
        try:
            body = decoded(body, head.encoding)
        except Undecodable:
            return f"{len(body):,} bytes of {head.encoding}"
    return _shown(body)


def _shown(body: bytes) -> str:
    begins = body[: 4 * _SHOWN]
    text = begins.decode(errors="replace")
    strange = sum(not (c.isprintable() or c.isspace()) or c == "\ufffd" for c in text)
    if strange * _STRANGE_ONE_IN > len(text):
        return f"{len(body):,} bytes that are no text"
    text = printable(" ".join(text.split()))
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def printable(text: str) -> str:
    """Return *text* with characters escaped that are unsafe on a terminal or a page."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body).digest()
