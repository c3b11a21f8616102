"""A set of descriptors to wait for: epoll, or poll with the same methods where epoll is missing (macOS)."""

import ctypes
import os
import select
import sys
import time
from math import ceil
from typing import Any, Protocol

IN, OUT = 0x1, 0x4  # the same bits in epoll and in poll
RDHUP = getattr(select, "EPOLLRDHUP", 0)  # the peer has closed its sending side
_ABSOLUTE = 1  # TFD_TIMER_ABSTIME
_USUAL_NS, _MOST_NS = 50_000, 200_000  # so late virtual machines wake a sleeper; later, others have its core
_STEP_NS = 200


class Poller(Protocol):
    """The methods of a set of descriptors. It is level-triggered, as epoll is by default."""

    def register(self, fd: int, eventmask: int) -> None: ...

    def modify(self, fd: int, eventmask: int) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Return what is ready. Wait at most *timeout* seconds, rounded up to milliseconds."""

    def close(self) -> None: ...


class Poll:
    """select.poll with the methods of select.epoll."""

    def __init__(self, poll: Any) -> None:
        self._poll = poll
        self.register, self.modify, self.unregister = poll.register, poll.modify, poll.unregister

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        ready: list[tuple[int, int]] = self._poll.poll(ceil(timeout * 1000))
        return ready

    def close(self) -> None:
        """Do nothing: poll holds no descriptor of its own."""


class Alarm:
    """A descriptor that becomes readable at a given time, to the microsecond: Linux's timerfd.

    A poller alone counts in whole milliseconds. select.select does not, but the kernel rounds its waits up,
    and it accepts no descriptor above 1,023. At 500 to 10,000 waits a second (2 cores), half of them ended
    30–80 µs late with this, 80–130 µs with select, 530–830 µs with epoll. Python has timerfd from 3.13 on.
    """

    rings_ns = 0  # when it becomes readable

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._settime = libc.timerfd_settime
        self._spec = (ctypes.c_long * 4)()  # struct itimerspec: no interval, then seconds and nanoseconds

    def set(self, at_ns: int) -> None:
        """Become readable at *at_ns* (`perf_counter_ns`), or at once if that is past."""
        self.rings_ns = at_ns
        self._spec[2], self._spec[3] = divmod(at_ns, 1_000_000_000)
        self._settime(self.fd, _ABSOLUTE, self._spec, None)

    def close(self) -> None:
        os.close(self.fd)


class HeadStart:
    """How long before a moment to wake up, so as to be awake then: nine in ten wakes take no longer.

    It follows how late they were: nine steps up for each that was later, one down for each other (a quantile
    by stochastic approximation).
    """

    def __init__(self) -> None:
        self.ns = _USUAL_NS

    def woke(self, late_ns: int) -> None:
        """Learn from one that woke *late_ns* after its alarm."""
        change_ns = 9 * _STEP_NS if late_ns > self.ns else -_STEP_NS
        self.ns = min(_MOST_NS, max(0, self.ns + change_ns))


def new_alarm() -> Alarm | None:
    """Return an alarm. None if the system has none: then a wait ends up to a millisecond late."""
    # The alarm must use the clock that the loop reads.
    clock = time.get_clock_info("perf_counter").implementation
    return Alarm() if sys.platform == "linux" and clock == "clock_gettime(CLOCK_MONOTONIC)" else None


def new_poller() -> Poller:
    """Return an empty set. It is the kernel's own even where gevent has replaced parts of `select`."""
    monkey = sys.modules.get("gevent.monkey")
    original = monkey.get_original if monkey else lambda _, name: getattr(select, name)
    epoll: Poller = original("select", "epoll")() if RDHUP else Poll(original("select", "poll")())
    return epoll
