"""Counts the statements of a server to SQLite and MySQL. The file of a process has these lines:

+sqlite3        a driver of which a statement was counted
-psycopg2       a driver that was loaded and is not counted
=1 SELECT ?     a statement, with its number in this file
1               one execution of it
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.runtime.counted.sitecustomize import ProcessFile

UNCOUNTED = frozenset(
    [
        *("psycopg", "psycopg2", "asyncpg", "pg8000", "mariadb", "oracledb", "cx_Oracle", "pyodbc"),
        *("pymssql", "apsw", "duckdb", "libsql", "libsql_experimental", "clickhouse_driver"),
        "clickhouse_connect",
    ]
)
COM_QUERY = 3  # of MySQL's protocol

# Names come first, or digits in a name would count as a number.
SQLITE = re.compile(
    r"""(?P<comment>/\*.*?\*/|--[^\n]*) | (?P<constant>[xX]'[^']*' | '(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*" | `[^`]*` | \[[^\]]*\] | [^\W\d][\w$]*)
    | (?P<number>0[xX][0-9a-fA-F]+ | \d+(?:\.\d*)?(?:[eE][+-]?\d+)? | \.\d+(?:[eE][+-]?\d+)?)
    | (?P<parameter>\?\d*)""",
    re.VERBOSE | re.DOTALL,
)
MYSQL = re.compile(
    r"""(?P<comment>/\*.*?\*/|--\s[^\n]*|\#[^\n]*)
    | (?P<constant>[xXbB]'[^']*' | '(?:[^'\\]|''|\\.)*' | "(?:[^"\\]|""|\\.)*")
    | (?P<name>`[^`]*` | [^\W\d][\w$]*)
    | (?P<number>0[xX][0-9a-fA-F]+ | \d+(?:\.\d*)?(?:[eE][+-]?\d+)? | \.\d+(?:[eE][+-]?\d+)?)
    | (?P<parameter>\?)""",
    re.VERBOSE | re.DOTALL,
)
SHAPES = [
    (re.compile(r"\s+"), " "),
    (re.compile(r"([=(,<>]\s?)[-+] ?\?"), r"\1?"),  # a sign is a part of the constant
    (re.compile(r"([=(,] ?)NULL\b", re.IGNORECASE), r"\1?"),
    (re.compile(r"\( ?\?(?: ?, ?\?)* ?\)"), "(?)"),  # however many there are
    (re.compile(r"\(\?\)(?: ?, ?\(\?\))+"), "(?)"),
    (re.compile(r"\b(SAVEPOINT|ROLLBACK TO(?: SAVEPOINT)?|RELEASE(?: SAVEPOINT)?) \S+", re.I), r"\1 ?"),
]


def shape(text: str, tokens: re.Pattern[str] = SQLITE) -> str:
    """Return a statement without its constants, comments and line breaks: the same for every request."""

    def place(found: re.Match[str]) -> str:
        if found.lastgroup == "name":
            return found[0]
        return " " if found.lastgroup == "comment" else "?"

    text = tokens.sub(place, text)
    for pattern, kept in SHAPES:
        text = pattern.sub(kept, text)
    return text.strip(" ;")


class Counts:
    """What this process has counted, in its file."""

    def __init__(self, own_file: ProcessFile) -> None:
        self.own_file = own_file
        self.begin()

    def begin(self) -> None:
        self.pid = os.getpid()
        self.numbers: dict[str, int] = {}
        self.next = itertools.count(1)
        self.drivers: set[str] = set()

    def begin_again(self) -> None:
        """Begin the file of a forked process."""
        self.own_file.begin()
        self.begin()

    def write(self, lines: str) -> None:
        self.own_file.write(lines)

    def saw(self, driver: str, text: object, tokens: re.Pattern[str]) -> None:
        with suppress(Exception):  # an error here is never the server's fault
            if self.pid != os.getpid():  # forked by code outside Python
                self.begin_again()
            if isinstance(text, (bytes, bytearray)):
                text = bytes(text).decode("utf-8", "replace")
            shaped = shape(str(text), tokens)
            lines = ""
            if driver not in self.drivers:
                self.drivers.add(driver)
                lines += f"+{driver}\n"
            number = self.numbers.get(shaped)
            if number is None:
                number = self.numbers.setdefault(shaped, next(self.next))
                lines += f"={number} {shaped}\n"
            self.write(f"{lines}{number}\n")


def count_sqlite(module: ModuleType, counts: Counts) -> None:
    real: Any = module.Connection
    real_connect = module.connect
    driver = module.__name__.partition("._")[0].lstrip("_")

    def saw(text: str) -> None:
        counts.saw(driver, text, SQLITE)

    class CountedConnection(real):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            super().set_trace_callback(saw)

        def set_trace_callback(self, callback: Callable[[str], object] | None) -> None:
            def both(text: str) -> None:
                saw(text)
                if callback:
                    callback(text)

            super().set_trace_callback(both if callback else saw)

    CountedConnection.__module__, CountedConnection.__qualname__ = real.__module__, real.__qualname__

    def connect(*args: Any, **options: Any) -> Any:
        if len(args) < 6:
            options.setdefault("factory", CountedConnection)
        return real_connect(*args, **options)

    module.connect, module.Connection = connect, CountedConnection  # type: ignore[attr-defined]


def count_commands(module: ModuleType, counts: Counts) -> None:
    real = module.Connection._execute_command

    def execute(self: Any, command: int, sql: object) -> Any:
        if command == COM_QUERY:
            counts.saw(module.__name__.partition(".")[0], sql, MYSQL)
        return real(self, command, sql)

    module.Connection._execute_command = execute


def count_queries(module: ModuleType, counts: Counts) -> None:
    """Count what MySQLdb and mysql.connector send.

    Commit and rollback in C have no text; their calls count.
    """
    driver = "MySQLdb" if module.__name__.startswith("MySQLdb") else "mysql.connector"
    in_c = driver == "MySQLdb" or module.__name__.endswith("_cext")
    sends = "query" if driver == "MySQLdb" else "cmd_query"
    for kind in ("Connection", "MySQLConnection", "CMySQLConnection"):
        if isinstance(found := vars(module).get(kind), type) and found.__module__ == module.__name__:
            count_calls(found, sends, None, driver, counts)
            for ending in ("commit", "rollback") if in_c else ():
                count_calls(found, ending, ending.upper(), driver, counts)


def count_calls(kind: Any, method: str, text: str | None, driver: str, counts: Counts) -> None:
    real = getattr(kind, method)

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        counts.saw(driver, text or (args[0] if args else options.get("query", "")), MYSQL)
        return real(self, *args, **options)

    setattr(kind, method, counted)


COUNTED: dict[str, Callable[[ModuleType, Counts], None]] = {
    "_sqlite3": count_sqlite,
    "pysqlite3._sqlite3": count_sqlite,
    "sqlcipher3._sqlite3": count_sqlite,
    "pymysql.connections": count_commands,
    "aiomysql.connection": count_commands,
    "asyncmy.connection": count_commands,
    "MySQLdb.connections": count_queries,
    "mysql.connector.connection": count_queries,
    "mysql.connector.connection_cext": count_queries,
    "mysql.connector.aio.connection": count_queries,
}


class Patching:
    """A loader that patches its module after loading, so that its statements are counted."""

    def __init__(self, loader: Any, counts: Counts) -> None:
        self._loader = loader
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        patch(module, self._counts)


def patch(module: ModuleType, counts: Counts) -> None:
    """Count the statements of *module*. If that fails, it is recorded as a driver that is not counted."""
    done = False
    with suppress(Exception):
        COUNTED[module.__name__](module, counts)
        done = True
    if not done:
        counts.write(f"-{module.__name__}\n")


class Finder:
    """Finds modules as the other finders do, and detects drivers among them."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the next finder's result for a driver.

        None for any other module: other finders handle it.
        """
        if name not in COUNTED and name not in UNCOUNTED:
            return None
        others = (other for other in sys.meta_path if other is not self)
        specs = (other.find_spec(name, path, target) for other in others)
        spec = next(filter(None, specs), None)
        if spec and name in UNCOUNTED:
            self._counts.write(f"-{name}\n")
        elif spec and spec.loader:
            spec.loader = Patching(spec.loader, self._counts)  # type: ignore[assignment]
        return spec


def install(own_file: ProcessFile) -> None:
    counts = Counts(own_file)
    sys.meta_path.insert(0, Finder(counts))
    for name in COUNTED.keys() & sys.modules.keys():
        patch(sys.modules[name], counts)
    for name in UNCOUNTED & sys.modules.keys():
        counts.write(f"-{name}\n")
    os.register_at_fork(after_in_child=counts.begin_again)
