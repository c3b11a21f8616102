"""Where contenders run. Other rooms import only what is in this file."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from bench.model.contender import Contender
from bench.runtime.callgrind import Callgrind
from bench.runtime.python_calls import PythonCalls
from bench.runtime.statements import StatementSource

# What is counted on servers that are never timed: it costs them time.
Counting = Literal["statements", "calls"]


class Server(Protocol):
    """One contender's running server: its readiness path has answered 200."""

    @property
    def contender(self) -> Contender: ...

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, on loopback."""

    @property
    def ready_s(self) -> float:
        """Seconds from start to the first 200, on all cores, beside the others that start."""

    @property
    def environment(self) -> str:
        """The name of its environment in the facts of its runtime; empty for one that is not ours."""

    @property
    def path(self) -> str:
        """The path of the project for its processes; empty for one that is not ours."""

    @property
    def packages(self) -> Path | None:
        """The folder of its app's installed packages; None if they are in an image, or unknown."""

    def pids(self) -> tuple[int, ...]:
        """Return every process of the server's tree at this moment; empty once it has ended."""

    def reset_data(self) -> str | None:
        """Reset its data to their state when it was ready. Return why not, if that fails."""

    def data_version(self) -> object:
        """Return the state of its data: unequal if something was written meanwhile, as far as is known."""

    def query(self, sql: str, most: int) -> Sequence[Sequence[object]]:
        """Return the first *most* rows of *sql* in its own database. Raises CannotMeasure."""

    def statements(self) -> Mapping[str, int]:
        """Return how often it has run each SQL statement so far; empty if nothing counts them."""

    def statement_source(self) -> StatementSource: ...

    @property
    def instructions(self) -> Callgrind | None:
        """The counter of its instructions; None if it was not started to count them."""

    @property
    def calls(self) -> PythonCalls | None:
        """The counter of its calls of Python functions; None if it was not started to count them."""

    def ended(self) -> str | None:
        """Return how it ended ("killed by signal 9"), or None while it runs."""

    def log_tail(self) -> str: ...

    def gil_on(self) -> str | None:
        """Return that Python's GIL is on in it, and why; None if it is off, or its Python always has one."""


class Runtime(Protocol):
    """Prepares environments and services, and serves contenders."""

    name: str

    def uncounted(self) -> str | None:
        """Return why instructions cannot be counted here, with the remedy; None if they can."""

    def lacks(self, contender: Contender) -> str | None:
        """Return why *contender* cannot be served here, with the remedy; None if it can."""

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Make environments, start services, fill templates, once per run. Raises CannotMeasure.

        Do not call it for a contender that the runtime lacks something for.
        """

    def serve(
        self,
        contenders: Sequence[Contender],
        *,
        hash_seed: int,
        timed: bool = True,
        counting: Counting | None = None,
    ) -> AbstractContextManager[Mapping[str, Server]]:
        """Start a fresh server for each contender, all at the same time, and stop all on exit.

        Raises CannotMeasure. If nothing is *timed*, servers may use every core. *counting*: statements are
        counted by the drivers in a server if no database of ours does; calls of functions by its Python.
        """

    def serve_counted(
        self, seeded: Sequence[tuple[Contender, int]]
    ) -> AbstractContextManager[Sequence[Server]]:
        """Start a fresh server for each contender and hash seed, on a processor that counts instructions.

        A contender may be there several times. Raises CannotMeasure, also where nothing counts them.
        """

    def check(self) -> None:
        """Raise CannotMeasure if a service that contenders need has died."""

    def database_pids(self) -> tuple[int, ...]:
        """Return every process of the database and of caches at this moment; empty if there is none."""

    def facts(self) -> Mapping[str, object]:
        """Return facts for the fingerprint: cores, services with version and settings, resolved packages."""
