"""What watches the stacks of a server: from outside (`pyspy`) or from inside (`cprofiler`)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from bench.model import Contender
from bench.profile import record
from bench.profile.record import Sampled

Pids = Callable[[], tuple[int, ...]]


class Attached(Protocol):
    """A profiler at work."""

    def finish(self) -> Sampled:
        """Stop it, and return what it saw. Raises CannotMeasure."""


class Profiler(Protocol):
    """Watches a server's stacks."""

    name: record.Profiler
    version: str

    def dressed(self, contender: Contender) -> Contender:
        """Return what has to be served for it to be profiled: itself, or itself with another environment."""

    def attached(self, pids: Pids) -> AbstractContextManager[Attached]:
        """Profile the tree of processes *pids* until the context is left. Raises CannotMeasure."""
