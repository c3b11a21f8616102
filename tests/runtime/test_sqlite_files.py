"""Real databases, put back under a connection that stays open."""

import sqlite3
from contextlib import closing

import pytest

from bench.runtime import sqlite_files
from bench.runtime.sqlite_files import NotPutBack, is_database, keep, put_back


@pytest.fixture(params=["delete", "wal"])
def live(request, tmp_path):
    with closing(sqlite3.connect(tmp_path / "app.sqlite", isolation_level=None)) as session:
        session.execute(f"PRAGMA journal_mode = {request.param}")
        session.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")
        session.execute("CREATE INDEX by_text ON notes (text)")
        session.execute("INSERT INTO notes (text) VALUES ('first')")
        yield session


@pytest.fixture
def kept(live, tmp_path):
    keep(tmp_path / "app.sqlite", tmp_path / "kept")
    return tmp_path / "kept"


def rows(session, table="notes"):
    return session.execute(f"SELECT * FROM {table}").fetchall()


def test_rows_ids_and_journal_are_as_they_were_kept(live, kept, tmp_path):
    journal = live.execute("PRAGMA journal_mode").fetchone()
    live.executemany("INSERT INTO notes (text) VALUES (?)", [("more" * 100,)] * 2000)
    live.execute("DELETE FROM notes WHERE id = 1")
    put_back(tmp_path / "app.sqlite", kept)
    assert rows(live) == [(1, "first")]
    assert live.execute("PRAGMA journal_mode").fetchone() == journal
    live.execute("INSERT INTO notes (text) VALUES ('next')")
    assert rows(live)[-1] == (2, "next")
    assert live.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_tables_that_came_later_stay_and_are_empty(live, kept, tmp_path):
    live.execute("CREATE TABLE later (a)")
    live.execute("INSERT INTO later VALUES (1)")
    live.execute("CREATE VIRTUAL TABLE found USING fts5(text)")
    live.execute("INSERT INTO found VALUES ('word')")
    live.execute("CREATE VIEW seen AS SELECT text FROM notes")
    put_back(tmp_path / "app.sqlite", kept)
    assert (rows(live, "later"), rows(live, "found"), rows(live, "seen")) == ([], [], [("first",)])
    live.execute("INSERT INTO found VALUES ('word')")
    put_back(tmp_path / "app.sqlite", kept)
    assert live.execute("SELECT * FROM found WHERE found MATCH 'word'").fetchall() == []


def test_a_database_that_was_not_there_is_emptied(live, tmp_path):
    live.execute("PRAGMA user_version = 7")
    put_back(tmp_path / "app.sqlite", tmp_path / "never")
    assert rows(live) == []
    assert live.execute("PRAGMA user_version").fetchone() == (7,)


def test_a_lock_is_waited_for_and_no_longer(live, kept, tmp_path):
    live.execute("BEGIN IMMEDIATE")
    live.execute("INSERT INTO notes (text) VALUES ('held')")
    with pytest.raises(NotPutBack, match=r"app\.sqlite: database is locked"):
        put_back(tmp_path / "app.sqlite", kept)
    live.execute("COMMIT")
    put_back(tmp_path / "app.sqlite", kept)
    assert rows(live) == [(1, "first")]


@pytest.mark.parametrize("change", ["ALTER TABLE notes ADD COLUMN more", "DROP INDEX by_text"])
def test_a_schema_that_changed_under_way_is_left_alone(live, kept, tmp_path, change):
    live.execute(change)
    live.execute("INSERT INTO notes (text) VALUES ('kept')")
    with pytest.raises(NotPutBack, match="was changed in its definition"):
        put_back(tmp_path / "app.sqlite", kept)
    assert len(rows(live)) == 2


def test_a_database_is_known_by_its_first_bytes(live, tmp_path):
    (tmp_path / "other.db").write_bytes(b"not one")
    assert is_database(tmp_path / "app.sqlite")
    assert not is_database(tmp_path / "other.db")
    assert not is_database(tmp_path / "nowhere")
    assert sqlite_files.LOCKED_S < 10
