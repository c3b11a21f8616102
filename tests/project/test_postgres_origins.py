import pytest

from bench.errors import UsageError
from bench.model.contender import PostgresOrigin
from bench.project.postgres_origins import postgres_origin


def test_each_of_its_keys_is_read():
    assert postgres_origin("x", {}) == PostgresOrigin()
    assert postgres_origin("x", {"bin": "PATH", "image": "postgis"}) == PostgresOrigin(
        bin="PATH", image="postgis"
    )
    for url in (
        "postgresql://127.0.0.1/a",
        "postgres://me@[::1]:6432/a?sslmode=disable",
        "postgresql://localhost",
    ):
        assert postgres_origin("x", {"url": url}).url == url
    far = {"url": "postgresql://db.example.com/a", "remote": True}
    assert postgres_origin("x", far).remote


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"url": "postgresql://127.0.0.1/a", "bin": "PATH"}, "leave out bin and image"),
        ({"url": "postgresql://db.example.com/a"}, "db.example.com is another machine.*remote = true"),
        ({"url": "postgresql://10.0.0.7/a"}, "10.0.0.7 is another machine"),
        ({"url": "mysql://127.0.0.1/a"}, "it does not begin with postgresql://"),
        ({"url": "postgresql+asyncpg://127.0.0.1/a"}, "it does not begin with postgresql://"),
        ({"url": "postgresql:///a?host=/var/run"}, "it names no host: write 127.0.0.1"),
        ({"url": "postgresql://127.0.0.1:x/a"}, "an example: postgresql://me@127.0.0.1:5432"),
        ({"url": "postgresql://127.0.0.1/a?host=10.0.0.7"}, "host after the . would name another server"),
        ({"url": "postgresql://127.0.0.1/a?hostaddr="}, "hostaddr after the"),
        ({"url": "postgresql://127.0.0.1/a?service=far"}, "service after the"),
        ({"url": "postgresql://me:pw@127.0.0.1/a"}, "a password in it would be .*set PGPASSWORD"),
        ({"url": "postgresql://127.0.0.1/a?user=me&password=pw"}, "x.url: a password in it"),
        ({"remote": True}, "x.remote: it goes with url"),
        ({"bin": "usr/bin"}, 'neither a whole path nor "PATH"'),
        ({"image": " "}, "x.image: it is empty"),
    ],
)
def test_what_contradicts_itself_or_is_no_address_is_refused(written, words):
    with pytest.raises(UsageError, match=words):
        postgres_origin("x", written)
