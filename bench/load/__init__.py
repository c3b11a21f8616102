"""The load generator as the rest of the program knows it. Nothing here imports Locust."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from bench.model.cell import Slice
from bench.model.scenario import Scenario
from bench.records import Sample


class LoadGenerator(Protocol):
    """Sends the requests of a slice and counts the responses."""

    def prepare(self, targets: Mapping[str, tuple[str, int]], scenarios: Iterable[Scenario]) -> None:
        """Register the targets (by contender name) and the scenarios.

        A target that is named again at the same address keeps its connections. The connections of all others
        are closed.
        """

    def forget(self, target: str) -> None:
        """Forget what connections to *target* have saved, such as tokens.

        Call it when the target's data are restored.
        """

    def pids(self) -> tuple[int, ...]:
        """Return the processes of the load generator that run on this machine."""

    def begin(self, step: Slice) -> tuple[int, int]:
        """Start a slice. Return when its window opens and closes (`perf_counter_ns`)."""

    def finish(self) -> Sample:
        """Wait for the slice that was begun last and return its sample. Raises CannotMeasure."""
