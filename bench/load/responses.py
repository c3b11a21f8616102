"""Framing of HTTP/1 responses (RFC 9112): where one ends, and what its head contains. Strict on purpose.

A response nearly always arrives in one read. A complete one is parsed without any state. If it arrives in
pieces, each piece is read once. Heads are parsed once: they change once a second, with `Date`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_END = b"\r\n\r\n"
SET_COOKIE = "set-cookie"  # the one field whose lines are kept apart, by line ends
LARGEST_BYTES = 64 << 20  # the largest body that is read
_LONGEST_HEAD_BYTES = 65_536
_LONGEST_CHUNK_LINE_BYTES = 4_096
_HEADS_KEPT = 1_024
_SIZES_KEPT = 64


class Malformed(Exception):
    """A response whose framing breaks the rules. Nothing after it can be trusted."""

    kind = "framing"

    @property
    def text(self) -> str:
        return f"malformed {self}"


class TooLarge(Malformed):
    """A response whose body exceeds the limit."""

    kind = "too large"

    @property
    def text(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status, header fields (names in lower case), and how the body is delimited."""

    status: int
    fields: Mapping[str, str]
    keep_alive: bool
    chunked: bool
    length: int | None  # of the body; None: chunked, or until the connection closes
    encoding: str = ""  # Content-Encoding of the received body, in lower case


class Heads(dict[bytes, Head]):
    """Heads by their bytes, parsed once each. Their number is limited.

    *bodiless*: of answers to HEAD, which have the length of a body that does not follow.
    """

    def __init__(self, *, bodiless: bool = False) -> None:
        self._bodiless = bodiless

    def __missing__(self, raw: bytes) -> Head:
        if len(self) >= _HEADS_KEPT:
            self.clear()
        head = self[raw] = parse_head(raw, bodiless=self._bodiless)
        return head


def parse_head(raw: bytes, *, bodiless: bool = False) -> Head:
    """Parse status line and header fields, up to and including the empty line. Raises Malformed."""
    first, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    status_line = _STATUS_LINE.fullmatch(first)
    if status_line is None:
        raise Malformed(f"status line {_shown(first)}")
    status = int(status_line[2])
    if status == 101:
        raise Malformed("101: no other protocol was requested")
    fields = _parse_fields(lines)
    length, chunked = _delimiter(status, fields, minor=status_line[1])
    if bodiless:
        length, chunked = 0, False
    options = {option.strip().lower() for option in fields.get("connection", "").split(",")}
    offered = "close" not in options and (status_line[1] == b"1" or "keep-alive" in options)
    keep_alive = offered and (chunked or length is not None)
    encoding = fields.get("content-encoding", "").strip().lower()
    return Head(
        status=status,
        fields=fields,
        keep_alive=keep_alive,
        chunked=chunked,
        length=length,
        encoding="" if encoding == "identity" else encoding,
    )


def read_response(data: bytes, heads: Heads, *, ended: bool = False) -> tuple[Head, bytes] | None:
    """Return head and body if *data* is one complete response, else None. Raises Malformed.

    *ended*: the server has closed and nothing more will come.
    """
    return read_whole(data, heads) or Incoming(heads).take(data, ended=ended)


def read_whole(data: bytes, heads: Heads) -> tuple[Head, bytes] | None:
    """Return head and body if *data* is one complete response with a length, the usual case.

    Raises Malformed.
    """
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        return None
    head = heads[data[:end]]
    if head.length is None or len(data) != end + head.length or head.status < 200:
        return None
    return head, data[end:]


class Incoming:
    """One response as it arrives. Every byte is read once, in any number of pieces."""

    def __init__(self, heads: Heads, *, keep_bytes: int | None = None) -> None:
        """Keep at least the first *keep_bytes* of the body. None: all of it."""
        self.head: Head | None = None
        self.body_bytes = 0  # so far
        self.came_bytes = 0  # head and framing included
        self._heads = heads
        self._keep_bytes = LARGEST_BYTES if keep_bytes is None else keep_bytes
        self._kept = bytearray()
        self._held = bytearray()  # received but not parsed yet: a part of a head, or of a line
        self._chunk_left: int | None = None  # bytes left of the present chunk; None: its size comes next
        self._trailer = False
        self._sizes: dict[bytes, int] = {}  # chunk sizes by their size line: it is mostly the same

    @property
    def is_open_ended(self) -> bool:
        return self.head is not None and self.head.length is None

    def take(self, data: bytes, *, ended: bool = False) -> tuple[Head, bytes] | None:
        """Add received data. Return head and body when they are complete. Raises Malformed, TooLarge."""
        self.came_bytes += len(data)
        if self.head is None:
            data = self._read_head(data)
            if self.head is None:
                return None
        head = self.head
        if head.length is not None:
            left = head.length - self.body_bytes
            self._keep(data[:left] if len(data) > left else data)
            if self.body_bytes < head.length:
                return None
            return self._whole(head, data[left:])
        if head.chunked:
            rest = self._read_chunks(data)
            return None if rest is None else self._whole(head, rest)
        self._keep(data)
        return self._whole(head, b"") if ended else None

    def so_far(self) -> str:
        if self.head is None:
            return f"the answer began ({self.came_bytes:,} bytes of its head so far)"
        of = f" of {self.head.length:,}" if self.head.length is not None else ""
        so_far = "" if of else " so far"
        return f"the answer began ({self.head.status}, {self.body_bytes:,}{of} bytes{so_far})"

    def _whole(self, head: Head, rest: bytes) -> tuple[Head, bytes]:
        if rest:
            raise Malformed(f"{len(rest)} bytes after its end: {_shown(rest)}")
        return head, bytes(self._kept)

    def _keep(self, data: bytes) -> None:
        if self.body_bytes < self._keep_bytes:
            self._kept += data
        self.body_bytes += len(data)
        if self.body_bytes > LARGEST_BYTES:
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"over {LARGEST_BYTES >> 20} MB of the answer came, which is not read on")

    def _read_head(self, data: bytes) -> bytes:
        """Return what follows the head. However small its pieces are, each byte is searched once."""
        looked, at = max(0, len(self._held) - len(_END) + 1), 0
        received: bytes | bytearray = data
        if self._held:
            self._held += data
            received = self._held
        while (end := received.find(_END, max(at, looked)) + len(_END)) >= len(_END):
            head = self._heads[bytes(received[at:end])]
            at = end
            if head.status >= 200:
                self.head, self._held = head, bytearray()
                if head.length is not None and head.length > LARGEST_BYTES:
                    raise TooLarge(f"{head.length:,} bytes are announced, {LARGEST_BYTES >> 20} MB allowed")
                return bytes(received[at:])
        if at or received is data:
            self._held = bytearray(received[at:])
        if not self._held.startswith(b"HTTP/1."[: len(self._held)]) or len(self._held) > _LONGEST_HEAD_BYTES:
            raise Malformed(f"head {_shown(self._held)}")
        return b""

    def _take_whole_chunks(self, data: bytes, at: int) -> int:
        """Read complete chunks from *at* on whose size lines were met before. Return where they end."""
        find, sizes, kept = data.find, self._sizes, self._kept
        while True:
            begin = find(b"\r\n", at) + 2
            size = sizes.get(data[at : begin - 2]) if begin >= 2 else None
            if size is None or data[begin + size : begin + size + 2] != b"\r\n":
                return at
            if self.body_bytes < self._keep_bytes:
                kept += data[begin : begin + size]
            self.body_bytes += size
            at = begin + size + 2
            if self.body_bytes > LARGEST_BYTES:
                raise self._too_large()

    def _read_chunks(self, data: bytes) -> bytes | None:
        """Read chunks. Return what follows the last one and its trailers, or None before that."""
        if self._trailer:
            return self._read_trailer(data)
        if self._held:
            data, self._held = bytes(self._held + data), bytearray()
        at = 0
        while not self._trailer:
            if self._chunk_left is None:
                at = self._take_whole_chunks(data, at)
                line_end = data.find(b"\r\n", at)
                if line_end < 0 and len(data) - at <= _LONGEST_CHUNK_LINE_BYTES:
                    self._held = bytearray(data[at:])
                    return None
                line = _CHUNK_LINE.fullmatch(data, at, line_end) if line_end >= 0 else None
                if line is None:
                    raise Malformed(f"chunk size {_shown(data[at:])}")
                at, size = line_end + 2, int(line[1], 16)
                if size == 0:
                    # The line end before makes "no trailers" and "trailers" both end in an empty line.
                    self._trailer, at = True, line_end
                    break
                self._chunk_left = self._sizes[line[0]] = size
                if len(self._sizes) > _SIZES_KEPT:
                    self._sizes.clear()
            if self._chunk_left:
                piece = data[at : at + self._chunk_left]
                self._keep(piece)
                self._chunk_left -= len(piece)
                at += len(piece)
                if self._chunk_left:
                    return None
            line_end_so_far = data[at : at + 2]
            if not b"\r\n".startswith(line_end_so_far):
                raise Malformed("chunk longer than its size")
            if len(line_end_so_far) < 2:
                self._held = bytearray(line_end_so_far)
                return None
            at += 2
            self._chunk_left = None
        return self._read_trailer(data[at:])

    def _read_trailer(self, data: bytes) -> bytes | None:
        """Return what follows the trailers, or None before their end."""
        looked = max(0, len(self._held) - len(_END) + 1)
        self._held += data
        end = self._held.find(_END, looked)
        if end < 0:
            if len(self._held) > _LONGEST_HEAD_BYTES:
                raise Malformed(f"trailer {_shown(self._held)}")
            return None
        _parse_fields(bytes(self._held[2:end]).split(b"\r\n") if end > 2 else [])
        return bytes(self._held[end + len(_END) :])


def _parse_fields(lines: list[bytes]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD_LINE.fullmatch(line)
        if field is None:
            raise Malformed(f"header {_shown(line)}")
        name, value = field[1].decode("ascii").lower(), field[2].decode("latin-1")
        between = "\n" if name == SET_COOKIE else ", "  # a date in a cookie has a comma
        fields[name] = f"{fields[name]}{between}{value}" if name in fields else value
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


def _shown(data: bytes | bytearray) -> str:
    return repr(data[:60].decode("latin-1")) + ("…" if len(data) > 60 else "")
