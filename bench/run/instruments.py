"""What an experiment needs from outside: everything that is slow, or not ours."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.load import LoadGenerator
from bench.load.once import requested
from bench.model import Scenario
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
        """Wait out the two moments (`perf_counter_ns`); return what the processes used between them."""


class Asked(Protocol):
    """What a slice is aimed at: a contender's server, or the null server."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""

    def pids(self) -> tuple[int, ...]:
        """Return every process of it as it is now."""


class Once(Protocol):
    """Requests each exchange once."""

    def __call__(
        self, contender: str, address: tuple[str, int], scenarios: Sequence[Scenario], /
    ) -> Iterator[Try]:
        """Yield what became of each exchange of *scenarios*, those that save values first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Everything slow or outside that an experiment needs."""

    runtime: Runtime
    load: LoadGenerator
    observer: Observer
    # Serves what a scenario expects, in so many bytes a response, and does nothing else.
    null_server: Callable[[Scenario, int], AbstractContextManager[Asked]]
    progress: Progress
    once: Once = requested
    memory: Path  # folder of remembered verifications, and of counts of SQL statements
