"""A slice whose requests are those of a locustfile's users, by Locust's own client.

Each connection of the load is a user. All start before the slice and are held after `on_start`. When the
window closes, each is held where it would send its next request. An answer counts if it is complete while the
window is open, with the latency that Locust measures, and it is right if Locust says so.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from random import Random, seed
from time import perf_counter_ns
from typing import Any, Literal, Self

import gevent
from gevent.event import Event
from locust.exception import CatchResponseError
from locust.stats import RequestStats

from bench.errors import CannotMeasure
from bench.load.child.connections import Exhausted, kind_of
from bench.load.child.one_server import OtherServer, causes, only
from bench.load.child.own_users import OwnUsers
from bench.load.child.recorder import Books, Outcomes
from bench.load.child.setting_up import LIMIT_S
from bench.model.cell import Slice
from bench.model.scenario import Exchange, Locustfile
from bench.records import Sample

Phase = Literal["setting up", "lead-in", "window", "over", "ending"]
LOOK_S = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """All requests of one method."""

    exchange: Exchange


class UserBooks(Books):
    """Books of what Locust reports. It reports no connects, and no time between requests."""

    def __init__(self, users: OwnUsers) -> None:
        super().__init__()
        self.errors = 0  # of tasks and users: they are no requests
        self.late = 0  # requests that were answered after the window
        self._users = users

    def sample(self, window_s: float, stats: RequestStats) -> Sample:
        sample = super().sample(window_s, stats)
        counted = self._users.runner.stats.num_requests - self.late + self.errors
        if not self.broken and counted != sample.slice_requests:
            raise CannotMeasure(
                f"Locust counted {counted:,} requests of {self._users.path}, we {sample.slice_requests:,}: "
                "this is a fault of bench, please report it"
            )
        return replace(sample, client=self._users.client)


class UserLoad:
    """The users of one locustfile. A slice of theirs is armed, then run."""

    books: UserBooks

    def __init__(self, locustfile: Locustfile) -> None:
        """Execute *locustfile*. Raises UsageError."""
        self._users = OwnUsers(locustfile, self)
        events = self._users.environment.events
        events.request.add_listener(self._answered)
        events.user_error.add_listener(self._erred)
        self._begin()

    def _begin(self) -> None:
        self.books = UserBooks(self._users)
        self._setting_up = Outcomes()
        self._go = Event()
        self._phase: Phase = "setting up"
        self._open_ns = self._close_ns = 0
        self._there = self._in_flight = self._count = 0
        self._error = "it stopped by itself"  # the last one of a user

    @contextmanager
    def armed(self, step: Slice, address: tuple[str, int], numbers: Sequence[int]) -> Iterator[Self]:
        """Start a user for each of *numbers*, and wait for what `on_start` requests. Raises CannotMeasure."""
        self._begin()
        self._count, self._lead_in_s = len(numbers), step.lead_in_s
        self._random = Random(f"{step.seed}/{numbers[0]}/start")
        seed(f"{step.seed}/{numbers[0]}")  # Locust draws tasks from Python's own generator
        self._users.aim(address)
        with only(address):
            try:
                self._start()
                yield self
            finally:
                self._end()

    def _start(self) -> None:
        began_ns, runner = perf_counter_ns(), self._users.runner
        self._users.start(self._count)
        while self._there < runner.user_count and perf_counter_ns() - began_ns < LIMIT_S * 1e9:
            gevent.sleep(LOOK_S)
        setup = self.books.setup
        setup.requests, setup.failed = self._setting_up.requests, self._setting_up.failures.total()
        setup.took_s = (perf_counter_ns() - began_ns) / 1e9 if setup.requests else 0.0
        if self._there < runner.user_count:
            self.books.broken = (
                f"on_start took over {LIMIT_S:g} s: {self._there} of {self._count} users are ready: fewer "
                "connections, or an on_start that requests less"
            )

    def run(self, open_ns: int, close_ns: int, *, drain_s: float) -> None:
        """Let users request from now on, count from *open_ns* to *close_ns*, then wait for last answers."""
        if self.books.broken:
            return
        self._open_ns, self._close_ns = open_ns, close_ns
        self._users.runner.stats.clear_all()
        self._phase = "lead-in"
        self._go.set()
        for until_ns in (open_ns, close_ns):
            gevent.sleep(max(0.0, (until_ns - perf_counter_ns()) / 1e9))
            self._turn()
        until_ns = close_ns + round(drain_s * 1e9)
        while self._in_flight and perf_counter_ns() < until_ns:
            gevent.sleep(LOOK_S)
        self.books.unfinished = self.books.late + self._in_flight
        self._end()

    def _end(self) -> None:
        """Stop the users. What `on_stop` requests is not counted, and over before the next slice."""
        self._phase = "ending"
        self._users.stop()

    def _turn(self) -> None:
        """Open or close the window if it is time: whoever notices first does it."""
        now = perf_counter_ns()
        if self._phase == "lead-in" and now >= self._open_ns:
            self._phase = "window"
            self.books.start_clock()
        if self._phase == "window" and now >= self._close_ns:
            for _ in range(self._count - self._users.runner.user_count):
                self._fault("user ended", f"a user has ended: {self._error}")
            self._phase = "over"
            self.books.stop_clock()

    @property
    def _ledger(self) -> Outcomes | None:
        if self._phase == "setting up":
            return self._setting_up
        return {"lead-in": self.books.lead_in, "window": self.books.window}.get(self._phase)

    def arrived(self) -> None:
        self._there += 1
        self._go.wait()
        gevent.sleep(self._random.random() * self._lead_in_s)  # together, they would be answered in step

    def requesting(self, send: Callable[[], Any]) -> Any:
        self._turn()
        if self._phase == "over":
            Event().wait()  # until the user is stopped
        self._in_flight += 1
        try:
            return send()
        finally:
            self._in_flight -= 1

    def _answered(
        self,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        exception: BaseException | None = None,
        response: Any = None,
        **_: Any,
    ) -> None:
        self._turn()
        ledger = self._ledger
        if ledger is None:
            self.books.late += 1
            return
        asked = _asked(request_type)
        if exception is None:
            ledger.latencies[asked].append(round(response_time * 1e6))
            ledger.received_bytes += response_length or 0
            return
        try:
            kind, text = failure(exception, getattr(response, "status_code", 0) or 0)
        except Exhausted as exhausted:
            self.books.broken = kind = text = str(exhausted)
        ledger.fault(asked, kind, f"{request_type} {name}: {text}")

    def _erred(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        user = getattr(user_instance, "user", user_instance)  # that of a set of tasks
        self._error = f"{type(user).__name__}: {type(exception).__name__}: {exception}"
        self._turn()
        if self._phase in ("lead-in", "window"):
            self._fault("exception", self._error)

    def _fault(self, kind: str, example: str) -> None:
        if ledger := self._ledger:
            ledger.fault(_asked("TASK"), kind, example)
            self.books.errors += 1


def failure(error: BaseException, status: int) -> tuple[str, str]:
    """Return kind and text of a request that failed with *error*. Raises Exhausted."""
    for one in causes(error):
        if isinstance(one, OtherServer):
            return "other server", str(one.strerror)
    if status >= 400:
        return f"status {status}", str(error)
    if isinstance(error, CatchResponseError):
        return "body", str(error)
    for one in causes(error):
        if isinstance(one, OSError):
            with suppress(OSError):  # of no kind that we know
                return kind_of(one), str(error)
    return "no answer", f"{type(error).__name__}: {error}"


@cache
def _asked(method: str) -> Asked:
    return Asked(Exchange(name="", method=method, path=""))
