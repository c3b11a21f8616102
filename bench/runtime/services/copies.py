"""A database for every server that asks for one: templates of the project's SQL, and their copies."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.model import Contender
from bench.runtime.services.databases import Database
from bench.runtime.services.postgresql import PostgreSQL

POSTGRES = "postgres"


class Copies:
    """Starts PostgreSQL when the first contender asks for it; leaving its context stops it."""

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
        """Fill the template of a contender that asks for a database. Raises CannotMeasure."""
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
        """Copy its template, and run its own SQL there; None where it asks for no database."""
        if self._postgresql is None or POSTGRES not in contender.services:
            yield None
            return
        name = f"{contender.base[:40]}-{next(self._numbers)}"
        texts = {f"{contender.name} sql {number}": text for number, text in enumerate(contender.sql, 1)}
        with self._postgresql.databases.copied(self._templates[contender.name], name, texts) as database:
            yield database

    def check(self) -> None:
        """Raise CannotMeasure where PostgreSQL has died."""
        if self._postgresql:
            self._postgresql.check()

    def pids(self) -> tuple[int, ...]:
        """Return every process of PostgreSQL now; empty where it does not run."""
        return self._postgresql.child.pids() if self._postgresql else ()

    def facts(self) -> Mapping[str, object]:
        """Return the services, with version and settings."""
        return {POSTGRES: self._postgresql.facts()} if self._postgresql else {}
