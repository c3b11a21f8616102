"""One connection, used again: what a load is made of."""

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse

import httpx
import pytest
from contract import differs

REQUESTS = 20


@pytest.fixture
def connection(url: httpx.URL) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(url.host, url.port or 80, timeout=10)
    yield connection
    connection.close()


def ask(connection: HTTPConnection, method: str, path: str, body: bytes | None = None) -> HTTPResponse:
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        response.read()
        return response
    except (HTTPException, OSError) as error:
        differs(f"{method} {path} on a connection in use", "an answer", f"{type(error).__name__} ({error})")


@pytest.mark.keep_alive
def test_a_connection_is_kept_for_20_requests(connection: HTTPConnection):
    for number in range(1, REQUESTS + 1):
        if ask(connection, "GET", "/").will_close and number < REQUESTS:
            differs("GET / again and again", "a connection that is kept", f"a close after request {number}")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/nothing", None),
        ("POST", "/", b'{"unread": true}'),
        ("PUT", "/health", b"POST /nothing HTTP/1.1\r\n\r\n"),
        ("POST", "/nothing", b"{"),
        pytest.param("POST", "/users", b"{", marks=pytest.mark.users),
        pytest.param("PATCH", "/users", b"{}", marks=pytest.mark.users),
        pytest.param("PUT", "/users/0", b"{}", marks=pytest.mark.users),
        pytest.param("DELETE", "/users/0", None, marks=pytest.mark.users),
    ],
)
def test_an_error_leaves_nothing_behind_on_its_connection(
    connection: HTTPConnection, method: str, path: str, body: bytes | None
):
    ask(connection, method, path, body)
    for _ in range(2):
        status = ask(connection, "GET", "/").status
        if status != 200:
            differs(f"GET / after {method} {path} on one connection", "status 200", str(status))
