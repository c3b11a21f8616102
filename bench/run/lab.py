"""What an experiment needs from outside: everything that is slow, or not ours."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.load import LoadGenerator
from bench.load.once import requested
from bench.model.scenario import Scenario
from bench.records import Try, Usage
from bench.run.progress import Progress
from bench.runtime import Runtime


class Observer(Protocol):
    """Watches CPU and memory while a window is open."""

    def watch(
        self,
        server: tuple[int, ...],
        database: tuple[int, ...],
        client: tuple[int, ...],
        opens_ns: int,
        closes_ns: int,
    ) -> Usage:
        """Wait for both times (`perf_counter_ns`), and return what the processes used between them."""


class SliceTarget(Protocol):
    """The target of a slice: a contender's server, or the null server."""

    @property
    def address(self) -> tuple[str, int]: ...

    def pids(self) -> tuple[int, ...]:
        """Return the ids of all its processes at this moment."""


class Once(Protocol):
    """Requests each exchange once."""

    def __call__(
        self, contender: str, address: tuple[str, int], scenarios: Sequence[Scenario], /
    ) -> Iterator[Try]:
        """Yield the result of each exchange of *scenarios*. Exchanges that save values come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Everything slow or outside that an experiment needs."""

    runtime: Runtime
    load: LoadGenerator
    observer: Observer
    # Answers what a scenario expects, with responses of the given number of bytes, and does nothing else.
    null_server: Callable[[Scenario, int], AbstractContextManager[SliceTarget]]
    progress: Progress
    once: Once = requested
    memory: Path  # folder of cached verifications and counts of SQL statements
