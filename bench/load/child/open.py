"""The open loop: requests are sent when they are due, whether earlier ones are answered or not.

A request uses the connection that became free last. If none is free, another is opened, up to a limit. At the
limit, the request waits. Latency starts when the request was due. It ends when the last part of its response
is ready to be read. A stall of the server therefore shows in all requests that are due during it.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter_ns

from bench.load.child.connections import READ_BYTES, Connection, Exhausted, Target
from bench.load.child.loop import TURN_NS, Loop
from bench.load.child.recorder import OpenBooks, Outcomes
from bench.load.gaps import Law
from bench.load.polling import IN, RDHUP, Alarm, HeadStart, new_alarm
from bench.load.receipts import Dating
from bench.load.requests import Request, Saved
from bench.load.turns import ahead_of_others

_NEVER = sys.maxsize
DATED_ONE_IN = 16  # reads


class OpenLoop(Loop):
    """One slice: requests with given due times, and the connections of one target that send them."""

    books: OpenBooks

    def __init__(
        self,
        target: Target,
        connections: Sequence[Connection],
        offsets_ns: Sequence[int],
        draw: Callable[[Saved], Request],
        *,
        timeout_s: float,
        law: Law | None = None,
    ) -> None:
        """*draw* returns the requests.

        They are sent *offsets_ns* after the window opens (negative: before). *law*: what the gaps between
        them were drawn from, to be tested.
        """
        super().__init__(target, connections, timeout_s=timeout_s)
        self.books = OpenBooks(sum(offset >= 0 for offset in offsets_ns), offsets_ns, law)
        self._offsets_ns = offsets_ns
        self._draw = draw
        self._free = [connection for connection in connections if connection.connected]
        self._closed = [connection for connection in connections if not connection.connected]
        self._opening = 0
        self._waiting: deque[int] = deque()  # due times of requests that wait for a connection
        self._dues: Iterator[int] = iter(())
        self._next_ns = _NEVER  # when the next request is due
        self._alarm: Alarm | None = None
        self._head_start = HeadStart()

    def run(self, open_ns: int, close_ns: int, *, drain_s: float) -> None:
        """Send what is due before *close_ns*.

        Count what is due from *open_ns* on, and wait for its answers.
        """
        self.books.open_ns = open_ns
        if self.books.broken:
            self._let_go()
            return
        self._dues = map(open_ns.__add__, self._offsets_ns)
        self._next_ns = next(self._dues, _NEVER)
        self._alarm = new_alarm()
        try:
            with ahead_of_others():
                self._carry_out(open_ns, close_ns, drain_s)
        except Exhausted as exhausted:
            self.books.broken = str(exhausted)
        finally:
            if self._alarm:
                self._alarm.close()
            self._let_go()
            for connection in self._connections:
                connection.date_no_more()

    def _carry_out(self, open_ns: int, close_ns: int, drain_s: float) -> None:
        if self._alarm:
            self._poller.register(self._alarm.fd, IN)
            self._alarm.set(self._next_ns - self._head_start.ns)
        dating = Dating(self.books.wakes_ns, DATED_ONE_IN)
        for connection in self._connections:
            connection.date(dating)
        for connection in self._free:
            self._watch(connection, IN | RDHUP)
        self._serve_until(open_ns)
        self.books.start_clock()
        self._serve_until(close_ns)
        self.books.stop_clock()
        self._serve_until(close_ns + round(drain_s * 1e9), or_rest=True)
        if unended := self._unended():
            self._learn_whether_they_end(unended, self._rest_until)
        for connection in filter(self._never_ends, self._unended()):
            self._time_out(connection)
        self.books.unfinished = self._unfinished()

    def _serve_until(self, until_ns: int, *, or_rest: bool = False) -> None:
        """Send due requests and read answers until *until_ns*, or (*or_rest*) until nothing is left to do."""
        poll, by_fd, clock, alarm = self._poller.poll, self._by_fd, perf_counter_ns, self._alarm
        now = clock()
        turn_ns = now + TURN_NS
        while now < until_ns and not (or_rest and self._rests()):
            if now >= self._next_ns:
                self._take_up(now)
            polled_ns = clock()
            for fd, event in poll(max(0, min(turn_ns, until_ns, self._next_ns) - polled_ns) / 1e9):
                now = clock()
                if alarm and fd == alarm.fd and polled_ns < alarm.rings_ns <= now:
                    self._head_start.woke(now - alarm.rings_ns)
                if now >= self._next_ns:
                    self._take_up(now)
                connection = by_fd.get(fd)
                if connection is None or connection.opened_ns > polled_ns:
                    continue  # the alarm, or a closed connection whose descriptor another one may have now
                if event != IN or not connection.waits:
                    self._attend(connection, event, now)
                    continue
                try:
                    data = connection.recv(READ_BYTES)
                except OSError as error:
                    self._break(connection, error)
                    continue
                if data == connection.answer:
                    self._ledger(connection).received_bytes += len(data)
                    self._verified(connection, now)
                elif not self._received(connection, data, now, "" if data else "closed"):
                    continue
                self._ready(connection, now)
            now = clock()
            if now >= turn_ns:
                self._turn(now)
                now = clock()
                turn_ns = now + TURN_NS

    def _rest_until(self, until_ns: int) -> None:
        self._serve_until(until_ns, or_rest=True)

    def _take_up(self, now: int) -> None:
        books = self.books
        while (due_ns := self._next_ns) <= now:
            self._next_ns = next(self._dues, _NEVER)
            counts = due_ns >= books.open_ns
            if self._free:
                lag_ns = self._send(self._free.pop(), due_ns) - due_ns
            else:
                lag_ns = perf_counter_ns() - due_ns
                self._waiting.append(due_ns)
                self._open_more()
                books.queued += counts and self._opening < len(self._waiting)
            if counts:
                books.lags.append(lag_ns)
        if self._alarm:
            self._alarm.set(self._next_ns - self._head_start.ns)

    def _send(self, connection: Connection, due_ns: int) -> int:
        connection.due_ns = due_ns
        return self._ask(connection, self._draw(connection.saved))

    def _open_more(self) -> None:
        while self._closed and self._opening < len(self._waiting):
            self._opening += 1
            connection = self._closed.pop()
            self._open(connection)

    def _rests(self) -> bool:
        resting = len(self._free) + len(self._closed) == len(self._connections)
        return resting and not self._waiting and self._next_ns == _NEVER

    def _unfinished(self) -> int:
        sent = [connection.due_ns for connection in self._connections if connection.waits]
        unsent = [due_ns for due_ns in (self._next_ns, *self._dues) if due_ns != _NEVER]
        return sum(due_ns >= self.books.open_ns for due_ns in (*sent, *self._waiting, *unsent))

    def _turn(self, now: int) -> None:
        super()._turn(now)
        self._open_more()

    def _received(self, connection: Connection, data: bytes, now: int, ended: str) -> bool:
        if connection.waits:
            return super()._received(connection, data, now, ended)
        self._free.remove(connection)  # the server has closed it, or sends data without a request
        self._close(connection)
        self._closed.append(connection)
        return False

    def _ledger(self, connection: Connection) -> Outcomes:
        return self.books.ledger_of(connection.due_ns)

    def _verified(self, connection: Connection, now: int) -> None:
        ledger = self._ledger(connection)
        ledger.latencies[connection.request.template].append(now - connection.due_ns)
        self.books.answered += self.books.is_open
        if ledger is self.books.window:
            self.books.services.append(now - connection.sent_ns)

    def _failed(self, connection: Connection, kind: str, text: str, now: int) -> None:
        if connection.waits:
            self._ledger(connection).failed(connection.request, kind, text)
            return
        self._opening -= 1
        if self._waiting:  # otherwise all waiting requests have found another connection
            self.books.ledger_of(self._waiting.popleft()).failed(None, kind, text)

    def _connected(self, connection: Connection, now: int) -> None:
        self._opening -= 1
        self._ready(connection, now)

    def _ready(self, connection: Connection, now: int) -> None:
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            connection.idle()
            self._free.append(connection)

    def _used_up(self, connection: Connection, now: int) -> None:
        self._closed.append(connection)
        self._open_more()

    def _given_up(self, connection: Connection, now: int) -> None:
        self._closed.append(connection)
