"""One set of descriptors to wait on: epoll, or poll with its face where there is none (macOS)."""

import select
import sys
from math import ceil
from typing import Any, Protocol

IN, OUT = 0x1, 0x4  # the same bits in epoll and in poll
RDHUP = getattr(select, "EPOLLRDHUP", 0)  # the peer will send no more


class Poller(Protocol):
    """What is asked of a set of descriptors; level-triggered, as epoll is by default."""

    def register(self, fd: int, eventmask: int) -> None:
        """Watch *fd*."""

    def modify(self, fd: int, eventmask: int) -> None:
        """Watch *fd* for something else."""

    def unregister(self, fd: int) -> None:
        """Watch *fd* no more."""

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Return what is ready, waiting *timeout* seconds at most (rounded up to milliseconds)."""

    def close(self) -> None:
        """Let go of it."""


class Poll:
    """select.poll with the face of select.epoll."""

    def __init__(self, poll: Any) -> None:
        self._poll = poll
        self.register, self.modify, self.unregister = poll.register, poll.modify, poll.unregister

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Return what is ready within *timeout* seconds."""
        ready: list[tuple[int, int]] = self._poll.poll(ceil(timeout * 1000))
        return ready

    def close(self) -> None:
        """There is nothing to let go of."""


def new_poller() -> Poller:
    """Return an empty set, the kernel's own even where gevent has replaced what `select` offers."""
    monkey = sys.modules.get("gevent.monkey")
    original = monkey.get_original if monkey else lambda _, name: getattr(select, name)
    epoll: Poller = original("select", "epoll")() if RDHUP else Poll(original("select", "poll")())
    return epoll
