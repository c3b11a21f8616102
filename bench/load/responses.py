"""Framing of HTTP/1 responses (RFC 9112): where one ends, and what its head says. Strict on purpose.

Reading starts over with every piece that arrives: a response is one read nearly always, and what starts
over has no state to get wrong. Heads are parsed once: they change once a second, with `Date`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_LONGEST_HEAD_BYTES = 65_536
_LONGEST_CHUNK_LINE_BYTES = 4_096
_HEADS_KEPT = 1_024


class Malformed(Exception):
    """A response whose framing breaks the rules, so that nothing after it can be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status and header fields (names in lower case), and how the body is delimited."""

    status: int
    fields: Mapping[str, str]
    keep_alive: bool
    chunked: bool
    length: int | None  # of the body; None: chunked, or until the connection closes


class Heads(dict[bytes, Head]):
    """Heads by their bytes, parsed when first seen; a bounded memory."""

    def __missing__(self, raw: bytes) -> Head:
        if len(self) >= _HEADS_KEPT:
            self.clear()
        head = self[raw] = parse_head(raw)
        return head


def parse_head(raw: bytes) -> Head:
    """Parse status line and header fields, up to and including the empty line. Raises Malformed."""
    first, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    status_line = _STATUS_LINE.fullmatch(first)
    if status_line is None:
        raise Malformed(f"status line {_shown(first)}")
    status = int(status_line[2])
    if status == 101:
        raise Malformed("101: nobody asked for another protocol")
    fields = _parse_fields(lines)
    length, chunked = _delimiter(status, fields, minor=status_line[1])
    options = {option.strip().lower() for option in fields.get("connection", "").split(",")}
    offered = "close" not in options and (status_line[1] == b"1" or "keep-alive" in options)
    keep_alive = offered and (chunked or length is not None)
    return Head(status=status, fields=fields, keep_alive=keep_alive, chunked=chunked, length=length)


def read_response(data: bytes, heads: Heads, *, ended: bool = False) -> tuple[Head, bytes] | None:
    """Return head and body once *data* holds one whole response, and None before. Raises Malformed.

    *ended*: the server has closed, nothing more will come. Responses to HEAD are not for here.
    """
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        if not data.startswith(b"HTTP/1."[: len(data)]) or len(data) > _LONGEST_HEAD_BYTES:
            raise Malformed(f"head {_shown(data)}")
        return None
    head = heads[data[:end]]
    if head.status < 200:
        return read_response(data[end:], heads, ended=ended)
    if head.length is not None:
        whole = end + head.length
        return _alone(head, data[end:whole], data[whole:]) if len(data) >= whole else None
    if head.chunked:
        return _read_chunks(head, data, end)
    return (head, data[end:]) if ended else None


def _alone(head: Head, body: bytes, rest: bytes) -> tuple[Head, bytes]:
    if rest:
        raise Malformed(f"{len(rest)} bytes after its end: {_shown(rest)}")
    return head, body


def _read_chunks(head: Head, data: bytes, at: int) -> tuple[Head, bytes] | None:
    chunks = []
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0 and len(data) - at <= _LONGEST_CHUNK_LINE_BYTES:
            return None
        line = _CHUNK_LINE.fullmatch(data, at, line_end) if line_end >= 0 else None
        if line is None:
            raise Malformed(f"chunk size {_shown(data[at:])}")
        at, size = line_end + 2, int(line[1], 16)
        if size == 0:
            break
        after = at + size
        if not b"\r\n".startswith(data[after : after + 2]):
            raise Malformed("chunk longer than its size")
        if len(data) < after + 2:
            return None
        chunks.append(data[at:after])
        at = after + 2
    # The line end before makes "no trailers" and "trailers" end alike, in an empty line.
    end = data.find(b"\r\n\r\n", at - 2) + 4
    if end < 4:
        return None
    _parse_fields(data[at : end - 4].split(b"\r\n") if end - 4 > at else [])
    return _alone(head, b"".join(chunks), data[end:])


def _parse_fields(lines: list[bytes]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD_LINE.fullmatch(line)
        if field is None:
            raise Malformed(f"header {_shown(line)}")
        name, value = field[1].decode("ascii").lower(), field[2].decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _delimiter(status: int, fields: Mapping[str, str], *, minor: bytes) -> tuple[int | None, bool]:
    """Return the body's length and whether it is chunked (RFC 9112 §6.3)."""
    coding = fields.get("transfer-encoding")
    length = fields.get("content-length")
    if coding is not None and (coding.lower() != "chunked" or length is not None or minor == b"0"):
        raise Malformed(f"Transfer-Encoding {coding!r}, Content-Length {length!r}")
    lengths = {part.strip() for part in length.split(",")} if length is not None else set()
    if len(lengths) > 1 or not all(part.isascii() and part.isdigit() for part in lengths):
        raise Malformed(f"Content-Length {length!r}")
    if status < 200 or status in (204, 304):
        return 0, False
    return (int(lengths.pop()) if lengths else None), coding is not None


def _shown(data: bytes) -> str:
    return repr(data[:60].decode("latin-1")) + ("…" if len(data) > 60 else "")
