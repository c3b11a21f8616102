"""A database for every server that needs one: templates of the project's SQL, and their copies."""

import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from bench.errors import UsageError
from bench.files import text_of
from bench.model.contender import Contender, PostgresOrigin
from bench.runtime.services.service import OwnPart, ServiceFacts

FILES = ("schema.sql", "seed.sql")  # of a project's apps, if its contender names none
MYSQLDUMP = re.compile(rb"^-- (?:MySQL|MariaDB) dump ", re.MULTILINE)
PACKED = {  # how files begin that no server reads
    b"PGDMP": "write it with `pg_dump --format=plain`, or turn it into text: `pg_restore --file=schema.sql`",
    b"\x1f\x8b": "unpack it: gunzip",
}


class Templates(Protocol):
    """The databases of one database server. SQL texts are keyed by their names for messages."""

    def template(self, texts: Mapping[str, str]) -> str:
        """Return the name of the template that *texts* make, the same for the same. Raises CannotMeasure."""

    def copied(self, template: str, name: str, texts: Mapping[str, str]) -> AbstractContextManager[OwnPart]:
        """Copy a template and run further texts in the copy, which is dropped at the end."""

    def preparing(self, template: str, name: str) -> AbstractContextManager[OwnPart]:
        """Copy a template to the template *name*, and lend that to commands that change it."""


class DatabaseServer(Protocol):
    """A running database server."""

    @property
    def databases(self) -> Templates: ...

    def check(self) -> None:
        """Raise CannotMeasure if it has ended."""

    def pids(self) -> tuple[int, ...]: ...

    def facts(self) -> ServiceFacts: ...


# Opens the database server of an origin. Only PostgreSQL has other origins than the default.
Opens = Callable[[PostgresOrigin], AbstractContextManager[DatabaseServer]]


class Copies:
    """Implements `Service` with copies on one database server for each origin, opened when it is needed."""

    def __init__(self, opens: Opens, running: ExitStack) -> None:
        self._opens = opens
        self._running = running
        self._servers: dict[PostgresOrigin, DatabaseServer] = {}
        self._templates: dict[str, tuple[Templates, str]] = {}
        self._numbers = itertools.count(1)

    def prepare(self, contender: Contender) -> None:
        """Fill its template. Raises CannotMeasure."""
        if contender.postgres not in self._servers:
            self._servers[contender.postgres] = self._running.enter_context(self._opens(contender.postgres))
        texts = _schema(contender)
        databases = self._servers[contender.postgres].databases
        self._templates[contender.name] = databases, databases.template(texts)

    @contextmanager
    def given(self, contenders: Sequence[Contender]) -> Iterator[Iterator[OwnPart]]:
        with ExitStack() as copies:
            yield (copies.enter_context(self._copied(one)) for one in contenders)

    @contextmanager
    def preparing(self, contender: Contender) -> Iterator[OwnPart]:
        databases, template = self._templates[contender.name]
        name = f"prepared-{next(self._numbers)}"
        with databases.preparing(template, name) as part:
            yield part
        self._templates[contender.name] = databases, name

    def check(self) -> None:
        for server in self._servers.values():
            server.check()

    def pids(self) -> tuple[int, ...]:
        return tuple(pid for server in self._servers.values() for pid in server.pids())

    def facts(self) -> ServiceFacts | None:
        found = [server.facts() for server in self._servers.values()]
        if len(found) < 2:
            return next(iter(found), None)
        settings = {
            f"{one['from']}: {name}": value for one in found for name, value in one["settings"].items()
        }
        return {
            "version": ", ".join(one["version"] for one in found),
            "from": ", ".join(one["from"] for one in found),
            "settings": settings,
        }

    def _copied(self, contender: Contender) -> AbstractContextManager[OwnPart]:
        """Copy its template, and run its own SQL there."""
        databases, template = self._templates[contender.name]
        # Equally long for all: it is in the environment of a server, whose length moves the stack.
        name = f"{contender.base[:40]}-{next(self._numbers):05}"
        texts = {f"{contender.name} sql {number}": text for number, text in enumerate(contender.sql, 1)}
        return databases.copied(template, name, texts)


def _schema(contender: Contender) -> dict[str, str]:
    """Return the SQL of a fresh database by its file; raises UsageError for a file that cannot be read."""
    files = [contender.place / name for name in contender.schema or ()]
    if contender.schema is None:
        files = [file for name in FILES if (file := Path(contender.root) / "apps" / name).is_file()]
    return {str(file): _text(contender, file) for file in files}


def _text(contender: Contender, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            begins = opened.read(200)
        for mark, remedy in PACKED.items():
            if begins.startswith(mark):
                raise UsageError(f"{file} is not SQL as text: {remedy}")
        if MYSQLDUMP.search(begins):  # it writes binary values as they are, among text
            return file.read_bytes().decode(errors="surrogateescape")
        return text_of(file)
    except OSError as error:
        name = os.path.relpath(file, contender.place)
        raise UsageError(f"{contender.name}: schema: {name}: {error.strerror}: is it in git?") from error


@contextmanager
def copies(opens: Opens) -> Iterator[Copies]:
    """Open the service of a kind of database; leaving the context closes its servers."""
    with ExitStack() as running:
        yield Copies(opens, running)
