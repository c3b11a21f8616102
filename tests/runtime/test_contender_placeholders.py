"""What placeholders in a contender's command and env stand for, and what is said about a wrong one."""

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.model.contender import Contender
from bench.runtime import servers
from bench.runtime.services.caches import MEMCACHED, VALKEY
from bench.runtime.services.own import OwnServices, known_services
from bench.runtime.services.postgresql_databases import Database, Databases
from bench.runtime.services.service import OwnPart

URL = "postgresql://bench:secret@127.0.0.1:5001/shop-1"


class Held(OwnPart):
    """A cache's part, as far as it is named."""

    def __init__(self, kind, port):
        self.placeholders = lambda: kind.values(port)

    def environment(self):
        return {}


def database():
    databases = Databases(port=5001, password="secret")
    return Database(url=databases.url("shop-1"), name="shop-1", databases=databases, kept=None)


PARTS = {"postgres": database(), "valkey": Held(VALKEY, 5002), "memcached": Held(MEMCACHED, 5003)}


def contender(**facts):
    known = {"name": "shop", "base": "shop", "app": "shop_app", "root": "", "stack": "Shop"}
    return Contender(**known, **({"interface": "http", "server": "shop", "command": "serve"} | facts))


def filled(value, *services, **facts):
    parts = OwnServices(parts={name: PARTS[name] for name in services})
    one = contender(env={"KEY": value}, command="serve", **facts)
    values = servers.values(
        one, port=8000, services=parts, folder=Path("held/project/api"), data_dir=Path("held/data")
    )
    found = servers.environment(
        one, values, programs=Path("bin"), home=Path("home"), hash_seed=1, services=parts
    )
    return found["KEY"]


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("{host}:{port} {workers}x{threads}", "127.0.0.1:8000 2x8"),
        ("{data_dir}/media", "held/data/media"),
        ("{folder}/shop.cfg", "held/project/api/shop.cfg"),
        ("{database_url}", URL),
        ("{database_url:postgresql+asyncpg}?ssl=false", "postgresql+asyncpg" + URL[10:] + "?ssl=false"),
        (
            "{database_user}:{database_password}@{database_host}:{database_port}/{database_name}",
            "bench:secret@127.0.0.1:5001/shop-1",
        ),
        ("{redis_url} {redis_host} {redis_port}", "redis://127.0.0.1:5002/0 127.0.0.1 5002"),
        ("{valkey_url:valkey} {valkey_host} {valkey_port}", "valkey://127.0.0.1:5002/0 127.0.0.1 5002"),
        ("{memcached_address} {memcached_host} {memcached_port:06}", "127.0.0.1:5003 127.0.0.1 005003"),
        ('{{"a": {port}}}', '{"a": 8000}'),
    ],
)
def test_placeholders_of_a_server_and_of_its_services(value, result):
    assert filled(value, *PARTS, workers=2, threads=8) == result


@pytest.mark.parametrize(
    ("value", "services", "message"),
    [
        (
            "{databse_url}",
            ("postgres",),
            r"shop: env KEY: .*\{databse_url\} is unknown: \{host\} .*\{database_url",
        ),
        ("{database_url}", (), r"\{database_url\} needs a service: add postgres.* to its services"),
        ("{redis_url}", ("postgres",), r"\{redis_url\} needs a service: add valkey to its services"),
        ("{memcached_port}", (), "add memcached to its services"),
        ("{database_url:two words}", ("postgres",), "'two words' is no scheme"),
        ("{host.upper}", (), r"\{host.upper\} is unknown"),
        ("{port:{workers}}", (), "a placeholder within another"),
        ("{}", (), r"\{\} is unknown"),
        ("{", (), r"a brace is written twice"),
        ("{port!z}", (), r"a brace is written twice"),
    ],
)
def test_a_wrong_placeholder_is_a_usage_error_before_anything_is_started(value, services, message):
    for facts in ({"env": {"KEY": value}}, {"command": f"serve '{value}'"}):
        with pytest.raises(
            UsageError, match=message if "env" in facts else message.replace("env KEY", "its command")
        ):
            known_services(contender(services=services, **facts))
    with pytest.raises(UsageError, match=message):
        filled(value, *services)


def test_every_placeholder_that_a_service_promises_is_filled():
    for name, part in PARTS.items():
        known_services(
            contender(services=(name,), command=" ".join(f"{{{one}}}" for one in part.placeholders()))
        )


def test_redis_and_valkey_find_the_same_cache():
    assert VALKEY.variables == ("VALKEY_URL", "REDIS_URL")
    assert VALKEY.values(1)["redis_url"] == VALKEY.values(1)["valkey_url"] == "redis://127.0.0.1:1/0"
