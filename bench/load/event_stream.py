"""Server-sent events as they arrive: when each one comes, and whether it is the next one.

The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html. Each byte is read once.
A stream that is wrong ends at once: nothing after that is counted.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from time import perf_counter_ns
from typing import Any

from bench.histogram import Histogram
from bench.load.requests import Template
from bench.load.responses import Head, Heads, Incoming, Malformed, TooLarge
from bench.model.scenario import Stream
from bench.project.exchanges import media_type
from bench.project.saves import at_path

MEDIA = "text/event-stream"
LARGEST_EVENT_BYTES = 1 << 20
_PREVIEW_BYTES = 4_096  # kept, to be shown
_BUFFERED = 0.1  # of the time that all events are due over: what comes in less was held back
_TOO_SHORT_MS = 50.0  # due over less, they may well come together
_SHOWN = 60


class WrongStream(Malformed):
    """A stream that is not what was requested."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind

    @property
    def text(self) -> str:
        return str(self)


class EventStream(Incoming):
    """A response with the events of *stream*, as it arrives. Any other response is read as `Incoming`."""

    def __init__(
        self, heads: Heads, stream: Stream, status: int = 200, clock: Callable[[], int] = perf_counter_ns
    ) -> None:
        super().__init__(heads, keep_bytes=_PREVIEW_BYTES)
        self.came_ns: list[int] = []  # when each event came, the first one first
        self.stream = stream
        self._status = status
        self._clock = clock
        self._now_ns = 0
        self._last: int | None = None  # number of the last event
        self._unread = bytearray()  # the beginning of an event
        self._has_begun = False  # an event or a comment came whole
        self._has_return = False  # a carriage return came, and perhaps its line feed comes

    def take(self, data: bytes, *, ended: bool = False) -> tuple[Head, bytes] | None:
        self._now_ns = self._clock()
        whole = super().take(data, ended=ended)
        if whole is None and ended and self.head and self.head.status == self._status:
            raise WrongStream("ended early", f"the connection ended after {self._progress}")
        return whole

    def _take_whole_chunks(self, data: bytes, at: int) -> int:
        return at  # each goes through `_keep`

    def _keep(self, data: bytes) -> None:
        super()._keep(data)
        if self.head and self.head.status == self._status:
            self._read(data)

    def _whole(self, head: Head, rest: bytes) -> tuple[Head, bytes]:
        whole = super()._whole(head, rest)
        if head.status == self._status:
            self._check_type(head)
            self._check_end()
        return whole

    @property
    def _progress(self) -> str:
        return f"{len(self.came_ns):,} of {self.stream.events:,} events"

    def _check_type(self, head: Head) -> None:
        named = head.fields.get("content-type", "no Content-Type")
        if media_type(named) != MEDIA:
            raise WrongStream("body", f"expected {MEDIA}, got {named}")
        if head.encoding:
            raise WrongStream("body", f"expected events that can be read as they come, got {head.encoding}")

    def _check_end(self) -> None:
        came = self.came_ns
        if len(came) < self.stream.events:
            raise WrongStream("ended early", f"the stream ended after {self._progress}")
        took_ms, due_ms = (came[-1] - came[0]) / 1e6, self.stream.lasts_ms
        if due_ms >= _TOO_SHORT_MS and took_ms < _BUFFERED * due_ms:
            text = f"all {len(came):,} events came within {took_ms:.3g} ms, and were due over {due_ms:g} ms"
            raise WrongStream("buffered", text)

    def _read(self, data: bytes) -> None:
        if not self.came_ns and self.head:
            self._check_type(self.head)
        data = self._with_line_feeds(data)
        unread, looked = self._unread, max(0, len(self._unread) - 1)
        unread += data
        at = len(BOM_UTF8) if not self._has_begun and unread.startswith(BOM_UTF8) else 0
        while (end := unread.find(b"\n\n", max(at, looked))) >= 0:
            self._take_event(bytes(unread[at:end]))
            self._has_begun = True
            at = end + 2
        if self._has_begun:
            del unread[:at]
        if len(unread) > LARGEST_EVENT_BYTES:
            raise TooLarge(f"an event of over {LARGEST_EVENT_BYTES >> 20} MB came, which is not read on")

    def _with_line_feeds(self, data: bytes) -> bytes:
        if not (self._has_return or b"\r" in data):
            return data
        data = b"\r" * self._has_return + data
        self._has_return = data.endswith(b"\r")
        return data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take_event(self, block: bytes) -> None:
        """Check an event that has come whole. One without data is a comment, or sets the time to retry."""
        lines = [line.partition(b":") for line in block.split(b"\n")]
        data = [value.removeprefix(b" ") for name, _, value in lines if name == b"data"]
        if not data:
            return
        if len(self.came_ns) == self.stream.events:
            raise WrongStream("unended", f"the stream goes on after its {self.stream.events:,} events")
        identity = next((value.strip() for name, _, value in lines if name == b"id"), b"")
        for number in self._numbers(identity, b"\n".join(data)):
            self._check_number(number)
            self._last = number
        self.came_ns.append(self._now_ns)

    def _numbers(self, identity: bytes, data: bytes) -> set[int]:
        """Return the numbers that an event has: one, unless its `id` and its data differ."""
        found = {int(identity)} if identity.isdigit() and len(identity) < 20 else set()
        if self.stream.number:
            found.add(_number(data, self.stream.number))
        if len(found) > 1:
            text = f"expected one number, got id {_shown(identity)} with {_shown(data)}"
            raise WrongStream("event", text)
        return found

    def _check_number(self, number: int) -> None:
        if self._last is None or number == self._last + 1:
            return
        kind = "repeated event" if number <= self._last else "skipped event"
        raise WrongStream(kind, f"expected event {self._last + 1} after {self._last}, got {number}")


def unusually_late(late_ns: Iterable[int], overdue_ns: Iterable[int]) -> list[int]:
    """Return those of *overdue_ns*, of events to come, that are later than 99 % of those that came.

    The others may be on their way.
    """
    usual_ms = Histogram.of(late_ns).percentile_ms(99) or 0.0
    return [late for late in overdue_ns if late > usual_ms * 1e6]


def incoming(heads: Heads, template: Template, keep_bytes: int | None = None) -> Incoming:
    """Return what reads the next response to a request of *template*."""
    expect = template.exchange.expect
    if expect.stream:
        return EventStream(heads, expect.stream, expect.status)
    return Incoming(heads, keep_bytes=keep_bytes)


def _number(data: bytes, path: str) -> int:
    try:
        found: Any = at_path(path, json.loads(data))
    except (ValueError, RecursionError):
        found = None
    if type(found) is not int:
        raise WrongStream("event", f"expected a number at {path}, got {_shown(data)}")
    return found


def _shown(data: bytes) -> str:
    return repr(data[:_SHOWN].decode(errors="replace")) + "…" * (len(data) > _SHOWN)
