"""SQL as people keep it for psql, pg_dump's plain output included: its parts for a server without psql."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench.errors import CannotMeasure

DUMP = re.compile(r"^-- PostgreSQL database dump$", re.MULTILINE)
CLUSTER = re.compile(r"^-- PostgreSQL database cluster dump$", re.MULTILINE)
# What may hold any text, the beginning of COPY with rows, and a command of psql itself.
TOKEN = re.compile(
    r"""
      (?<![\w$])E'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
    | (?<![\w$])\$(?P<tag>(?:[A-Z_]\w*)?)\$.*?\$(?P=tag)\$
    | --[^\n]* | /\*.*?\*/
    | (?P<copy>^COPY\s[^;]*?\bFROM\s+STDIN\b[^;\n]*;[ \t]*$)
    | (?P<command>^\\(?P<name>\w+)[^\n]*$)
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
END = re.compile(r"^\\\.[ \t]*$", re.MULTILINE)  # of the rows of a COPY
# psql's own commands that change nothing here: there is one database, and all are sent the same way.
LEFT_OUT = frozenset(
    {"connect", "c", "restrict", "unrestrict", "set", "unset", "echo", "encoding", "timing", "pset"}
)
# In a dump: the database is made already, has a schema `public`, and gets UTF-8.
OF_THE_DATABASE = re.compile(
    r"^(?:(?:CREATE|DROP|ALTER|COMMENT ON) DATABASE\b|(?:GRANT|REVOKE)\b[^;]*\bON DATABASE\b)[^;]*;",
    re.MULTILINE,
)
INSTEAD = {
    re.compile(r"^SET client_encoding = '[^']*';", re.MULTILINE): "SET client_encoding = 'UTF8';",
    re.compile(r"^CREATE SCHEMA public;", re.MULTILINE): "CREATE SCHEMA IF NOT EXISTS public;",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPart:
    """SQL to be run at once; if it has *rows*, it is a COPY that takes them."""

    sql: str
    line: int  # where it begins in its file
    rows: str | None = None


def is_dump(text: str) -> bool:
    return DUMP.search(text) is not None


def parts(source: str, text: str) -> Iterator[SqlPart]:
    """Yield what a server can run, in order. Raises CannotMeasure for what only psql could do."""
    if CLUSTER.search(text):
        raise CannotMeasure(
            f"{source} is of a whole server (pg_dumpall): dump its database alone with pg_dump"
        )
    dumped = is_dump(text)
    begin = place = 0
    while found := TOKEN.search(text, place):
        place = found.end()
        if not (found["copy"] or found["command"]):
            continue
        yield from _sql(text, begin, found.start(), dumped)
        line = _line(text, found.start())
        if found["copy"]:
            end = END.search(text, place)
            if end is None:
                raise CannotMeasure(
                    f"{source} line {line}: the rows of this COPY have no end, a line with \\."
                )
            yield SqlPart(sql=found["copy"], line=line, rows=text[place + 1 : end.start()])
            place = end.end()
        elif found["name"] not in LEFT_OUT:
            raise CannotMeasure(
                f"{source} line {line}: \\{found['name']} is a command of psql, not SQL: write what it does"
            )
        begin = place
    yield from _sql(text, begin, len(text), dumped)


def _sql(text: str, begin: int, end: int, dumped: bool) -> Iterator[SqlPart]:
    sql = text[begin:end]
    if dumped:
        sql = OF_THE_DATABASE.sub(lambda found: "\n" * found[0].count("\n"), sql)
        for pattern, instead in INSTEAD.items():
            sql = pattern.sub(instead, sql)
    if sql.strip():
        yield SqlPart(sql=sql, line=_line(text, begin))


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
