"""The apps on other servers: only the server differs.

That they answer alike is held for every contender in tests/whole/test_end_to_end.py.
"""

from pathlib import Path

import pytest

from bench.project import contenders

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
    "django-asgi-gunicorn-asgi": "django-asgi",
    "django-asgi-hypercorn": "django-asgi",
    "fastapi-gunicorn": "fastapi",
    "fastapi-gunicorn-asgi": "fastapi",
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
