"""A service: what contenders need beside their server. Each server has a part of it for itself."""

import os
import pwd
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypedDict

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.records import CountedBy
from bench.runtime.docker.containers import Containers
from bench.runtime.launch import UNPRIVILEGED
from bench.runtime.leftovers import Ledger

# In the fingerprint, by the service's name. `from`: the wheel or image it comes from.
ServiceFacts = TypedDict("ServiceFacts", {"version": str, "from": str, "settings": Mapping[str, str]})


DATABASE_PLACEHOLDERS = tuple(
    f"database_{one}" for one in ("url", "host", "port", "name", "user", "password")
)


class OwnPart(Protocol):
    """One server's part of a service. A part that each reset empties inherits the methods with a body."""

    def environment(self) -> Mapping[str, str]:
        """Return the variables that its app finds it by."""

    def placeholders(self) -> Mapping[str, object]:
        """Return what its kind's placeholders stand for."""

    def reset(self) -> str | None:
        """Reset it to its kept state while others are connected. Return why not, if that fails.

        Raises CannotMeasure if it does not answer.
        """

    def keep(self) -> None:
        """Keep its present state."""
        return

    def data_version(self) -> object:
        """Return the state of its data: unequal if something was written meanwhile, as far as is known."""
        return None

    def query(self, sql: str, most: int) -> Sequence[Sequence[object]]:
        """Return the first *most* rows of *sql*, which can only read. Raises CannotMeasure."""
        raise CannotMeasure("it answers no query")

    def remedy(self, message: str) -> str:
        """Return what helps against its own *message* in a log, as the end of a sentence; "" if unknown."""
        return ""

    @property
    def counted_by(self) -> CountedBy | None:
        """Its name if it counts the statements of its server."""
        return None

    def statements(self) -> Mapping[str, int]:
        """Return how often it has run each statement so far."""
        return {}


class Service(Protocol):
    """A service for the time of a run. What it starts for longer than a call ends with its context."""

    def prepare(self, contender: Contender) -> None:
        """Make ready what the parts of a contender that needs it are made from. Raises CannotMeasure."""

    def given(self, contenders: Sequence[Contender]) -> AbstractContextManager[Iterator[OwnPart]]:
        """Give a server of each of *contenders* its part, in their order; parts are removed afterwards.

        A part may be made only when its turn comes. There is at least one contender, and all are prepared.
        """

    def preparing(self, contender: Contender) -> AbstractContextManager[OwnPart]:
        """Lend a part to commands that run before its servers.

        Later parts of a database begin with what it holds then. A cache always begins empty.
        """

    def check(self) -> None:
        """Raise CannotMeasure if something that runs has died."""

    def pids(self) -> tuple[int, ...]: ...

    def facts(self) -> ServiceFacts | None:
        """Return its facts; None as long as no contender that needs it was prepared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlace:
    """Where services are processes of this machine."""

    ledger: Ledger
    scratch: Path
    logs: Path
    cores: tuple[int, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlace:
    """Where services are containers."""

    group: Callable[[], Containers]  # a new one
    logs: Path
    cores: tuple[int, ...] | None


def unprivileged(title: str) -> str | None:
    """Return the user that runs a service which refuses root; None: the present one is not root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(UNPRIVILEGED).pw_name
    except KeyError:
        raise CannotMeasure(
            f"{title} refuses to run as root and there is no user {UNPRIVILEGED}: run as an ordinary user"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKind:
    """An entry of the table of services."""

    name: str  # in a contender's services
    title: str
    placeholders: tuple[str, ...]  # in a contender's command and env
    is_database: bool = False  # its parts answer queries
    counts_statements: bool = False  # its parts do, so drivers need not
    processes: Callable[[ProcessPlace], AbstractContextManager[Service]]
    containers: Callable[[ContainerPlace], AbstractContextManager[Service]] | None  # None: only as a process
    missing: Callable[[], tuple[str, str] | None] = lambda: None  # why no process can be started, and remedy
    # For `bench doctor`: start it alone. None: it is enough that nothing is missing.
    trial: Callable[[ProcessPlace], AbstractContextManager[object]] | None = None
