"""MariaDB truly runs here, once for the module, where it is installed."""

import shutil
import subprocess
import time
from contextlib import ExitStack, nullcontext

import psutil
import pymysql
import pytest

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.runtime.leftovers import Ledger
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime
from bench.runtime.services.copies import Copies
from bench.runtime.services.mysql import SETTINGS, missing, mysql
from bench.runtime.services.mysql_databases import PREPARED, kept
from bench.runtime.services.service import ProcessPlace

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"no MariaDB: {missing()}")

SCHEMA = """
CREATE TABLE users (
    id bigint AUTO_INCREMENT PRIMARY KEY,
    name varchar(100) NOT NULL,
    email varchar(200) NOT NULL UNIQUE
);
CREATE TABLE `Posts` (
    id bigint AUTO_INCREMENT PRIMARY KEY,
    `order` bigint NOT NULL,
    title text NOT NULL,
    length int AS (char_length(title)) STORED,
    CONSTRAINT written FOREIGN KEY (`order`) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE audit (id int AUTO_INCREMENT PRIMARY KEY, said text);
CREATE TABLE zeros (id int AUTO_INCREMENT PRIMARY KEY, day date);
CREATE VIEW a_view AS SELECT id, shout(name) AS name FROM b_view;
CREATE VIEW b_view AS SELECT id, name FROM users;
"""
# What only a client understands, and what mysqldump writes: DELIMITER, makers, the name of a database.
SCHEMA = (
    "/*M!999999\\- enable the sandbox mode */\n"
    "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` ;\nUSE `shop`;\n"
    + SCHEMA.replace("CREATE VIEW a_view", "__LATER__", 1).split("__LATER__")[0]
    + """
DELIMITER ;;
CREATE DEFINER=`nobody_here`@`%` FUNCTION shout(said text) RETURNS text DETERMINISTIC
BEGIN RETURN concat(upper(said), '!'); END ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 TRIGGER audited AFTER INSERT ON users FOR EACH ROW
BEGIN INSERT INTO audit (said) VALUES (NEW.name); END */;;
DELIMITER ;
CREATE VIEW b_view AS SELECT id, name FROM users;
CREATE VIEW a_view AS SELECT id, shout(name) AS name FROM b_view;
"""
)
SEED = """
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
INSERT INTO users (name, email)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
SELECT concat('User ', n), concat('user', n, '@example.com') FROM n;
INSERT INTO `Posts` (`order`, title) SELECT id, 'Title 100%; DELIMITER ;;' FROM users WHERE id <= 50;
INSERT INTO zeros VALUES (0, '0000-00-00'), (7, '2020-01-01');
ALTER TABLE users AUTO_INCREMENT = 5001;
"""
TEXTS = {"schema.sql": SCHEMA, "seed.sql": SEED}
STATE = """
SELECT (SELECT count(*) FROM users), (SELECT sum(crc32(concat(id, name, email))) FROM users),
       (SELECT sum(crc32(concat(id, `order`, title, length))) FROM `Posts`), (SELECT count(*) FROM audit),
       (SELECT group_concat(id, day ORDER BY id) FROM zeros)
"""


def place(folder):
    return ProcessPlace(ledger=Ledger(folder), scratch=folder, logs=folder, cores=None)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("mysql")
    with mysql(place(scratch)) as server:
        yield server


@pytest.fixture
def database(server):
    with server.databases.copied(server.databases.template(TEXTS), "shop", {}) as database:
        yield database


def connect(database):
    found = database.placeholders()
    return pymysql.connect(
        host=found["database_host"],
        port=found["database_port"],
        user=found["database_user"],
        password=found["database_password"],
        database=found["database_name"],
        autocommit=True,
    )


def ask(session, statement):
    with session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def run(database, statement):
    session = connect(database)
    try:
        return ask(session, statement)
    finally:
        session.close()


def made(database):
    return run(database, "SELECT id FROM users WHERE email = 'new'")[0]


def test_a_copy_is_queried_and_not_written_to(database):
    query = "SELECT name FROM users WHERE name LIKE 'User 1%' ORDER BY id"
    assert [*database.query(query, 2)] == [("User 1",), ("User 10",)]
    for wrong, words in (
        ("SELECT no FROM users", "Unknown column 'no'"),
        ("DELETE FROM users", "READ ONLY transaction"),
    ):
        with pytest.raises(CannotMeasure, match=words):
            database.query(wrong, 2)


def test_a_copy_holds_what_the_texts_made(database):
    assert run(database, "SELECT count(*), max(id) FROM users") == (1000, 1000)
    assert run(database, "SELECT name FROM a_view WHERE id = 7") == ("USER 7!",)
    assert run(database, "SELECT title, length FROM `Posts` WHERE id = 50") == (
        "Title 100%; DELIMITER ;;",
        24,
    )
    assert run(database, "SELECT group_concat(id, ' ', day ORDER BY id) FROM zeros") == (
        "0 0000-00-00,7 2020-01-01",
    )
    run(database, "INSERT INTO users (name, email) VALUES ('x', 'new')")
    assert made(database) == 5001
    assert run(database, "SELECT said FROM audit ORDER BY id DESC LIMIT 1") == ("x",)


def dumped(server, database):
    """Return what the server's own program for dumps says of a database, without what differs each time."""
    program = shutil.which("mariadb-dump") or shutil.which("mysqldump")
    where = [
        "--protocol=tcp",
        "--host=127.0.0.1",
        f"--port={server.databases.port}",
        f"--user={database.name}",
    ]
    what = ["--routines", "--triggers", "--events", "--skip-dump-date", database.name]
    env = {"MYSQL_PWD": server.databases.password}
    done = subprocess.run([program, "--no-defaults", *where, *what], env=env, capture_output=True, check=True)
    return [line for line in done.stdout.split(b"\n") if database.name.encode() not in line]


MORE = """
CREATE EVENT never ON SCHEDULE EVERY 1 DAY DO DELETE FROM audit;
CREATE TRIGGER second BEFORE INSERT ON users FOR EACH ROW FOLLOWS first SET NEW.name = concat(NEW.name, '2');
ALTER TABLE zeros ADD COLUMN payload longblob, ADD COLUMN at timestamp NULL, ADD INDEX by_day (day);
UPDATE zeros SET payload = x'00ff0d0a1a5c27', at = '2024-02-29 12:00:00' WHERE id = 7;
"""


def test_a_dump_is_a_schema_as_it_lies_and_a_copy_dumps_the_same_again(server, tmp_path):
    first = "CREATE TRIGGER first BEFORE INSERT ON users FOR EACH ROW SET NEW.name = concat(NEW.name, '1');"
    more = first + MORE + ("CREATE SEQUENCE tickets START 7;" * (server.databases.title == "MariaDB"))
    with server.databases.copied(server.databases.template({**TEXTS, "more.sql": more}), "", {}) as database:
        told = dumped(server, database)
    (tmp_path / "dump.sql").write_bytes(b"\n".join(told))
    service = Copies(lambda _: nullcontext(server), ExitStack())
    facts = {"base": "tiny", "app": "tiny_app", "stack": "Tiny", "interface": "http", "server": "tiny"}
    one = Contender(
        **facts, name="tiny", root=str(tmp_path), folder="", schema=("dump.sql",), command="serve"
    )
    service.prepare(one)
    with service.given([one]) as given:
        other = next(given)
        assert dumped(server, other) == told
        assert run(other, "SELECT hex(payload) FROM zeros WHERE id = 7") == ("00FF0D0A1A5C27",)
        run(other, "INSERT INTO users (name, email) VALUES ('x', 'new')")
        run(other, "DELETE FROM `Posts`")
        assert run(other, "SELECT name, id FROM users WHERE email = 'new'") == ("x12", 5001)
        assert other.reset() is None
        assert dumped(server, other) == told
    assert len(told) > 150


def test_the_same_texts_make_one_template(server):
    first = server.databases.template(TEXTS)

    assert server.databases.template(dict(TEXTS)) == first
    assert server.databases.template({"schema.sql": SCHEMA}) != first


def test_copies_do_not_see_each_other(server, database):
    with server.databases.copied(server.databases.template(TEXTS), "sibling", {}) as sibling:
        assert sibling.url != database.url
        run(sibling, "DELETE FROM users")

        assert run(database, "SELECT count(*) FROM users") == (1000,)
        assert run(database, "SELECT count(*) FROM b_view") == (1000,)


def test_a_reset_puts_every_row_and_the_next_ids_back(database):
    before = run(database, STATE)
    for _ in range(2):
        run(database, "DELETE FROM users WHERE id % 3 = 0")
        run(database, "UPDATE users SET name = 'other'")
        run(database, "INSERT INTO users (name, email) VALUES ('x', 'new')")
        run(database, "INSERT INTO `Posts` (`order`, title) VALUES (1, 'new')")
        run(database, "TRUNCATE zeros")
        assert run(database, STATE) != before

        assert database.reset() is None

        assert run(database, STATE) == before
    run(database, "INSERT INTO users (name, email) VALUES ('x', 'new')")
    assert made(database) == 5001
    assert run(database, "SELECT count(*) FROM audit") == (before[3] + 1,)


@pytest.mark.parametrize("statement", ["TRUNCATE zeros", "DELETE FROM zeros", "UPDATE zeros SET day = NULL"])
def test_a_reset_sees_each_way_of_changing_a_table(database, statement):
    before = run(database, STATE)
    run(database, statement)
    assert database.reset() is None
    assert run(database, STATE) == before


def test_a_failed_insert_takes_a_number_which_a_reset_gives_back(database):
    with pytest.raises(pymysql.err.IntegrityError):
        run(database, "INSERT INTO users (name, email) VALUES ('x', 'user1@example.com')")
    assert database.reset() is None
    run(database, "INSERT INTO users (name, email) VALUES ('x', 'new')")
    assert made(database) == 5001


def test_a_reset_works_under_live_connections(database):
    live = connect(database)
    ask(live, "PREPARE counted FROM 'SELECT count(*) FROM users'")
    assert ask(live, "EXECUTE counted") == (1000,)
    ask(live, "DELETE FROM users WHERE id > 10")

    assert database.reset() is None

    assert ask(live, "EXECUTE counted") == (1000,)
    assert ask(live, "SELECT count(*) FROM `Posts`") == (50,)
    live.close()


def test_foreign_keys_hold_again_after_a_reset(database):
    run(database, "DELETE FROM users WHERE id = 1")
    database.reset()

    run(database, "DELETE FROM users WHERE id = 1")
    assert run(database, "SELECT count(*) FROM `Posts` WHERE `order` = 1") == (0,)
    with pytest.raises(pymysql.err.IntegrityError, match="written"):
        run(database, "INSERT INTO `Posts` (`order`, title) VALUES (0, 'nobody')")


def test_a_reset_keeps_what_a_contenders_own_sql_made(server):
    extra = {
        "own sql": "ALTER TABLE users ADD COLUMN age int DEFAULT 7; CREATE TABLE more AS SELECT 1 AS one"
    }
    with server.databases.copied(server.databases.template(TEXTS), "with-extras", extra) as database:
        run(database, "UPDATE users SET age = 8")
        run(database, "DELETE FROM more")

        assert database.reset() is None

        assert run(database, "SELECT min(age), max(age), count(*) FROM users") == (7, 7, 1000)
        assert run(database, "SELECT * FROM more") == (1,)


def test_what_the_server_made_at_its_start_is_kept_and_put_back(server, database):
    run(database, "CREATE TABLE sessions (id int AUTO_INCREMENT PRIMARY KEY, said text)")
    run(database, "INSERT INTO sessions (said) VALUES ('at start')")
    run(database, "INSERT INTO users (name, email) VALUES ('x', 'new')")
    if server.databases.title == "MariaDB":
        run(database, "CREATE SEQUENCE tickets")
        first = run(database, "SELECT nextval(tickets)")
    database.keep()
    before = run(database, STATE)
    for _ in range(2):
        run(database, "DELETE FROM users")
        run(database, "INSERT INTO sessions (said) VALUES ('later')")
        if server.databases.title == "MariaDB":
            after = run(database, "SELECT nextval(tickets)")
            assert after > first
        assert database.reset() is None
        assert run(database, STATE) == before
        assert run(database, "SELECT group_concat(said) FROM sessions") == ("at start",)
    if server.databases.title == "MariaDB":
        assert run(database, "SELECT nextval(tickets)") == (1001,)  # numbers that were reserved are gone


def test_tables_that_came_after_it_was_ready_stay_and_are_empty(database):
    database.keep()
    run(
        database,
        "CREATE TABLE late (id int AUTO_INCREMENT PRIMARY KEY, of_user bigint REFERENCES users (id))",
    )
    for _ in range(2):
        run(database, "INSERT INTO late (of_user) VALUES (1)")
        assert run(database, "SELECT id FROM late") == (1,)
        assert database.reset() is None
        assert run(database, "SELECT count(*) FROM late") == (0,)


def test_nothing_is_kept_anew_where_a_server_only_reads_at_its_start(server, database):
    run(database, STATE)
    database.keep()
    with server.databases.session() as session:
        assert ask(session, f"SHOW DATABASES LIKE '{kept(database.name)}'") is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET name = 'x' WHERE id = 1",
        "DELETE FROM users WHERE id = 500",
        "TRUNCATE zeros",
        "CREATE TABLE another (a int)",
        "ALTER TABLE users ADD COLUMN age int",
        "DROP TABLE zeros",
        "REPLACE INTO zeros VALUES (7, NULL)",
    ],
)
def test_its_version_changes_at_once_with_any_write_and_not_with_reading(server, database, statement):
    live = connect(database)
    ask(live, "SELECT count(*) FROM users")
    first = database.data_version()
    for _ in range(3):
        ask(live, "SELECT * FROM users WHERE id = 7")
        ask(live, "BEGIN")
        ask(live, "SELECT count(*) FROM a_view")
        ask(live, "COMMIT")
    assert database.data_version() == first
    with server.databases.copied(server.databases.template(TEXTS), "someone-else", {}) as sibling:
        run(sibling, "DELETE FROM users")
    assert database.data_version() == first
    ask(live, statement)
    assert database.data_version() != first
    live.close()


def test_what_stands_in_the_way_of_a_reset_is_reported_and_the_database_goes_on(database):
    run(database, "DROP TABLE `Posts`")
    assert database.reset() == "its database: table Posts is not there any more"
    assert run(database, "SELECT count(*) FROM users") == (1000,)


def test_a_changed_table_is_reported_and_left_as_it_is(database):
    run(database, "ALTER TABLE users DROP COLUMN email")
    assert database.reset() == "its database: table users has other columns by now"
    assert run(database, "SELECT count(*) FROM users") == (1000,)


def test_its_own_looks_are_in_no_count_of_statements(database):
    before = database.statements()
    database.data_version()
    run(database, "DELETE FROM zeros")
    database.keep()
    run(database, "DELETE FROM users")
    database.reset()
    added = {text: calls for text, calls in database.statements().items() if calls != before.get(text)}
    assert {text for text in added if not text.startswith("SET ")} == {
        "DELETE FROM `zeros` ",
        "DELETE FROM `users` ",
    }


def test_statements_are_counted_for_its_own_clients_alone_transactions_included(server, database):
    with server.databases.copied(server.databases.template(TEXTS), "asked-too", {}) as sibling:
        live = connect(database)
        before = database.statements()
        for number in (1, 2):
            ask(live, "BEGIN")
            ask(live, f"SELECT name FROM users WHERE id = {number}")
            ask(live, "COMMIT")
        run(sibling, "DELETE FROM users")
        after = database.statements()
        live.close()

    ran = {text: calls - before.get(text, 0) for text, calls in after.items() if calls != before.get(text)}
    assert sorted(ran.values()) == [2, 2, 2]
    assert any("FROM `users` WHERE" in text for text in ran)


def prepared(session, statement):
    """Prepare by the binary protocol, as many drivers do; return what executes it, and what closes it."""
    session._execute_command(0x16, statement)
    number = session._read_packet().read_all()[1:5]
    for _ in range(2):  # the definition of its only column, and its end
        session._read_packet()

    def execute():
        session._execute_command(0x17, number + b"\0\1\0\0\0")
        session._read_packet()
        while not session._read_packet().is_eof_packet():
            pass
        while not session._read_packet().is_eof_packet():
            pass

    return execute, lambda: session._execute_command(0x19, number)


def test_prepared_statements_are_counted_too(database):
    live = connect(database)
    execute, close = prepared(live, "SELECT count(*) FROM users")
    execute()
    before = database.statements()
    for _ in range(3):
        execute()
    close()
    ask(live, "SELECT 1")
    after = database.statements()
    assert before[PREPARED] == 1
    assert {text: calls for text, calls in after.items() if calls != before.get(text)} == {
        PREPARED: 4,
        "SELECT ? ": 1,
    }
    live.close()


def test_a_failure_of_whoever_uses_a_copy_is_not_told_as_the_servers(server):
    with (
        pytest.raises(FileNotFoundError, match="no such plan"),
        server.databases.copied(server.databases.template({}), "", {}),
    ):
        raise FileNotFoundError("no such plan")


def test_an_empty_database_can_be_reset(server):
    with server.databases.copied(server.databases.template({}), "empty", {}) as database:
        assert database.reset() is None


def test_a_copy_and_what_was_kept_of_it_are_dropped_whoever_is_connected(server):
    with server.databases.copied(server.databases.template(TEXTS), "short-lived", {}) as database:
        live = connect(database)
        ask(live, "DELETE FROM zeros")
        database.keep()
        ask(live, "BEGIN")
        ask(live, "SELECT count(*) FROM users")
    with pytest.raises(pymysql.MySQLError):
        ask(live, "SELECT count(*) FROM users")
    with server.databases.session() as session:
        assert ask(session, "SHOW DATABASES LIKE 'bench\\_%'") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\n\nSELECT * FROM nowhere;", r"^seed\.sql line 3: Table '.*nowhere' doesn't exist$"),
        ("INSERT INTO users VALUES (1, NULL, '')", r"^seed\.sql line 1: Column 'name' cannot be null"),
        ("SELEC 1", r"^seed\.sql line 1: You have an error in your SQL syntax"),
    ],
)
def test_a_mistake_in_a_users_sql_is_reported_with_its_file_and_line(server, text, message):
    with pytest.raises(CannotMeasure, match=message):
        server.databases.template({"schema.sql": SCHEMA, "seed.sql": text})


def test_it_runs_with_the_settings_that_the_facts_tell(server, database):
    session = connect(database)
    with session.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES")
        found = dict(cursor.fetchall())
    session.close()
    assert server.facts()["settings"] == SETTINGS
    assert server.facts()["version"][0].isdigit()
    assert found["event_scheduler"] == found["innodb_stats_auto_recalc"] == found["log_bin"] == "OFF"
    assert found["bind_address"] == "127.0.0.1"
    assert found["innodb_flush_method"] == "nosync"
    assert int(found["max_connections"]) == 2000


def test_a_wrong_password_is_refused(server, database):
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(host="127.0.0.1", port=server.databases.port, user=database.name, password="guess")
    for user in ("root", "", "bench"):
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            pymysql.connect(host="127.0.0.1", port=server.databases.port, user=user)


def test_a_server_that_cannot_start_says_why(tmp_path):
    wrong = {**SETTINGS, "innodb-buffer-pool-size": "256M", "no-such-setting": "1"}
    with (
        pytest.raises(CannotMeasure, match=r"(MariaDB|MySQL) ended with exit status \d+ \(.*no-such-setting"),
        mysql(place(tmp_path), wrong),
    ):
        pytest.fail("started")


SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_runtime_gives_each_contender_its_own_database_and_says_when_mysql_dies(tmp_path):
    app = tmp_path / "apps" / "tiny_app"
    app.mkdir(parents=True)
    (app / "requirements.txt").touch()
    (app / "server.py").write_text(SERVER)
    for name, text in TEXTS.items():
        (tmp_path / "apps" / name).write_text(text)
    facts = {"base": "tiny", "app": "tiny_app", "root": str(tmp_path), "stack": "Tiny", "interface": "wsgi"}
    one, two = (
        Contender(**facts, name=name, server="tiny", command="python server.py", services=(service,), sql=sql)
        for name, service, sql in (("one", "mysql", ()), ("two", "mysql", ("DELETE FROM users",)))
    )

    with ProcessRuntime(
        project=tmp_path, placement=placed(None), scratch=tmp_path / "run", logs=tmp_path / "logs"
    ) as runtime:
        runtime.prepare([one, two])
        assert runtime.facts()["services"]["mysql"]["from"] == "PATH"
        with runtime.serve([one, two], hash_seed=1) as servers:
            first, second = (servers[name].services.parts["mysql"] for name in ("one", "two"))
            assert servers["one"].statement_source().by == "MySQL"
            run(first, "DELETE FROM users")
            servers["one"].reset_data()
            servers["two"].reset_data()
            assert run(first, "SELECT count(*) FROM users") == (1000,)
            assert run(second, "SELECT count(*) FROM users") == (0,)
            runtime.check()

            (pid, *_) = runtime.database_pids()
            psutil.Process(pid).kill()
            deadline = time.monotonic() + 5
            while runtime.database_pids() and time.monotonic() < deadline:
                time.sleep(0.02)
            with pytest.raises(CannotMeasure, match=r"(MariaDB|MySQL) killed by signal 9"):
                runtime.check()
            with pytest.raises(CannotMeasure, match=r"(MariaDB|MySQL), database bench_"):
                servers["one"].reset_data()
    assert not list((tmp_path / "run").glob("run-*"))
