"""Databases on a MySQL server: templates made once, a copy for each server, resets in place."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import pymysql

from bench.errors import CannotMeasure
from bench.records import CountedBy
from bench.runtime.contender_placeholders import Url
from bench.runtime.ports import HOST
from bench.runtime.services import mysql_objects
from bench.runtime.services.mysql_client import USER, MySQLClient
from bench.runtime.services.mysql_objects import COPYING, Objects, Session, SqlTable, quoted, rows, run
from bench.runtime.services.service import DATABASE_PLACEHOLDERS, OwnPart

CONNECT_TIMEOUT_S = 10
PATIENCE_S = 60  # for one answer of the server
PREPARED = "EXECUTE of a prepared statement"
# Whatever it does itself is in no count.
UNSEEN = "UPDATE performance_schema.threads SET instrumented = 'NO' WHERE processlist_id = connection_id()"
WRITES = """
SELECT object_name, count_write FROM performance_schema.table_io_waits_summary_by_table
WHERE object_schema = %s AND count_write > 0
"""
# A table that is truncated, altered or made anew has another id.
IDS = "SELECT name, table_id, n_cols FROM information_schema.{table} WHERE name LIKE %s"
REFERENCES = """
SELECT referenced_table_name, table_name FROM information_schema.referential_constraints
WHERE constraint_schema = %s
"""
DIGESTS = """
SELECT digest_text, sum(count_star) FROM performance_schema.events_statements_summary_by_digest
WHERE schema_name = %s AND digest_text IS NOT NULL GROUP BY digest_text
"""
# Executed by the binary protocol: no digest counts them, and MariaDB does not tell which they were.
EXECUTED = """
SELECT coalesce(sum(count_star), 0) FROM performance_schema.events_statements_summary_by_user_by_event_name
WHERE user = %s AND event_name = 'statement/com/Execute'
"""


class State(NamedTuple):
    """The state of the data of one database, as far as its server counts: equal if nothing was written."""

    writes: frozenset[tuple[object, ...]]
    ids: frozenset[tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MySQLDatabases:
    """The databases of one server, by name. Implements `Templates`."""

    port: int
    password: str = field(repr=False)
    client: MySQLClient
    title: str  # MySQL or MariaDB
    identified: str = "IDENTIFIED BY"  # how a user's password is set
    _templates: dict[str, Objects] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def version(self) -> str:
        with self.session() as session:
            return str(rows(session, "SELECT version()")[0][0])

    def template(self, texts: Mapping[str, str]) -> str:
        """Return the name of the template that *texts* make. The same texts make it only once.

        Raises CannotMeasure with the text's name, the line and the server's message.
        """
        name = f"template_{hashlib.sha256(repr([*texts.values()]).encode()).hexdigest()[:12]}"
        if name not in self._templates:
            with self.session() as session:
                run(session, f"CREATE DATABASE {quoted(name)}")
            self._fill(name, texts)
            with self.session() as session:
                self._templates[name] = mysql_objects.read(session, name)
        return name

    @contextmanager
    def copied(self, template: str, name: str, texts: Mapping[str, str]) -> Iterator["MySQLDatabase"]:
        """Copy a template and run further texts in the copy, which is dropped at the end.

        Its name is a short one that is used again: the server counts by name, and has room for a limited
        number of counts. All are equally long, as names are in the environment of servers.
        """
        name = next(free for number in range(1, 10**4) if (free := f"bench_{number:04}") not in self._used)
        objects = self._templates[template]
        try:
            with self.session() as session:
                if not self._used:
                    run(session, "TRUNCATE performance_schema.events_statements_summary_by_digest")
                self._used.add(name)
                _make_user(session, name, f"{self.identified} '{self.password}'")
                mysql_objects.make(session, objects, template, name)
            with closing(self._connect()) as session:
                with self._failures_told(name):  # not those of whoever uses it
                    made = MySQLDatabase(
                        name=name, databases=self, session=session, objects=objects, source=template
                    )
                if texts:
                    self._fill(name, texts)
                    made.keep()
                yield made
        finally:
            with suppress(CannotMeasure), self.session() as session:  # gone already if the server died
                _drop(session, name)
                self._used.discard(name)

    @contextmanager
    def preparing(self, template: str, name: str) -> Iterator["MySQLDatabase"]:
        """Copy a template to the template *name*, and lend that to commands that change it."""
        objects = self._templates[template]
        with self.session() as session:
            _make_user(session, name, f"{self.identified} '{self.password}'")
            mysql_objects.make(session, objects, template, name)
        with closing(self._connect()) as session:
            yield MySQLDatabase(name=name, databases=self, session=session, objects=objects, source=template)
        with self.session() as session:
            self._templates[name] = mysql_objects.read(session, name)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Connect with a transaction for each statement. Raises CannotMeasure for errors inside."""
        with self._failures_told(), closing(self._connect()) as session:
            yield session

    def _connect(self) -> Session:
        with self._failures_told():
            session = pymysql.connect(
                host=HOST,
                port=self.port,
                user=USER,
                password=self.password,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=PATIENCE_S,
            )
            run(session, COPYING, UNSEEN)
            return session

    def _fill(self, name: str, texts: Mapping[str, str]) -> None:
        for source, text in texts.items():
            if failed := self.client.run(text, name):
                line, message = failed
                raise CannotMeasure(f"{source}{f' line {line}' if line else ''}: {message}")

    @contextmanager
    def _failures_told(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except (pymysql.MySQLError, OSError) as error:
            raise CannotMeasure(
                f"{self.title}{f', database {name}' if name else ''}: {_message(error)}"
            ) from error


class MySQLDatabase(OwnPart):
    """One server's own copy."""

    def __init__(
        self, *, name: str, databases: MySQLDatabases, session: Session, objects: Objects, source: str
    ) -> None:
        self.name = name
        self._databases = databases
        self._session = session  # its own one, kept: a reset does not wait for a connection
        self._tables: dict[str, tuple[SqlTable, str]] = {one.name: (one, source) for one in objects.tables}
        self._sequences = {one.name: one.next_value for one in objects.sequences}
        self._kept = self._state()  # at the time of the last keeping or resetting
        self._left: str | None = None  # why its data after the start are not kept
        self._before: Counter[str] = Counter()
        self._before = Counter(self.statements())

    @property
    def counted_by(self) -> CountedBy:
        return "MySQL"

    @property
    def url(self) -> str:
        return f"mysql://{self.name}:{self._databases.password}@{HOST}:{self._databases.port}/{self.name}"

    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url}

    def placeholders(self) -> dict[str, object]:
        found = Url(self.url), HOST, self._databases.port, self.name, self.name, self._databases.password
        return dict(zip(DATABASE_PLACEHOLDERS, found, strict=True))

    def data_version(self) -> object:
        """Return the state of its data: another one after a client has written."""
        with self._databases._failures_told(self.name):
            return self._state()

    def keep(self) -> None:
        """Keep its present state, if a client has written to it since it was copied."""
        if self.data_version() == self._kept:
            return
        try:
            self._keep()
        except (pymysql.MySQLError, OSError) as error:
            self._left = self._why(error)

    def reset(self) -> str | None:
        """Reset every table and sequence while others are connected. Return why not, if that fails.

        Raises CannotMeasure if the server has ended.
        """
        if self._left:
            return self._left
        try:
            return self._put_back()
        except (pymysql.MySQLError, OSError) as error:
            return self._why(error)

    def query(self, sql: str, most: int) -> Sequence[Sequence[object]]:
        with self._databases.session() as session, self._databases._failures_told(self.name):
            session.select_db(self.name)
            run(session, "SET SESSION TRANSACTION READ ONLY")
            return rows(session, sql)[:most]

    def statements(self) -> dict[str, int]:
        """Return how often it has run each statement since it was created, without the constants."""
        with self._databases._failures_told(self.name):
            counts = Counter(
                {str(text): int(str(calls)) for text, calls in rows(self._session, DIGESTS, [self.name])}
            )
            ((executed,),) = rows(self._session, EXECUTED, [self.name])
        counts[PREPARED] += int(str(executed))
        return dict(counts - self._before)

    def _state(self) -> State:
        table = "innodb_sys_tables" if self._databases.title == "MariaDB" else "innodb_tables"
        ids = rows(self._session, IDS.format(table=table), [f"{self.name.replace('_', chr(92) + '_')}/%"])
        return State(frozenset(rows(self._session, WRITES, [self.name])), frozenset(ids))

    def _keep(self) -> None:
        state = self._state()
        present = mysql_objects.read(self._session, self.name)
        same = {} if state.ids != self._kept.ids else dict(self._tables)
        changed = self._changed(state)
        self._tables = {one.name: (one, self._kept_in(one, same, changed)) for one in present.tables}
        self._sequences = {one.name: one.next_value for one in present.sequences}
        self._kept = state

    def _kept_in(self, table: SqlTable, same: Mapping[str, tuple[SqlTable, str]], changed: set[str]) -> str:
        """Keep the rows of a table, and return the database that has them.

        An unchanged table is kept already.
        """
        if table.name in same and table.name not in changed:
            return same[table.name][1]
        place = quoted(kept(self.name), table.name)
        run(
            self._session,
            f"CREATE DATABASE IF NOT EXISTS {quoted(kept(self.name))}",
            f"DROP TABLE IF EXISTS {place}",
            f"CREATE TABLE {place} LIKE {quoted(self.name, table.name)}",
        )
        mysql_objects.fill(self._session, table, self.name, kept(self.name))
        return kept(self.name)

    def _put_back(self) -> str | None:
        state = self._state()
        present = {
            str(name): number for name, number in rows(self._session, mysql_objects.TABLES, [self.name])
        }
        if gone := [name for name in self._tables if name not in present]:
            return f"its database: table {gone[0]} is not there any more"
        if state.ids != self._kept.ids and (other := self._with_other_columns()):
            return f"its database: table {other} has other columns by now"
        changed = self._changed(state)
        self._session.select_db(self.name)
        for name, number in present.items():
            table, source = self._tables.get(name, (None, ""))
            counted_on = table is not None and number != table.auto_increment
            if state.ids != self._kept.ids or name in changed or counted_on:
                mysql_objects.refill(self._session, name, self.name, table, source)
        for (sequence,) in rows(self._session, mysql_objects.OTHERS["SEQUENCE"], [self.name]):
            at = self._sequences.get(str(sequence))
            mysql_objects.restart(self._session, self.name, str(sequence), at)
        self._kept = self._state()
        return None

    def _changed(self, state: State) -> set[str]:
        """Return the tables that may have other rows than at the last keeping or resetting.

        What a foreign key deletes or changes in a referring table is in no count of the server.
        """
        changed = {str(name) for name, _ in state.writes ^ self._kept.writes}
        references = [(str(to), str(of)) for to, of in rows(self._session, REFERENCES, [self.name])]
        while more := {of for to, of in references if to in changed} - changed:
            changed |= more
        return changed

    def _with_other_columns(self) -> str | None:
        now = mysql_objects.columns(self._session, self.name)
        return next((name for name, (table, _) in self._tables.items() if now[name] != table.columns), None)

    def _why(self, error: Exception) -> str:
        """Return why the attempt failed. Raises CannotMeasure if the server does not answer any more."""
        if not self._session.open:
            message = f"{self._databases.title}, database {self.name}: {_message(error)}"
            raise CannotMeasure(message) from error
        return f"its database: {_message(error)}"


def kept(name: str) -> str:
    return f"{name}_kept"


def _make_user(session: Session, name: str, identified: str) -> None:
    """Make a user that may do everything, as the harness may, and that statements are counted for."""
    run(
        session,
        f"CREATE USER '{name}'@'{HOST}' {identified}",
        f"GRANT ALL ON *.* TO '{name}'@'{HOST}' WITH GRANT OPTION",
    )


def _drop(session: Session, name: str) -> None:
    """Drop a copy, what was kept of it, and its user, who is cut off: a transaction would hold a lock."""
    run(session, f"DROP USER IF EXISTS '{name}'@'{HOST}'")
    for (number,) in rows(session, "SELECT id FROM information_schema.processlist WHERE user = %s", [name]):
        with suppress(pymysql.MySQLError):  # it has just gone by itself
            run(session, f"KILL {number}")
    run(session, *(f"DROP DATABASE IF EXISTS {quoted(one)}" for one in (name, kept(name))))


def _message(error: Exception) -> str:
    return " ".join(str(error.args[-1] if error.args else error).split()) or type(error).__name__
