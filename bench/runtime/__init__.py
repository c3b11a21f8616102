"""Where contenders run. Only this face of the room is known outside it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from bench.model import Contender
from bench.runtime.statements import StatementSource


class Server(Protocol):
    """One contender, up: its readiness path has answered 200."""

    @property
    def contender(self) -> Contender:
        """What is being served."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, on loopback."""

    @property
    def ready_s(self) -> float:
        """Seconds from start to the first 200, on all cores, beside the others that start."""

    @property
    def packages(self) -> Path | None:
        """Where what its app needs is installed; None where that is in an image, or not known."""

    def pids(self) -> tuple[int, ...]:
        """Return every process of the server's tree as it is now; empty once it has ended."""

    def reset_data(self) -> str | None:
        """Put its data back as they were when it was ready; return why not, where they are not."""

    def data_version(self) -> object:
        """Return what its data are at: unequal where something was written meanwhile, as far as is known."""

    def statements(self) -> Mapping[str, int]:
        """Return how often it has had each SQL statement run so far; nothing where nobody counts."""

    def statement_source(self) -> StatementSource:
        """Return who counts its statements, or why nobody does."""

    def ended(self) -> str | None:
        """Return how it ended ("killed by signal 9"), or None while it runs."""

    def log_tail(self) -> str:
        """Return the last lines of its log."""


class Runtime(Protocol):
    """Prepares environments and services, and serves contenders."""

    name: str

    def lacks(self, contender: Contender) -> str | None:
        """Return why *contender* cannot be served here, with the remedy; None where it can."""

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Make environments, start services, fill templates; raises CannotMeasure. Done once per run.

        Not for a contender that it lacks something for.
        """

    def serve(
        self,
        contenders: Sequence[Contender],
        *,
        hash_seed: int,
        timed: bool = True,
        counting: bool = False,
    ) -> AbstractContextManager[Mapping[str, Server]]:
        """Start each contender afresh, all up together; stop them all on exit. Raises CannotMeasure.

        Where nothing is *timed* they may use every core. *counting*: where no database of ours counts the
        statements of a server, the drivers in it do, which costs it time.
        """

    def check(self) -> None:
        """Raise CannotMeasure where a service that contenders need has died."""

    def database_pids(self) -> tuple[int, ...]:
        """Return every process of the database, and of caches, now; empty where there is none."""

    def facts(self) -> Mapping[str, object]:
        """What the fingerprint should know: cores, services with version and settings, resolved packages."""
