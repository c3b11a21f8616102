"""When servers of known arithmetic answer: for the servers themselves, and for what is due."""

from collections.abc import Iterator
from random import Random
from typing import Protocol

Settled = list[tuple[int, int]]  # number of a request, and when it is to be answered (ns)


class Behaviour(Protocol):
    """Requests are numbered in the order of their arrival."""

    def take(self, number: int, at_ns: int) -> Settled:
        """Return the requests whose answers an arrival settles."""


class Fixed:
    """Each request takes the same time, however many there are."""

    def __init__(self, service_ns: int) -> None:
        self._service_ns = service_ns

    def take(self, number: int, at_ns: int) -> Settled:
        return [(number, at_ns + self._service_ns)]


class Queue:
    """One request is served at a time, in the order of arrival."""

    def __init__(self, services_ns: Iterator[int]) -> None:
        self._services_ns = services_ns
        self._free_ns = 0

    def take(self, number: int, at_ns: int) -> Settled:
        self._free_ns = max(at_ns, self._free_ns) + next(self._services_ns)
        return [(number, self._free_ns)]


def exponential(mean_ns: float, seed: int) -> Iterator[int]:
    """Yield exponentially distributed service times."""
    random = Random(f"{seed}/services")
    while True:
        yield round(random.expovariate(1 / mean_ns))


class Stall:
    """As Fixed, but the server does nothing for the first *lasts_ns* of every *every_ns* of its clock."""

    def __init__(self, service_ns: int, every_ns: int, lasts_ns: int) -> None:
        self._service_ns, self._every_ns, self._lasts_ns = service_ns, every_ns, lasts_ns

    def take(self, number: int, at_ns: int) -> Settled:
        left_ns = max(0, self._lasts_ns - at_ns % self._every_ns)
        return [(number, at_ns + left_ns + self._service_ns)]


class Batches:
    """Requests are answered in batches, when so many have come."""

    def __init__(self, service_ns: int, size: int) -> None:
        self._service_ns, self._size = service_ns, size
        self._waiting: list[int] = []

    def take(self, number: int, at_ns: int) -> Settled:
        self._waiting.append(number)
        if len(self._waiting) < self._size:
            return []
        batch, self._waiting = self._waiting, []
        return [(one, at_ns + self._service_ns) for one in batch]


def latencies_ns(behaviour: Behaviour, arrivals_ns: list[int]) -> dict[int, int]:
    """Return the latency of each request by its number; those of an incomplete batch are missing."""
    settled = (one for number, at_ns in enumerate(arrivals_ns) for one in behaviour.take(number, at_ns))
    return {number: until_ns - arrivals_ns[number] for number, until_ns in settled}
