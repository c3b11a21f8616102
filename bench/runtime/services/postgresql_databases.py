"""Databases on a PostgreSQL server: templates made once, a copy for each server, resets in place."""

import hashlib
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from types import FrameType
from typing import NoReturn
from urllib.parse import quote

import psycopg
from psycopg.sql import SQL, Identifier

from bench.errors import CannotMeasure
from bench.records import CountedBy
from bench.runtime.contender_placeholders import Url
from bench.runtime.ports import HOST
from bench.runtime.services.postgresql_extensions import remedy
from bench.runtime.services.psql_text import SqlPart, is_dump, parts
from bench.runtime.services.service import DATABASE_PLACEHOLDERS, OwnPart


@contextmanager
def patience(seconds: float, what: str) -> Iterator[None]:
    """Raise CannotMeasure if the block takes longer than *seconds*: *what* did not answer.

    It uses a timer's signal. So it works only in the main thread, and blocks cannot be nested.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(number: int, frame: FrameType | None) -> NoReturn:
        raise CannotMeasure(f"{what} did not answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


USER = "bench"
PATIENCE_S = 60.0  # filling a template takes about a second, everything else less
MAINTENANCE = "postgres"  # the database that always exists
NO_ROLE = re.compile(r'role "([^"]+)" does not exist$')
COPY_LINE = re.compile(r"^COPY .*, line (\d+)", re.MULTILINE)
STATEMENTS = """
SELECT query, sum(calls)::bigint FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s) GROUP BY query
"""
MARKS = """
SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database
WHERE shobj_description(oid, 'pg_database') IS NOT NULL
"""
DISCONNECT = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
# What its clients have written. It is counted at once, unlike pg_stat_database. A table without a log leaves
# no records.
WRITTEN = """
SELECT coalesce(sum(wal_records), 0) + coalesce(sum(shared_blks_dirtied), 0)
FROM bench_seed.pg_stat_statements(false)
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# Where nothing counts statements: it changes with any write on the whole server.
WRITTEN_ANYWHERE = "SELECT pg_current_wal_insert_lsn()"
COUNTING = """
CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA bench_seed;
ALTER EXTENSION pg_stat_statements SET SCHEMA bench_seed; -- a dump or a migration may have made it elsewhere
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The databases of one server, by name. SQL texts are keyed by their names for messages."""

    port: int
    password: str = field(repr=False)
    host: str = HOST
    user: str = USER
    maintenance: str = MAINTENANCE
    options: str = ""  # after the question mark of its URL
    prefix: str = ""  # of the names of our databases, where others are beside them
    mark: str = ""  # their comment there, which shows that they are ours
    counts: bool = True  # its module pg_stat_statements is loaded, and we may use it
    remedy: Callable[[str], str] = remedy  # what helps against a message; "": unknown
    _templates: set[str] = field(default_factory=set)
    _roles: set[str] = field(default_factory=set)

    def url(self, name: str | None = None) -> str:
        password = f":{quote(self.password, safe='')}" if self.password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        options = f"?{self.options}" if self.options else ""
        place = f"{quote(self.user, safe='')}{password}@{host}:{self.port}"
        return f"postgresql://{place}/{quote(name or self.maintenance, safe='')}{options}"

    def version(self) -> str:
        with self.session() as session:
            return session.info.parameter_status("server_version") or "unknown"

    def template(self, texts: Mapping[str, str]) -> str:
        """Return the name of the template that `texts` make. The same texts make it only once.

        Raises CannotMeasure with the text's name, the line and the server's message.
        """
        name = f"{self.prefix}template-{hashlib.sha256(repr([*texts.values()]).encode()).hexdigest()[:12]}"
        if name not in self._templates:
            self._create(name)
            self._fill(name, texts)
            self._templates.add(name)
        return name

    @contextmanager
    def copied(self, template: str, name: str, texts: Mapping[str, str]) -> Iterator["Database"]:
        """Copy a template and run further texts in the copy, which is dropped at the end."""
        name = f"{self.prefix}{name}"
        try:
            self._create(name, template)
            if texts:
                self._fill(name, texts)
            with closing(self._connect(name)) as kept:
                if self.counts:
                    kept.execute("SET pg_stat_statements.track = 'none'")
                made = Database(url=self.url(name), name=name, databases=self, kept=kept)
                made.kept_versions.append(made.data_version())
                yield made
        finally:
            with suppress(CannotMeasure):  # gone already if the server died
                self._drop([name])

    @contextmanager
    def preparing(self, template: str, name: str) -> Iterator["Database"]:
        """Copy a template to the template *name*, and lend that to commands that change it."""
        name = f"{self.prefix}{name}"
        self._create(name, template)
        with closing(self._connect(name)) as kept:
            yield Database(url=self.url(name), name=name, databases=self, kept=kept)
        with self.session() as session:  # nothing may use a template
            session.execute(DISCONNECT, [name])
        with self.session(name) as session:
            self.keep(session)

    def aside(self) -> str:
        """Return a database that no server uses, and that we may change."""
        if not self.mark:
            return self.maintenance
        name = f"{self.prefix}aside"
        if name not in self._templates:
            self._create(name)
            self._templates.add(name)
        return name

    def clear(self, is_ours: Callable[[str], bool]) -> None:
        """Drop every database whose comment *is_ours*, and the roles that were made for their texts."""
        with self.session() as session:
            found = session.execute(MARKS).fetchall()
        self._drop([name for name, mark in found if is_ours(mark)])
        with self.session() as session:
            for role in sorted(self._roles):
                with suppress(psycopg.Error):  # it owns something in a database that is not ours
                    session.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))

    def keep(self, session: psycopg.Connection) -> None:
        """Keep the present content of the database of *session* for its resets."""
        session.execute("CREATE SCHEMA IF NOT EXISTS bench_seed")
        if self.counts:
            session.execute(COUNTING)
        session.execute(files(__package__).joinpath("snapshot.sql").read_bytes())
        session.execute("VACUUM (FREEZE, ANALYZE)")

    @contextmanager
    def session(self, name: str | None = None) -> Iterator[psycopg.Connection]:
        """Connect with a transaction for each statement. Raises CannotMeasure for errors inside."""
        name = name or self.maintenance
        with _with_name_in_errors(name), _patience(name), closing(self._connect(name)) as session:
            yield session

    def _connect(self, name: str) -> psycopg.Connection:
        with _with_name_in_errors(name):
            return psycopg.connect(self.url(name), autocommit=True, connect_timeout=10)

    def _create(self, name: str, template: str | None = None) -> None:
        create = SQL("CREATE DATABASE {}").format(Identifier(name))
        if template:
            create += SQL(" TEMPLATE {}").format(Identifier(template))
        with self.session() as session:
            session.execute(create)
            if self.mark:
                session.execute(SQL("COMMENT ON DATABASE {} IS {}").format(Identifier(name), self.mark))

    def _drop(self, names: Sequence[str]) -> None:
        for name in names:
            with self.session() as session:
                session.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))

    def _fill(self, name: str, texts: Mapping[str, str]) -> None:
        with self.session(name) as session:
            for source, text in texts.items():
                for part in parts(source, text):
                    self._run(session, source, part, may_make_roles=is_dump(text))
                if is_dump(text):
                    session.execute("RESET ALL")  # it has emptied the search path
            self.keep(session)

    def _run(self, session: psycopg.Connection, source: str, part: SqlPart, *, may_make_roles: bool) -> None:
        """Run a part of a text. Roles that a dump names and this server lacks are made, as owners."""
        made: set[str] = set()
        while True:
            try:
                if part.rows is None:
                    session.execute(part.sql.encode())
                else:
                    with session.cursor().copy(part.sql.encode()) as copy:
                        copy.write(part.rows.encode())
                return
            except psycopg.Error as error:
                message = _message(error)
                role = NO_ROLE.match(message)
                if not (may_make_roles and role and role[1] not in made):
                    raise CannotMeasure(
                        f"{_place(source, part, error)}: {message}{self.remedy(message)}"
                    ) from error
                made.add(role[1])  # the part ran in one transaction, so nothing of it is left
                session.execute(SQL("CREATE ROLE {}").format(Identifier(role[1])))
                self._roles.add(role[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Database(OwnPart):
    """One server's own copy."""

    url: str = field(repr=False)
    name: str
    databases: Databases
    kept: psycopg.Connection = field(repr=False)  # a reset on a new connection takes half as long again
    kept_versions: list[object] = field(default_factory=list)  # the version that was kept
    left: list[str] = field(default_factory=list)  # why its data after the start are not kept

    @property
    def counted_by(self) -> CountedBy | None:
        return "PostgreSQL" if self.databases.counts else None

    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url}

    def placeholders(self) -> dict[str, object]:
        server = self.databases
        found = Url(self.url), server.host, server.port, self.name, server.user, server.password
        return dict(zip(DATABASE_PLACEHOLDERS, found, strict=True))

    def remedy(self, message: str) -> str:
        return self.databases.remedy(message)

    def data_version(self) -> object:
        """Return the state of its data: another one after a client has written."""
        with _with_name_in_errors(self.name), _patience(self.name):
            return self.kept.execute(WRITTEN if self.databases.counts else WRITTEN_ANYWHERE).fetchone()

    def keep(self) -> None:
        """Keep its present state, if a client has written to it since it was copied."""
        if self.data_version() in self.kept_versions:
            return
        try:
            with _patience(self.name):
                self.databases.keep(self.kept)
        except psycopg.Error as error:
            self.left.append(self._why(error))

    def reset(self) -> str | None:
        """Reset every table and sequence while others are connected. Return why not, if that fails.

        Raises CannotMeasure if the server has ended.
        """
        if self.left:
            return self.left[0]
        try:
            with _patience(self.name):
                self.kept.execute("SELECT bench_seed.reset()")
                self.kept.execute("VACUUM")  # pages as in a fresh copy; autovacuum is off
        except psycopg.Error as error:
            return self._why(error)
        return None

    def _why(self, error: psycopg.Error) -> str:
        """Return why the attempt failed. Raises CannotMeasure if the server does not answer any more."""
        if self.kept.closed:
            raise CannotMeasure(f"PostgreSQL, database {self.name}: {_message(error)}") from error
        return f"its database: {_message(error)}"

    def query(self, sql: str, most: int) -> Sequence[Sequence[object]]:
        with self.databases.session(self.name) as session:
            session.execute("SET default_transaction_read_only = on")
            return session.execute(sql.encode()).fetchmany(most)

    def statements(self) -> dict[str, int]:
        """Return how often it has run each statement since it was created, without the constants.

        The query runs in another database, so that it does not count itself.
        """
        with self.databases.session(self.databases.aside()) as session:
            session.execute("SET client_min_messages = warning")  # no notice if the extension exists
            session.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            return dict(session.execute(STATEMENTS, [self.name]).fetchall())


def _patience(name: str) -> AbstractContextManager[None]:
    return patience(PATIENCE_S, f"PostgreSQL, database {name},")


@contextmanager
def _with_name_in_errors(name: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise CannotMeasure(f"PostgreSQL, database {name}: {_message(error)}") from error


def _message(error: psycopg.Error) -> str:
    return error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__


def _place(source: str, part: SqlPart, error: psycopg.Error) -> str:
    if row := COPY_LINE.search(error.diag.context or ""):
        return f"{source} line {part.line + int(row[1])}"
    if position := error.diag.statement_position:
        return f"{source} line {part.line + part.sql.count(chr(10), 0, int(position) - 1)}"
    return f"{source} line {part.line}" if part.rows is not None else source
