"""Contenders with and without a practice answer alike, and do what the practice is."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from itertools import product
from pathlib import Path
from shutil import which

import psutil
import pytest

from bench.errors import UsageError
from bench.model.contender import Contender
from bench.project import contenders
from bench.run.verification import verify
from bench.runtime import Server
from bench.runtime.process import ProcessRuntime
from tests.support.own_contenders import prepared

ROOT = Path(__file__).parents[2]
BASES = ("django", "django-drf", "flask", "fastapi", "fastapi-def")
SWITCHES = ("pool", "eager", "batch", "index", "orm")
ADDED = ("cache", "sessions", "http_cache", "serializer")
OFF = [
    f"{base}:{switch}=off"
    for base, switch in product(BASES, SWITCHES)
    if switch != "orm" or base not in ("django-drf", "fastapi-def")  # they are other views themselves
]
# Switches that make a contender that is there. tests/whole/test_end_to_end.py holds that to the contract.
THERE = {
    "django:middleware=stock": "django-default",
    "django:async=on": "django-asgi",
    "fastapi:async=off": "fastapi-def",
}
CACHING = BASES[:-1]
# All that can be on at once.
CACHED = {
    "redis": [f"{base}:cache=redis,sessions=redis,http_cache=on,serializer=orjson" for base in CACHING],
    "memcached": [f"{base}:cache=memcached" for base in CACHING],
}
HAS_MEMCACHED = which("memcached") is not None
EACH_CACHE = [
    "redis",
    pytest.param("memcached", marks=pytest.mark.skipif(not HAS_MEMCACHED, reason="memcached is not on PATH")),
]
TABLES = contenders.declared(ROOT)


@pytest.mark.parametrize("base", ["django", "flask", "fastapi"])
def test_every_framework_has_the_same_switches(base):
    assert tuple(TABLES[base].overlay["switch"])[: len(SWITCHES + ADDED)] == SWITCHES + ADDED


def test_a_switch_is_one_difference():
    for name in OFF:
        on, off = contenders.resolve(name.partition(":")[0], TABLES), contenders.resolve(name, TABLES)
        assert (on.command, on.stack, on.services) == (off.command, off.stack, off.services)
        assert len(off.env.items() - on.env.items()) + len(off.sql) - len(on.sql) == 1
    for base, switch in product(CACHING, ADDED):
        for value in TABLES[base.partition("-")[0]].overlay["switch"][switch]:
            off, on = (contenders.resolve(name, TABLES) for name in (base, f"{base}:{switch}={value}"))
            assert (on.command, on.stack, on.sql) == (off.command, off.stack, off.sql)
            assert len(on.env.items() - off.env.items()) == 1


@pytest.mark.parametrize(("name", "there"), THERE.items())
def test_a_switch_that_makes_a_contender_that_is_there_makes_it_alike(name, there):
    one, other = (contenders.resolve(each, TABLES) for each in (name, there))
    assert replace(one, name=there, base=there, stack=other.stack) == other


@pytest.mark.parametrize(
    "name", ["django-drf:orm=off", "fastapi-def:orm=off", "fastapi-def:async=off", "fastapi-def:cache=redis"]
)
def test_a_switch_that_would_make_another_contender_is_refused(name):
    with pytest.raises(UsageError, match="is unknown"):
        contenders.resolve(name, TABLES)


@pytest.mark.slow
def test_what_is_answered_does_not_depend_on_a_practice_that_is_off(tmp_path):
    """All that can be off at once is: what is wrong alone is wrong among others."""
    switches = {
        base: ",".join(name.partition(":")[2] for name in OFF if name.partition(":")[0] == base)
        for base in BASES
    }
    together = [f"{base}:{off}" for base, off in switches.items()]
    with prepared(together, tmp_path) as (asked, runtime):
        found = {one.contender: one.differences for one in verify(asked, runtime, tmp_path / "memory")}
    assert found == {one.name: () for one in asked}


@dataclass(frozen=True)
class Up:
    """Servers of each app with and without a cache, for several tests: as a runtime, it has started them."""

    cache: str
    cached: Sequence[Contender]
    servers: Mapping[str, Server]
    runtime: ProcessRuntime

    def lacks(self, contender):
        return self.runtime.lacks(contender)

    def check(self):
        self.runtime.check()

    @contextmanager
    def serve(self, contenders, *, hash_seed, timed):
        for one in contenders:
            self.servers[one.name].reset_data()
        yield {one.name: self.servers[one.name] for one in contenders}


@pytest.fixture(scope="module", params=EACH_CACHE)
def up(request, tmp_path_factory):
    names = (*CACHING, *CACHED[request.param])
    with (
        prepared(names, tmp_path_factory.mktemp("up")) as (asked, runtime),
        runtime.serve(asked, hash_seed=0, timed=False) as servers,
    ):
        yield Up(request.param, asked[len(CACHING) :], servers, runtime)


def answers(address, path, times):
    """Return the headers of answers to one client, one after another."""
    with closing(HTTPConnection(*address, timeout=10)) as connection:
        for _ in range(times):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            yield answer.headers


@pytest.mark.slow
def test_a_switch_does_what_it_says(up):
    for name, server in up.servers.items():
        on = name in CACHED[up.cache]
        seen = [headers["Cache-Status"] for headers in answers(server.address, "/posts", 2)]
        assert seen == (["posts; fwd=miss", "posts; hit"] if on else [None, None])
        (user,) = answers(server.address, "/users/1", 1)
        assert bool(user["ETag"]) == ("http_cache" in name)


@pytest.mark.slow
def test_what_is_answered_does_not_depend_on_what_is_on(up, tmp_path):
    found = {one.contender: one.differences for one in verify(up.cached, up, tmp_path / "memory")}
    assert found == {one.name: () for one in up.cached}


@pytest.mark.slow
def test_without_its_cache_an_app_serves_on_and_says_so(up):
    """It ends the caches, so it comes last."""
    for server in (up.servers[one.name] for one in up.cached):
        kind = "valkey" if up.cache == "redis" else up.cache
        for pid in server.services.parts[kind].child.pids():
            os.kill(pid, signal.SIGKILL)
            psutil.Process(pid).wait(timeout=10)
        (headers,) = answers(server.address, "/posts", 1)
        assert headers["Cache-Status"] == "posts; fwd=bypass"
        assert "no cache, served without" in server.log_tail()
