"""A service that nobody knows in advance: another database, as an entry of the table would bring it."""

import re
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.model.contender import Contender
from bench.runtime.services import mysql
from bench.runtime.services.copies import copies
from bench.runtime.services.mysql_client import portable
from bench.runtime.services.own import KINDS, known_services, lacking, opened, uncontained
from bench.runtime.services.service import OwnPart

FACTS = {"version": "1.0", "from": "a wheel", "settings": {"depth": "3"}}


@dataclass(frozen=True)
class Part(OwnPart):
    name: str
    diary: list
    left: str | None = None

    def environment(self):
        return {f"{self.name.partition('-')[0].upper()}_URL": f"invented:{self.name}"}

    def reset(self):
        self.diary.append(f"reset {self.name}")
        return self.left


@dataclass
class Server:
    """A database server, and its databases."""

    diary: list
    dead: bool = False
    child: None = None

    @property
    def databases(self):
        return self

    def template(self, texts):
        self.diary.append(f"template of {len(texts)}")
        return "template"

    @contextmanager
    def copied(self, template, name, texts):
        self.diary.append(f"copy {name}, {len(texts)} more")
        yield Part(name, self.diary)
        self.diary.append(f"drop {name}")

    def check(self):
        if self.dead:
            raise CannotMeasure("Invented killed by signal 9")

    def facts(self):
        return FACTS


@dataclass
class Queues:
    """A service that is no database."""

    diary: list

    def prepare(self, contender):
        self.diary.append(f"prepare {contender.name}")

    @contextmanager
    def given(self, contenders):
        yield (Part(f"queue-{one.name}", self.diary, left="it is not empty") for one in contenders)

    def check(self): ...

    def pids(self):
        return (7,)

    def facts(self):
        return None


def contender(name, *services, sql=()):
    facts = {"app": "tiny_app", "root": "nowhere", "stack": "Tiny", "interface": "wsgi", "server": "tiny"}
    return Contender(**facts, name=name, base=name, command="python server.py", services=services, sql=sql)


ONE, TWO = contender("one", "invented", sql=("DELETE",)), contender("two", "queue", "invented")
NEITHER = contender("neither")


@pytest.fixture
def server():
    return Server([])


@pytest.fixture
def services(server):
    @contextmanager
    def start(origin):
        server.diary.append("start")
        yield server
        server.diary.append("stop")

    with opened({"invented": copies(start), "queue": nullcontext(Queues(server.diary))}) as services:
        yield services
    assert server.diary[-1] == "stop"


def test_a_database_server_starts_with_the_first_contender_that_needs_it(services, server):
    services.prepare(NEITHER)
    assert (server.diary, services.facts(), services.pids()) == ([], {}, (7,))
    services.prepare(ONE)
    services.prepare(TWO)
    assert server.diary == ["start", "template of 0", "template of 0", "prepare two"]
    assert services.facts() == {"invented": FACTS}


def test_each_server_gets_its_own_parts_when_its_turn_comes(services, server):
    for one in (ONE, TWO):
        services.prepare(one)
    server.diary.clear()
    with services.given([TWO, NEITHER, ONE]) as given:
        two = next(given)
        assert server.diary == ["copy two-00001, 0 more"]
        neither, one = given
        assert two.environment() == {"TWO_URL": "invented:two-00001", "QUEUE_URL": "invented:queue-two"}
        assert (neither.parts, neither.reset(), one.reset()) == ({}, None, None)
        assert (two.counting_part, two.database) == (None, None)
    assert server.diary[1:] == [
        "copy one-00002, 1 more",
        "reset one-00002",
        "drop one-00002",
        "drop two-00001",
    ]


def test_what_one_part_leaves_is_told_after_all_are_reset(services, server):
    services.prepare(TWO)
    with services.given([TWO]) as given:
        (two,) = given
        assert two.reset() == "it is not empty"
    assert {"reset two-00001", "reset queue-two"} <= set(server.diary)


def test_a_database_server_that_has_died_is_named(services, server):
    server.dead = True
    services.check()
    services.prepare(ONE)
    with pytest.raises(CannotMeasure, match="Invented killed by signal 9"):
        services.check()


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({}, "neither mariadbd nor mysqld is on PATH or in /usr/sbin"),
        (
            {"mariadbd": "mariadbd  Ver 10.11.19-MariaDB"},
            "neither mariadb nor mysql is on PATH, the client of .*mariadbd",
        ),
        (
            {"mysqld": "mysqld  Ver 10.5.1-MariaDB", "mysql": ""},
            "mariadb-install-db is not on PATH, which makes the data folder of .*mysqld",
        ),
        ({"mysqld": "mysqld  Ver 9.1.0 for Linux", "mysql": ""}, "mysqld is MySQL 9, without the log-in"),
        ({"mysqld": "what?", "mysql": ""}, r"mysqld does not print its version \(what\?\)"),
    ],
)
def test_what_is_not_installed_of_mysql_is_named_with_the_remedy(tmp_path, there, message):
    why, remedy = mysql.missing(_installed(tmp_path, there))
    assert re.search(message, why)
    assert remedy == "install MariaDB (Debian, Ubuntu: apt install mariadb-server)"


@pytest.mark.parametrize(
    ("there", "title", "installer", "identified"),
    [
        (
            {"mysqld": "mysqld  Ver 8.4.3 for Linux", "mysql": ""},
            "MySQL",
            False,
            "WITH mysql_native_password BY",
        ),
        (
            {
                "mariadbd": "mariadbd  Ver 11.4.2-MariaDB",
                "mariadb": "",
                "mariadb-install-db": "",
                "mysqld": "",
            },
            "MariaDB",
            True,
            "IDENTIFIED BY",
        ),
    ],
)
def test_mysql_and_mariadb_are_told_apart(tmp_path, there, title, installer, identified):
    found = mysql.programs(_installed(tmp_path, there))
    assert (found.title, found.installer is not None) == (title, installer)
    assert found.identified.endswith(identified)


def _installed(folder, there):
    for name, says in there.items():
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_a_service_that_runs_in_no_container_says_what_to_use():
    assert uncontained(contender("one", "valkey", "mysql")) == (
        "MySQL runs in no container here: use --runtime process"
    )
    assert uncontained(contender("one", "postgres", "valkey")) is None


def test_one_remedy_names_containers_only_where_they_help():
    absent = ("it is not there", "install it")
    assert lacking(replace(KINDS["mysql"], missing=lambda: absent)) == absent
    assert lacking(replace(KINDS["memcached"], missing=lambda: absent)) == (
        "it is not there",
        "install it, or use --runtime compose",
    )


def test_two_databases_of_one_variable_are_refused():
    with pytest.raises(
        UsageError, match="one wants postgres and mysql: both give it a DATABASE_URL: keep one"
    ):
        known_services(contender("one", "postgres", "mysql"))


def test_a_dump_of_mysql_loses_what_binds_it_to_its_place_and_keeps_its_lines():
    dump = """/*M!999999\\- enable the sandbox mode */
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;
USE `shop`;
INSERT INTO t VALUES ('USE `shop`;'),('CREATE DEFINER=`a`@`b`');
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`app`@`10.%` SQL SECURITY DEFINER */
CREATE DEFINER = 'app'@'%' PROCEDURE p() SELECT 1;
"""
    lines = portable(dump).splitlines()
    assert lines == [
        *("", "", ""),
        "INSERT INTO t VALUES ('USE `shop`;'),('CREATE DEFINER=`a`@`b`');",
        "/*!50001 CREATE ALGORITHM=UNDEFINED */",
        "/*!50013 DEFINER=CURRENT_USER SQL SECURITY DEFINER */",
        "CREATE DEFINER=CURRENT_USER PROCEDURE p() SELECT 1;",
    ]
