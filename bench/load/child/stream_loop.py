"""The closed loop of streams: each connection holds one open, and requests the next when it has ended.

Each event is checked and dated when it comes. When it was due is counted from its request. So a stream that
waits for its turn is late with all of its events.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from locust.stats import RequestStats

from bench.histogram import Histogram
from bench.load.child.closed import ClosedLoop
from bench.load.child.connections import Connection, Target
from bench.load.child.recorder import ClosedBooks
from bench.load.event_stream import EventStream, incoming, unusually_late
from bench.model.scenario import Stream
from bench.records import EventTimes, Sample


class StreamBooks(ClosedBooks):
    """Books that also have the times of events: of the lead-in, then anew of the window."""

    def _begin(self) -> None:
        super()._begin()
        self._first_ns: list[int] = []
        self._gap_ns: list[int] = []
        self._late_ns: list[int] = []

    def came(self, stream: Stream, came_ns: Sequence[int], known: int, sent_ns: int) -> None:
        """Record the events of a stream after the *known* first ones. It was requested at *sent_ns*."""
        every_ns = stream.every_ms * 1e6
        if not known and came_ns:
            self._first_ns.append(came_ns[0] - sent_ns)
        self._gap_ns += [later - one for one, later in pairwise(came_ns[max(0, known - 1) :])]
        self._late_ns += [
            max(0, at_ns - sent_ns - round(place * every_ns))
            for place, at_ns in enumerate(came_ns[known:], start=known)
        ]

    def outstanding(self, overdue_ns: Iterable[int]) -> None:
        """Record the events that had not come when the window closed, as late as they were then."""
        self._late_ns += unusually_late(self._late_ns, overdue_ns)

    def sample(self, window_s: float, stats: RequestStats) -> Sample:
        times = EventTimes(
            first=Histogram.of(self._first_ns),
            gap=Histogram.of(self._gap_ns),
            late=Histogram.of(self._late_ns),
        )
        return replace(super().sample(window_s, stats), events=times)


class StreamLoop(ClosedLoop):
    books: StreamBooks

    def __init__(
        self,
        target: Target,
        connections: Sequence[Connection],
        starts: Sequence[float] = (),
        pace: tuple[str, int] = ("", 0),
        *,
        timeout_s: float,
    ) -> None:
        super().__init__(target, connections, starts, pace, timeout_s=timeout_s)
        self.books = StreamBooks()

    def _close_window(self, close_ns: int) -> None:
        super()._close_window(close_ns)
        waiting = (one for one in self._connections if one.waits)
        self.books.outstanding(late_ns for one in waiting for late_ns in _overdue_ns(one, close_ns))

    def _received(self, connection: Connection, data: bytes, now: int, ended: str) -> bool:
        template, sent_ns = connection.request.template, connection.sent_ns
        reading = connection.incoming or incoming(self._target.heads, template, template.keep_bytes)
        connection.incoming = reading
        known = len(reading.came_ns) if isinstance(reading, EventStream) else 0
        is_ready = super()._received(connection, data, now, ended)
        if isinstance(reading, EventStream):
            self.books.came(reading.stream, reading.came_ns, known, sent_ns)
        return is_ready


def _overdue_ns(connection: Connection, now: int) -> Iterator[int]:
    """Yield how late each event is already that is due and has not come."""
    if stream := connection.request.template.exchange.expect.stream:
        reading = connection.incoming
        known = len(reading.came_ns) if isinstance(reading, EventStream) else 0
        for place in range(known, stream.events):
            late_ns = now - connection.sent_ns - round(place * stream.every_ms * 1e6)
            if late_ns <= 0:
                return
            yield late_ns
