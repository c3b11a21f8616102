"""Files in a server's folder: real ones, some of them held open by a process of its own."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bench.runtime.folders import Folders
from bench.runtime.leftovers import Ledger
from bench.runtime.written_files import OwnFiles, open_databases
from tests.runtime.test_folders import contender, made

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process holds open")
HOLDING = """
import os, sys
file = os.open(sys.argv[1], eval(sys.argv[2]) | os.O_CREAT)
print("open", flush=True)
for line in sys.stdin:
    os.write(file, line.encode())
    print("written", flush=True)
"""


@pytest.fixture
def root(tmp_path):
    root = made(tmp_path / "project")
    (root / "apps" / "tiny_app" / "notes.json").write_text("[]")
    with closing(sqlite3.connect(root / "data.db")) as database, database:
        database.execute("CREATE TABLE notes (text)")
    return root


@pytest.fixture
def folder(tmp_path, root):
    (tmp_path / "scratch").mkdir()
    with Folders(tmp_path / "scratch", Ledger(tmp_path / "scratch")) as folders:
        folders.prepare(contender(root), Path(sys.executable))
        with folders.given(contender(root)) as folder:
            yield folder


@pytest.fixture
def app(folder):
    return folder.project / "apps" / "tiny_app"


@pytest.fixture
def files(folder):
    return OwnFiles(folder=folder, at="apps/tiny_app")


@pytest.fixture
def holder():
    """Return a function that starts a process which holds a file open, and one that has it write."""
    running = []

    def start(file, flags):
        command = [sys.executable, "-c", HOLDING, str(file), flags]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        process.stdout.readline()

        def write(text):
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            process.stdout.readline()

        return process.pid, write

    yield start
    for process in running:
        process.kill()
        process.communicate()


def insert(file, text="x"):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO notes VALUES (?)", [text])


def rows(file):
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT text FROM notes").fetchall()


def test_new_changed_and_deleted_files_are_as_they_were_when_it_was_ready(files, app, folder):
    (app / "made-at-start.txt").write_text("start")
    files.keep()
    (app / "notes.json").write_text('["a note"]')
    (app / "made-at-start.txt").write_text("later")
    (app / "uploads" / "deep").mkdir(parents=True)
    (app / "uploads" / "deep" / "picture").write_bytes(b"1")
    (folder.home / "state").write_text("1")
    (app / "app.py").unlink()
    found = files.put_back()
    assert (found.known, found.left) == (True, ())
    assert (app / "notes.json").read_text() == "[]"
    assert (app / "made-at-start.txt").read_text() == "start"
    assert (app / "app.py").read_text() == "x = 1\n"
    assert not (app / "uploads").exists()
    assert not (folder.home / "state").exists()


def test_a_database_goes_back_to_what_the_server_made_at_its_start(files, app, folder):
    insert(folder.project / "data.db", "made at start")
    files.keep()
    for file in (folder.project / "data.db",):
        insert(file)
        insert(file)
    assert files.put_back().left == ()
    assert rows(folder.project / "data.db") == [("made at start",)]


def test_a_database_that_came_later_keeps_its_tables_and_loses_its_rows_each_time(files, app):
    files.keep()
    with closing(sqlite3.connect(app / "later.sqlite3", isolation_level=None)) as database:
        database.execute("CREATE TABLE notes (text)")
        for _ in range(2):
            database.execute("INSERT INTO notes VALUES ('x')")
            found = files.put_back()
            assert (found.known, found.left) == (True, ())
            assert database.execute("SELECT * FROM notes").fetchall() == []


def test_a_database_that_was_deleted_is_there_again(files, folder):
    files.keep()
    (folder.project / "data.db").unlink()
    assert files.put_back().left == ()
    assert rows(folder.project / "data.db") == []


def test_where_nothing_is_kept_in_files_nothing_is_known(tmp_path):
    root = made(tmp_path / "project")
    (tmp_path / "scratch").mkdir()
    with Folders(tmp_path / "scratch", Ledger(tmp_path / "scratch")) as folders:
        folders.prepare(contender(root), Path(sys.executable))
        with folders.given(contender(root)) as folder:
            files = OwnFiles(folder=folder, at="apps/tiny_app")
            files.keep()
            assert not files.put_back().known


def test_its_version_changes_with_its_data_and_with_nothing_else(files, app, folder):
    files.keep()
    first = files.version()
    rows(folder.project / "data.db")
    (app / "__pycache__").mkdir(exist_ok=True)
    (app / "__pycache__" / "x.pyc").write_bytes(b"")
    assert files.version() == first
    insert(folder.project / "data.db")
    assert (second := files.version()) != first
    (app / "notes.json").write_text("[1]")
    assert files.version() != second
    files.put_back()
    assert files.version() == files.version()


def test_reading_a_database_with_a_log_is_no_writing(files, folder):
    with closing(sqlite3.connect(folder.project / "data.db")) as database:
        database.execute("PRAGMA journal_mode = wal")
    files.keep()
    first = files.version()
    for _ in range(2):
        rows(folder.project / "data.db")
        assert files.version() == first
    insert(folder.project / "data.db")
    assert files.version() != first


def test_a_large_file_is_shared_by_all_servers_and_what_is_written_to_it_is_reported(tmp_path, root):
    with (root / "apps" / "tiny_app" / "model.bin").open("wb") as large:
        large.truncate(65 * 2**20)
    (tmp_path / "scratch").mkdir()
    with Folders(tmp_path / "scratch", Ledger(tmp_path / "scratch")) as folders:
        folders.prepare(contender(root), Path(sys.executable))
        with folders.given(contender(root)) as folder:
            files = OwnFiles(folder=folder, at="apps/tiny_app")
            files.keep()
            first = files.version()
            assert files.put_back().left == ()
            with (folder.at("apps/tiny_app") / "model.bin").open("r+b") as large:
                large.write(b"changed")
            assert files.version() != first
            assert files.put_back().left == ("model.bin is larger than 64 MiB",)
        with folders.given(contender(root)) as folder:
            assert (folder.at("apps/tiny_app") / "model.bin").stat().st_size == 65 * 2**20
    with (root / "apps" / "tiny_app" / "model.bin").open("rb") as large:
        assert large.read(7) == bytes(7)


@LINUX
def test_a_log_that_is_held_open_is_cut_and_goes_on_at_its_new_end(folder, app, holder):
    pid, write = holder(app / "app.log", "os.O_WRONLY | os.O_APPEND")
    write("ready")
    files = OwnFiles(folder=folder, at="apps/tiny_app", pids=lambda: (pid,))
    files.keep()
    first = files.version()
    write("GET /")
    assert files.version() == first
    assert files.put_back().left == ()
    assert (app / "app.log").read_text() == "ready\n"
    write("GET /again")
    assert (app / "app.log").read_text() == "ready\nGET /again\n"


@LINUX
def test_anything_else_that_is_held_open_is_left_and_reported(folder, app, holder):
    pid, write = holder(app / "store.bin", "os.O_RDWR")
    write("start")
    files = OwnFiles(folder=folder, at="apps/tiny_app", pids=lambda: (pid,))
    files.keep()
    assert files.put_back().left == ()
    write("more")
    assert files.put_back().left == ("store.bin is held open by its server",)
    assert (app / "store.bin").read_text() == "start\nmore\n"


@LINUX
def test_a_database_outside_of_its_folder_is_reported(folder, tmp_path, holder):
    with closing(sqlite3.connect(tmp_path / "far.db")) as database, database:
        database.execute("CREATE TABLE notes (text)")
    pid, _ = holder(tmp_path / "far.db", "os.O_RDWR")
    files = OwnFiles(folder=folder, at="apps/tiny_app", pids=lambda: (pid,))
    files.keep()
    assert files.put_back().left == ("far.db lies outside of its project's files",)


def test_a_database_that_is_locked_is_reported_and_the_others_are_put_back(files, app, folder):
    files.keep()
    with closing(sqlite3.connect(folder.project / "data.db", isolation_level=None)) as database:
        insert(folder.project / "data.db")
        database.execute("BEGIN IMMEDIATE")
        (app / "notes.json").write_text("[1]")
        assert files.put_back().left == ("data.db: database is locked",)
    assert (app / "notes.json").read_text() == "[]"
    assert os.path.exists(folder.project / "data.db")


@LINUX
def test_databases_are_found_by_who_holds_them_and_pipes_are_not_waited_for(tmp_path, holder):
    with closing(sqlite3.connect(tmp_path / "inside.db")) as database, database:
        database.execute("CREATE TABLE notes (text)")
    os.mkfifo(tmp_path / "pipe")
    first, _ = holder(tmp_path / "inside.db", "os.O_RDWR")
    second, _ = holder(tmp_path / "pipe", "os.O_RDWR")
    assert open_databases([first, second, 2**30]) == ["inside.db"]
