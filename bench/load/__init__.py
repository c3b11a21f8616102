"""Who asks. Only this face of the room is known outside it; nothing here imports Locust."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from bench.model import Scenario, Slice
from bench.records import Sample


class LoadGenerator(Protocol):
    """Sends the requests of a slice and keeps the books."""

    def prepare(self, targets: Mapping[str, tuple[str, int]], scenarios: Iterable[Scenario]) -> None:
        """Learn where contenders are (by name) and what can be asked.

        Connections to those that are named again at the same address stay open; others are let go.
        """

    def forget(self, target: str) -> None:
        """Forget what connections to *target* have saved, such as tokens: its data were put back."""

    def pids(self) -> tuple[int, ...]:
        """Return the processes that ask, as far as they run on this machine."""

    def begin(self, step: Slice) -> tuple[int, int]:
        """Start a slice; return when its counted window opens and closes (`perf_counter_ns`)."""

    def finish(self) -> Sample:
        """Wait for the slice begun last and return what was seen. Raises CannotMeasure."""
