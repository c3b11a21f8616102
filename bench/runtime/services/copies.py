"""A database for every server that needs one: templates of the project's SQL, and their copies."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import UsageError
from bench.model import Contender
from bench.runtime.ports import free_ports
from bench.runtime.services.caches import KINDS, Cache, CacheKind, Starts, WantedCache
from bench.runtime.services.databases import Database
from bench.runtime.services.postgresql import PostgreSQL

POSTGRES = "postgres"


class Copies:
    """Starts PostgreSQL when the first contender needs it. Leaving its context stops it."""

    def __init__(self, start: Callable[[], AbstractContextManager[PostgreSQL]]) -> None:
        self._start = start
        self._running = ExitStack()
        self._postgresql: PostgreSQL | None = None
        self._templates: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def prepare(self, contender: Contender) -> None:
        """Fill the template of a contender that needs a database. Raises CannotMeasure."""
        if POSTGRES not in contender.services:
            return
        if self._postgresql is None:
            self._postgresql = self._running.enter_context(self._start())
        apps = Path(contender.root) / "apps"
        files = [apps / name for name in ("schema.sql", "seed.sql")]
        texts = {str(file): file.read_text() for file in files if file.is_file()}
        self._templates[contender.name] = self._postgresql.databases.template(texts)

    @contextmanager
    def copied(self, contender: Contender) -> Iterator[Database | None]:
        """Copy its template, and run its own SQL there; None if it needs no database."""
        if self._postgresql is None or POSTGRES not in contender.services:
            yield None
            return
        name = f"{contender.base[:40]}-{next(self._numbers)}"
        texts = {f"{contender.name} sql {number}": text for number, text in enumerate(contender.sql, 1)}
        with self._postgresql.databases.copied(self._templates[contender.name], name, texts) as database:
            yield database

    def check(self) -> None:
        if self._postgresql:
            self._postgresql.check()

    def pids(self) -> tuple[int, ...]:
        return self._postgresql.child.pids() if self._postgresql else ()

    def facts(self) -> Mapping[str, object]:
        return {POSTGRES: self._postgresql.facts()} if self._postgresql else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServices:
    """The services of one server alone."""

    database: Database | None = None
    caches: tuple[Cache, ...] = ()

    def environment(self) -> dict[str, str]:
        told = {"DATABASE_URL": self.database.url} if self.database else {}
        for cache in self.caches:
            told |= cache.environment()
        return told

    @property
    def known(self) -> bool:
        return bool(self.database or self.caches)

    def keep(self) -> None:
        if self.database:
            self.database.keep()

    def version(self) -> object:
        return self.database.version() if self.database else None

    def reset(self) -> str | None:
        """Reset the database to its kept state, then empty the caches. Return why not, if that fails.

        Raises CannotMeasure if a service does not answer.
        """
        left = self.database.reset() if self.database else None
        for cache in self.caches:
            cache.reset()
        return left


class Services:
    """Gives every server separate services that its contender needs. Leaving its context stops them all."""

    def __init__(self, copies: Copies, start_caches: Starts) -> None:
        self._copies = copies
        self._running = ExitStack()
        self._start_caches = start_caches
        self._up: list[Cache] = []
        self._of_caches: dict[str, Mapping[str, object]] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._running.enter_context(self._copies)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def prepare(self, contender: Contender) -> None:
        """Fill the template that it needs, and try its caches. Raises CannotMeasure."""
        self._copies.prepare(contender)
        if {kind.name for kind in _kinds(contender)} - self._of_caches.keys():
            with self._caches([contender]) as caches:
                self._of_caches |= {cache.wanted.kind.name: cache.facts() for cache in caches}

    @contextmanager
    def given(self, contenders: Sequence[Contender]) -> Iterator[Iterator[OwnServices]]:
        """Give a server of each of *contenders* its services, in their order; they are removed afterwards.

        Caches run from the beginning, empty. A database is copied when its contender's turn comes.
        """
        with self._caches(contenders) as caches, ExitStack() as copies:
            yield (
                OwnServices(
                    database=copies.enter_context(self._copies.copied(one)),
                    caches=tuple(cache for cache in caches if cache.wanted.contender == one),
                )
                for one in contenders
            )

    def check(self) -> None:
        self._copies.check()
        for cache in self._up:
            cache.check()

    def pids(self) -> tuple[int, ...]:
        return (*self._copies.pids(), *(pid for cache in self._up for pid in cache.child.pids()))

    def facts(self) -> Mapping[str, object]:
        return {**self._copies.facts(), **self._of_caches}

    @contextmanager
    def _caches(self, contenders: Sequence[Contender]) -> Iterator[Sequence[Cache]]:
        asked = [(one, kind) for one in contenders for kind in _kinds(one)]
        if not asked:
            yield ()
            return
        wanted = [
            WantedCache(kind=kind, contender=one, port=port, number=next(self._numbers))
            for (one, kind), port in zip(asked, free_ports(len(asked)), strict=True)
        ]
        with self._start_caches(wanted) as started:
            caches = [cache.answering() for cache in started]
            self._up += caches
            try:
                yield caches
            finally:
                self._up = [cache for cache in self._up if cache not in caches]


def known_services(contender: Contender) -> None:
    """Raise UsageError if it needs an unknown service."""
    known = (POSTGRES, *KINDS)
    if unknown := [name for name in contender.services if name not in known]:
        raise UsageError(f"{contender.name} wants {unknown[0]}: the services are {', '.join(known)}")


def _kinds(contender: Contender) -> list[CacheKind]:
    return [KINDS[name] for name in contender.services if name in KINDS]
