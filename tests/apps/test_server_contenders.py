"""The apps on other servers: what differs is the server, and what is answered does not."""

from pathlib import Path

import pytest

from bench.project import contenders
from bench.run.verification import verify
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime

ROOT = Path(__file__).parents[2]
TABLES = contenders.declared(ROOT)
SERVERS = {
    "flask-sync": "flask",
    "flask-gevent": "flask",
    "flask-granian": "flask",
    "django-sync": "django",
    "django-gevent": "django",
    "django-granian": "django",
    "django-asgi-gunicorn": "django-asgi",
    "django-asgi-hypercorn": "django-asgi",
    "fastapi-gunicorn": "fastapi",
    "fastapi-hypercorn": "fastapi",
    "fastapi-granian": "fastapi",
}
# How each server is told to keep an idle connection; granian's longest is 60 s.
KEPT = ("--keep-alive 75", "--timeout-keep-alive 75", "--http1-header-read-timeout 60000")


@pytest.mark.parametrize(("name", "default"), SERVERS.items())
def test_the_app_is_that_of_the_default_server(name, default):
    one, other = contenders.resolve(name, TABLES), contenders.resolve(default, TABLES)
    assert (one.app, one.interface, one.env, one.services) == (
        other.app, other.interface, other.env, other.services
    )  # fmt: skip
    assert one.command != other.command


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_keeps_connections_and_no_access_log(name):
    one = contenders.resolve(name, TABLES)
    assert all(placeholder in one.command for placeholder in ("{host}", "{port}", "{workers}"))
    assert any(option in one.command for option in KEPT) == one.keep_alive
    assert "--access-log" not in one.command


@pytest.mark.slow
def test_what_is_answered_does_not_depend_on_the_server(tmp_path):
    asked = [contenders.resolve(name, TABLES) for name in SERVERS]
    with ProcessRuntime(
        project=ROOT, placement=placed(None), scratch=tmp_path / "scratch", logs=tmp_path / "logs"
    ) as runtime:
        runtime.prepare(asked)
        found = {one.contender: one.differences for one in verify(asked, runtime, tmp_path / "memory")}
    assert found == {one.name: () for one in asked}
