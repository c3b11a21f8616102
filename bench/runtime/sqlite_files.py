"""SQLite databases: kept as they are, and reset by SQLite's backup while others are connected."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

MAGIC = b"SQLite format 3\0"
COMPANIONS = ("-wal", "-shm", "-journal")  # files that SQLite itself creates beside a database
LOCKED_S = 2.0  # how long to wait for another connection's lock
RETRY_S = 0.02


class NotPutBack(Exception):
    """Why data were not reset, for a message."""


def is_database(file: Path) -> bool:
    try:
        if not file.is_file():  # reading a pipe would block
            return False
        with file.open("rb") as opened:
            return opened.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def keep(live: Path, kept: Path) -> None:
    """Write the present content of *live* into *kept*. Raises NotPutBack if it cannot be read."""
    with _as_not_put_back(live), _opened(live) as source, closing(sqlite3.connect(kept)) as target:
        target.execute("PRAGMA synchronous = OFF")
        _copied(source, target)


def put_back(live: Path, kept: Path) -> None:
    """Give *live* the content of *kept*. Raises NotPutBack if that fails.

    Tables created since then are emptied, not dropped: their maker expects them to exist. If *kept* does not
    exist, the whole database is emptied.
    """
    with _as_not_put_back(live), _opened(live) as target:
        before = _objects_of(kept)
        now = _objects(target)
        if changed := [name for name, made in before.items() if now.get(name) != made]:
            raise NotPutBack(f"{changed[0]} in {live.name} was changed in its definition")
        new = [name for name in now if name not in before]
        if new or not kept.exists():
            kept = _with_new(kept, target, new)
        with closing(sqlite3.connect(kept)) as source:
            _copied(source, target)
        # Everything in the file again, as when it was kept. If another connection reads, this fails and the
        # log stays.
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def query(file: Path, sql: str, most: int) -> list[tuple[object, ...]]:
    """Return the first *most* rows of *sql*, which can only read. Raises sqlite3.Error."""
    with _opened(file) as session:
        session.execute("PRAGMA query_only = ON")
        return session.execute(sql).fetchmany(most)


def _objects_of(kept: Path) -> dict[str, str]:
    if not kept.exists():
        return {}
    with closing(sqlite3.connect(kept)) as session:
        return _objects(session)


def _objects(session: sqlite3.Connection) -> dict[str, str]:
    """Return tables, indexes, views and triggers with their SQL.

    Virtual tables come first: they make others.
    """
    found = session.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    made = {str(name): str(sql) for name, sql in found if not str(name).startswith("sqlite_")}
    return dict(sorted(made.items(), key=lambda item: "virtual" not in item[1].lower().split()[:2]))


def _with_new(kept: Path, live: sqlite3.Connection, new: list[str]) -> Path:
    """Return a copy of *kept* that also has the *new* objects of *live*, all empty."""
    copy = kept.with_name(f"{kept.name}-emptied")
    copy.unlink(missing_ok=True)
    if kept.exists():
        copy.write_bytes(kept.read_bytes())
    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        for name in ("page_size", "encoding", "auto_vacuum", "user_version", "application_id"):
            (value,) = live.execute(f"PRAGMA {name}").fetchone()
            target.execute(f"PRAGMA {name} = {value!r}")
        objects = _objects(live)
        for name in new:
            if name not in _objects(target):  # a virtual table makes some objects itself
                target.execute(objects[name])
    return copy


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Connect to an existing database. Its statements wait for a lock."""
    uri = f"{file.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=LOCKED_S, isolation_level=None)) as session:
        session.execute("PRAGMA synchronous = OFF")
        yield session


@contextmanager
def _as_not_put_back(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise NotPutBack(f"{file.name}: {error}") from error


def _copied(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    deadline = time.monotonic() + LOCKED_S

    def look(status: int, remaining: int, total: int) -> None:
        if time.monotonic() > deadline:  # by itself it would try for ever
            raise sqlite3.OperationalError("database is locked")

    source.backup(target, pages=-1, progress=look, sleep=RETRY_S)
