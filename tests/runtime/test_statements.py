"""Statements that drivers count in servers that truly run here, on sqlite and on stand-ins for MySQL."""

import importlib.util
import time
import urllib.request
from collections import Counter

import pytest

from bench.load.driver import LocustLoad
from bench.model.contender import Contender
from bench.model.scenario import Exchange, Scenario
from bench.run import statement_counts
from bench.runtime import hooks
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime

TOP = """
import http.server, json, os, sqlite3, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps(answer(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

def opened(**options):
    connection = sqlite3.connect("data.sqlite", **options)
    connection.execute("CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, name TEXT)")
    return connection
"""
END = """
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
# One statement for a thing, and for a list one for each of its five.
READS = """
local = threading.local()
opened().close()

def answer(path):
    if path == "/health":
        return {}
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect("data.sqlite")
    many = MANY if path.startswith("/things") else 0
    for one in range(many):
        local.connection.execute("SELECT name FROM things WHERE id = ? /* one */", (one,)).fetchall()
    return {"ok": True}
"""
ONE, FIVE = (TOP + READS.replace("MANY", many) + END for many in ("1", "5"))
PREFORKED = (
    TOP
    + """
def answer(path):
    if path != "/health":
        opened().execute("SELECT 1")
    return {}

server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
for _ in range(3):
    if not os.fork():
        server.serve_forever()
os.wait()
"""
)
FORKING = (
    TOP
    + """
import socketserver

def answer(path):
    if path != "/health":
        opened().execute("SELECT 1")
    return {}

class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    pass

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
)
TRACING = (
    TOP
    + """
seen = []

class Own(sqlite3.Connection):
    pass

def answer(path):
    if path == "/health":
        return {}
    connection = opened(factory=Own)
    connection.set_trace_callback(seen.append)
    connection.execute("SELECT 1")
    connection.set_trace_callback(None)
    sqlite3.Connection("data.sqlite").execute("SELECT 2, 3")
    return {"seen": seen, "own": type(connection).__name__, "is": isinstance(connection, sqlite3.Connection)}
"""
    + END
)
STATELESS = (
    TOP.replace("sqlite3, ", "")
    + "def answer(path):\n    return {'site': sys.modules['sitecustomize'].__file__}"
    + END
)
WITH_POSTGRESQL = STATELESS.replace("def answer", "import psycopg2\n\ndef answer")
MISSING = STATELESS.replace(
    "def answer", "try:\n    import asyncpg\nexcept ImportError:\n    pass\n\ndef answer"
)
BROKEN_BY_IT = STATELESS.replace(
    "import http", "import os\nif os.environ.get('BENCH_COUNTED'): os._exit(3)\nimport http", 1
)
MYSQL = (
    TOP
    + """
import asyncio, pymysql.connections, aiomysql.connection, MySQLdb.connections
from mysql.connector import connection, connection_cext

def answer(path):
    if path == "/health":
        return {}
    pymysql.connections.Connection()._execute_command(3, "SELECT 'it\\\\'s', 1 FROM `t1` WHERE a = \\"x\\"")
    pymysql.connections.Connection()._execute_command(1, "")
    asyncio.run(aiomysql.connection.Connection()._execute_command(3, "COMMIT"))
    MySQLdb.connections.Connection().query(b"SELECT 1")
    MySQLdb.connections.Connection().commit()
    connection.MySQLConnection().cmd_query("SELECT 2", raw=True)
    connection_cext.CMySQLConnection().cmd_query(query=b"SELECT 3")
    connection_cext.CMySQLConnection().rollback()
    return {}
"""
    + END
)
COMMANDS = "class Connection:\n    def _execute_command(self, command, sql):\n        return command"
LIBRARY = {
    "psycopg2.py": "",
    "pymysql/__init__.py": "",
    "pymysql/connections.py": COMMANDS,
    "aiomysql/__init__.py": "",
    "aiomysql/connection.py": COMMANDS.replace("def", "async def"),
    "MySQLdb/__init__.py": "",
    "MySQLdb/connections.py": """
class InC:
    def commit(self): pass
    def rollback(self): pass
class Connection(InC):
    def query(self, query): pass
""",
    "mysql/__init__.py": "",
    "mysql/connector/__init__.py": "",
    "mysql/connector/connection.py": "class MySQLConnection:\n    def cmd_query(self, query, raw=None): pass",
    "mysql/connector/connection_cext.py": """
class CMySQLConnection:
    def cmd_query(self, query, raw=None): pass
    def commit(self): pass
    def rollback(self): pass
""",
    "sitecustomize.py": "own = True",
}
SCRIPTS = {
    "one.py": ONE,
    "five.py": FIVE,
    "preforked.py": PREFORKED,
    "forking.py": FORKING,
    "tracing.py": TRACING,
    "stateless.py": STATELESS,
    "with_postgresql.py": WITH_POSTGRESQL,
    "missing.py": MISSING,
    "broken_by_it.py": BROKEN_BY_IT,
    "mysql_client.py": MYSQL,
    **{f"library/{name}": text for name, text in LIBRARY.items()},
}


def hook():
    spec = importlib.util.spec_from_file_location("hook", hooks.FOLDER / "bench_statements.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHAPE = hook()


@pytest.mark.parametrize(
    ("text", "shaped"),
    [
        (
            "SELECT a1, \"b 2\" FROM t3 WHERE x = 'it''s' AND y=-5.5e3",
            'SELECT a1, "b 2" FROM t3 WHERE x = ? AND y=?',
        ),
        ("select *\n  from t -- of 2026\n where id in (1, 2,3)", "select * from t where id in (?)"),
        ("select * from t where id in (7)", "select * from t where id in (?)"),
        ("INSERT INTO t (a, b) VALUES (1, NULL), (-2, 'x')", "INSERT INTO t (a, b) VALUES (?)"),
        ("SELECT 1 WHERE a IS NULL AND b = NULL", "SELECT ? WHERE a IS NULL AND b = ?"),
        ("UPDATE t SET d = x'00ff' /* trace=42 */ WHERE id = 0x1F;", "UPDATE t SET d = ? WHERE id = ?"),
        ("SELECT [1 2], `3` FROM t LIMIT 20 OFFSET 40", "SELECT [1 2], `3` FROM t LIMIT ? OFFSET ?"),
        ('SAVEPOINT "s1403_x1"', "SAVEPOINT ?"),
        ('ROLLBACK TO SAVEPOINT "s1403_x1"', "ROLLBACK TO SAVEPOINT ?"),
        ("RELEASE SAVEPOINT sa_savepoint_7", "RELEASE SAVEPOINT ?"),
        ("select 'unfinished", "select 'unfinished"),
        ("BEGIN ", "BEGIN"),
    ],
)
def test_a_statement_is_the_same_whatever_its_constants(text, shaped):
    assert SHAPE.shape(text) == shaped


@pytest.mark.parametrize(
    ("text", "shaped"),
    [
        ("SELECT \"it\\\"s\", 'a\\'b' FROM `t 1` # 2", "SELECT ?, ? FROM `t 1`"),
        ("INSERT INTO t VALUES (_binary'x', 3)", "INSERT INTO t VALUES (_binary?, ?)"),
    ],
)
def test_mysql_has_strings_of_its_own(text, shaped):
    assert SHAPE.shape(text, SHAPE.MYSQL) == shaped


def test_a_long_statement_takes_linear_time():
    began = time.process_time()
    SHAPE.shape("INSERT INTO t VALUES " + ", ".join(f"({one}, 'x')" for one in range(20_000)))
    assert time.process_time() - began < 2


@pytest.fixture
def project(tmp_path):
    for name, text in SCRIPTS.items():
        file = tmp_path / "apps" / "tiny_app" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "apps" / "tiny_app" / "requirements.txt").touch()
    return tmp_path


@pytest.fixture
def runtime(project, tmp_path):
    facts = {"placement": placed(None), "scratch": tmp_path / "run", "logs": tmp_path / "logs"}
    with ProcessRuntime(project=project, **facts) as runtime:
        yield runtime


@pytest.fixture
def contender(project):
    def make(script, python="python", **changes):
        return Contender(
            **{
                "name": script,
                "base": "tiny",
                "app": "tiny_app",
                "root": str(project),
                "stack": "Tiny",
                "interface": "wsgi",
                "server": "tiny",
                "command": f"{python} {script}.py",
                **changes,
            }
        )

    return make


def get(server, path="/things"):
    host, port = server.address
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5) as response:
        return response.read().decode()


def ran(server, requests=1):
    """Return what the requests had run, without what came before them."""
    before = Counter(server.statements())
    said = [get(server) for _ in range(requests)]
    time.sleep(0.1)
    return said[-1], dict(Counter(server.statements()) - before)


@pytest.fixture
def counting(runtime):
    """Return a function that serves one contender with its drivers counted, and calls *look* with it."""

    def serve(one, look, **options):
        runtime.prepare([one])
        with runtime.serve([one], hash_seed=0, **{"counting": "statements"} | options) as servers:
            return look(servers[one.name])

    return serve


def test_each_statement_of_sqlite_is_counted_once_for_each_time_it_runs(counting, contender):
    def look(server):
        assert server.statement_source().by == "driver"
        assert server.statement_source().drivers == ("sqlite3",)
        return ran(server, requests=3)[1]

    assert counting(contender("five"), look) == {"SELECT name FROM things WHERE id = ?": 15}


@pytest.mark.parametrize("script", ["preforked", "forking"])
def test_processes_that_were_forked_count_too(counting, contender, script):
    _, statements = counting(contender(script), lambda server: ran(server, requests=8))
    assert statements["SELECT ?"] == 8


def test_an_own_factory_and_trace_of_the_app_work_as_ever_and_are_counted(counting, contender):
    said, statements = counting(contender("tracing"), ran)
    assert said == '{"seen": ["SELECT 1"], "own": "Own", "is": true}'
    assert {text: calls for text, calls in statements.items() if "SELECT" in text} == {
        "SELECT ?": 1,
        "SELECT ?, ?": 1,
    }


def test_the_drivers_of_mysql_are_counted_with_what_ends_transactions(counting, contender):
    def look(server):
        _, statements = ran(server)
        return statements, server.statement_source().drivers

    statements, drivers = counting(contender("mysql_client", env={"PYTHONPATH": "library"}), look)
    assert statements == {
        "SELECT ?, ? FROM `t1` WHERE a = ?": 1,
        "COMMIT": 2,
        "SELECT ?": 3,
        "ROLLBACK": 1,
    }
    assert drivers == ("MySQLdb", "aiomysql", "mysql.connector", "pymysql")


@pytest.mark.parametrize(
    ("script", "python", "why"),
    [
        ("with_postgresql", "python", "it loads psycopg2, whose statements are not counted"),
        ("one", "python -I", "what listens on its port is no Python that reads PYTHONPATH"),
        ("one", "sh -c 'unset PYTHONPATH; exec python one.py; :'", "what listens on its port"),
    ],
)
def test_what_cannot_be_counted_is_said_with_the_reason(counting, contender, script, python, why):
    one = contender(script, python, env={"PYTHONPATH": "library"})
    source = counting(one, lambda server: (get(server), server.statement_source())[1])
    assert source.by is None
    assert source.why.startswith(why)


@pytest.mark.parametrize("script", ["stateless", "missing"])
def test_a_server_without_a_driver_is_counted_and_has_none(counting, contender, script):
    source = counting(contender(script), lambda server: (get(server), server.statement_source())[1])
    assert (source.by, source.drivers) == ("driver", ())


def test_a_sitecustomize_of_the_app_runs_as_ever(counting, contender):
    said = counting(contender("stateless", env={"PYTHONPATH": "library"}), get)
    assert said.endswith('library/sitecustomize.py"}')


def test_servers_that_are_timed_count_nothing(counting, contender):
    def look(server):
        get(server)
        return server.statements(), server.statement_source()

    statements, source = counting(contender("five"), look, counting=None)
    assert (statements, source.by) == ({}, None)


def test_one_statement_and_five_are_told_apart_by_what_each_request_has_run(runtime, contender, tmp_path):
    hello, things = (
        Exchange(name=name, method="GET", path=path)
        for name, path in (("hello", "/"), ("things", "/things/1"))
    )
    asked = Scenario(name="read", exchanges=(hello, things), weights=(1, 1))
    every = [contender("one"), contender("five"), contender("stateless"), contender("broken_by_it")]
    runtime.prepare(every)
    with LocustLoad() as load:
        found = list(
            statement_counts.count([(one, [asked]) for one in every], runtime, load, tmp_path / "memory")
        )
    told = {(one.contender, one.exchange): one for one in found}
    assert told["one", "things"].statements == {"SELECT name FROM things WHERE id = ?": 1.0}
    assert told["five", "things"].statements == {"SELECT name FROM things WHERE id = ?": 5.0}
    assert told["five", "hello"].per_request == 0.0
    assert told["five", "things"].drivers == ("sqlite3",)
    assert told["stateless", "hello"].unseen
    broken = told["broken_by_it", "hello"]
    assert broken.per_request is None
    assert broken.why.startswith("its server does not start while drivers are counted: broken_by_it ended")
