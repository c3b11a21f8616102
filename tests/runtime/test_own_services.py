"""A service that nobody knows in advance: another database, as an entry of the table would bring it."""

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import pytest

from bench.errors import CannotMeasure
from bench.model import Contender
from bench.runtime.services.copies import copies
from bench.runtime.services.own import opened
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
    def start():
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
        assert server.diary == ["copy two-1, 0 more"]
        neither, one = given
        assert two.environment() == {"TWO_URL": "invented:two-1", "QUEUE_URL": "invented:queue-two"}
        assert (neither.parts, neither.reset(), one.reset()) == ({}, None, None)
        assert two.counter is None
    assert server.diary[1:] == ["copy one-2, 1 more", "reset one-2", "drop one-2", "drop two-1"]


def test_what_one_part_leaves_is_told_after_all_are_reset(services, server):
    services.prepare(TWO)
    with services.given([TWO]) as given:
        (two,) = given
        assert two.reset() == "it is not empty"
    assert {"reset two-1", "reset queue-two"} <= set(server.diary)


def test_a_database_server_that_has_died_is_named(services, server):
    server.dead = True
    services.check()
    services.prepare(ONE)
    with pytest.raises(CannotMeasure, match="Invented killed by signal 9"):
        services.check()
