"""What a MySQL database consists of: read from one database, and made in another with its rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pymysql
from pymysql.connections import Connection
from pymysql.constants import ER
from pymysql.cursors import Cursor, DictCursor

Session: TypeAlias = "Connection[Cursor]"  # a type only for those who check types

# Of the session that copies: rows are taken as they are, a 0 in an automatic column too, in any order.
COPYING = """SET SESSION foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO',
lock_wait_timeout = 10, innodb_lock_wait_timeout = 10"""
TABLES = """
SELECT table_name, auto_increment FROM information_schema.tables
WHERE table_schema = %s AND table_type = 'BASE TABLE'
"""
COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = %s AND coalesce(generation_expression, '') = '' ORDER BY table_name, ordinal_position
"""
OTHERS = {  # in the order in which they are made: kind → names
    "SEQUENCE": "SELECT table_name FROM information_schema.tables WHERE table_schema = %s "
    "AND table_type = 'SEQUENCE'",
    "FUNCTION": "SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s "
    "AND routine_type = 'FUNCTION'",
    "PROCEDURE": "SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s "
    "AND routine_type = 'PROCEDURE'",
    "VIEW": "SELECT table_name FROM information_schema.tables WHERE table_schema = %s "
    "AND table_type = 'VIEW'",
    "TRIGGER": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s "
    "ORDER BY event_object_table, action_timing, event_manipulation, action_order",
    "EVENT": "SELECT event_name FROM information_schema.events WHERE event_schema = %s",
}
TRIGGERS_OF = """
SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s AND event_object_table = %s
ORDER BY action_timing, event_manipulation, action_order
"""
NOT_YET = frozenset({ER.NO_SUCH_TABLE, ER.VIEW_INVALID})  # a view of a view that is made later


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlTable:
    """A table: the statement that makes it, and the columns that a row is inserted with."""

    name: str
    create: str
    columns: tuple[str, ...]
    auto_increment: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A sequence, routine, view, trigger or event."""

    kind: str
    name: str
    create: str
    sql_mode: str | None = None  # under which it was written
    next_value: int | None = None  # of a sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """All of a database except its rows."""

    charset: str
    collation: str
    tables: tuple[SqlTable, ...]
    others: tuple[Other, ...]

    @property
    def sequences(self) -> list[Other]:
        return [one for one in self.others if one.kind == "SEQUENCE"]


def quoted(*names: str) -> str:
    return ".".join(f"`{name.replace('`', '``')}`" for name in names)


def rows(session: Session, statement: str, values: Sequence[object] = ()) -> tuple[tuple[object, ...], ...]:
    with session.cursor() as cursor:
        cursor.execute(statement, values or None)
        return tuple(cursor.fetchall())


def run(session: Session, *statements: str) -> None:
    with session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def read(session: Session, database: str) -> Objects:
    """Return what *database* consists of. It becomes the default one, so that nothing is named with it."""
    session.select_db(database)
    ((charset, collation),) = rows(session, "SELECT @@character_set_database, @@collation_database")
    return Objects(
        charset=str(charset),
        collation=str(collation),
        tables=tuple(tables(session, database)),
        others=tuple(_others(session, database)),
    )


def columns(session: Session, database: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table that are not generated."""
    found: dict[str, list[str]] = {}
    for table, column in rows(session, COLUMNS, [database]):
        found.setdefault(str(table), []).append(str(column))
    return {table: tuple(names) for table, names in found.items()}


def tables(session: Session, database: str) -> Iterator[SqlTable]:
    of_each = columns(session, database)
    for name, number in sorted(rows(session, TABLES, [database]), key=str):
        yield SqlTable(
            name=str(name),
            create=_create(session, "TABLE", database, str(name))["Create Table"],
            columns=of_each[str(name)],
            auto_increment=int(str(number)) if number is not None else None,
        )


def _others(session: Session, database: str) -> Iterator[Other]:
    for kind, names in OTHERS.items():
        for (name,) in rows(session, names, [database]):
            yield _other(session, kind, database, str(name))


def _other(session: Session, kind: str, database: str, name: str) -> Other:
    shown = _create(session, kind, database, name)
    create = next(text for key, text in shown.items() if key.startswith(("Create ", "SQL Original")))
    if kind == "SEQUENCE":
        ((number,),) = rows(session, f"SELECT next_not_cached_value FROM {quoted(database, name)}")
        return Other(kind=kind, name=name, create=create, next_value=int(str(number)))
    return Other(kind=kind, name=name, create=create, sql_mode=shown.get("sql_mode"))


def _create(session: Session, kind: str, database: str, name: str) -> dict[str, str]:
    with session.cursor(DictCursor) as cursor:
        cursor.execute(f"SHOW CREATE {kind} {quoted(database, name)}")
        return dict(cursor.fetchone() or {})


def make(session: Session, objects: Objects, source: str, target: str) -> None:
    """Make *objects* in the new database *target*, with the rows that their tables have in *source*.

    Triggers come after the rows, so none fires.
    """
    create = f"CREATE DATABASE {quoted(target)} CHARACTER SET {objects.charset} COLLATE {objects.collation}"
    run(session, create)
    session.select_db(target)
    for one in objects.sequences:
        _make_other(session, one)
        restart(session, target, one.name, one.next_value)
    run(session, *(table.create for table in objects.tables))
    for table in objects.tables:
        fill(session, table, source, target)
    due = [one for one in objects.others if one.kind != "SEQUENCE"]
    while due:
        due = _made_of(session, due)
    analyze(session, target, [table.name for table in objects.tables])


def _made_of(session: Session, due: Sequence[Other]) -> list[Other]:
    """Make those of *due* that can be made, and return the others. Raises if none can be made."""
    left: list[Other] = []
    for one in due:
        try:
            _make_other(session, one)
        except pymysql.MySQLError as error:
            if error.args[0] not in NOT_YET or (one is due[-1] and len(left) == len(due) - 1):
                raise
            left.append(one)
    return left


def _make_other(session: Session, one: Other) -> None:
    if one.sql_mode is not None:
        with session.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = %s", [one.sql_mode])
    run(session, one.create)
    if one.sql_mode is not None:
        run(session, "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")


def fill(session: Session, table: SqlTable, source: str, target: str) -> None:
    listed = ", ".join(map(quoted, table.columns))
    insert = f"INSERT INTO {quoted(target, table.name)} ({listed})"
    run(session, f"{insert} SELECT {listed} FROM {quoted(source, table.name)}")


def refill(session: Session, name: str, database: str, table: SqlTable | None, source: str) -> None:
    """Empty the table *name*, and give it its rows of *source* if it is a *table* there.

    Its triggers are absent meanwhile.
    """
    triggers = [
        _other(session, "TRIGGER", database, str(one))
        for (one,) in rows(session, TRIGGERS_OF, [database, name])
    ]
    place = quoted(database, name)
    try:
        run(session, *(f"DROP TRIGGER {quoted(database, one.name)}" for one in triggers))
        run(session, f"TRUNCATE TABLE {place}")
        if table:
            fill(session, table, source, database)
            if table.auto_increment not in (None, *next_number(session, database, name)):
                run(session, f"ALTER TABLE {place} AUTO_INCREMENT = {table.auto_increment}")
    finally:
        there = {name for (name,) in rows(session, TRIGGERS_OF, [database, name])} if triggers else set()
        for one in triggers:
            if one.name not in there:
                _make_other(session, one)
    analyze(session, database, [name])


def next_number(session: Session, database: str, name: str) -> tuple[object, ...]:
    """Return the next number of a table's automatic column, alone in a row."""
    return next(iter(rows(session, f"{TABLES} AND table_name = %s", [database, name])))[1:]


def restart(session: Session, database: str, name: str, next_value: int | None) -> None:
    """Let a sequence go on at *next_value*; None: at its start."""
    at = f" {next_value}" if next_value is not None else ""
    run(session, f"ALTER SEQUENCE {quoted(database, name)} RESTART{at}")


def analyze(session: Session, database: str, names: Sequence[str]) -> None:
    """Bring what the optimiser knows of tables up to date: nothing does it on a timer."""
    if names:
        run(session, f"ANALYZE NO_WRITE_TO_BINLOG TABLE {', '.join(quoted(database, one) for one in names)}")
