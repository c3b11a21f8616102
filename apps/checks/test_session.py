"""`GET /session`: each visitor's own count, kept on the server."""

from collections.abc import Callable
from functools import partial
from http.cookies import SimpleCookie

import pytest
from contract import Answer, Api, at_once, differs, expect

pytestmark = pytest.mark.session

VISITORS = 16
UNKNOWN = ["x", "A" * 43, "a" * 32, "9" * 500, "%27%20OR%201=1"]


def key(answer: Answer) -> str:
    """Return the key in the cookie that came."""
    cookie = SimpleCookie(answer.response.headers.get("Set-Cookie", "")).get("session")
    if cookie is None or not cookie.value:
        differs(answer.request, "Set-Cookie: session=…", "none")
    return cookie.value


def test_visits_are_counted(visitor: Callable[[], Api]):
    one = visitor()
    for visits in range(1, 6):
        one.get("/session").expect(200, body={"visits": visits})


def test_a_visitor_without_a_cookie_is_new(visitor: Callable[[], Api]):
    first, second = visitor().get("/session"), visitor().get("/session")
    for answer in (first, second):
        answer.expect(200, body={"visits": 1})
    if key(first) == key(second):
        differs("GET /session twice without a cookie", "two keys", key(first))


@pytest.mark.parametrize("cookie", UNKNOWN)
def test_a_key_that_is_unknown_is_not_taken_over(visitor: Callable[[], Api], cookie: str):
    headers = {"Cookie": f"session={cookie}"}
    answer = visitor().send("GET", "/session", headers=headers)
    answer.expect(200, body={"visits": 1})
    if key(answer) == cookie:
        differs(f"GET /session with Cookie: session={cookie}", "a new key", "the one that was sent")


def test_other_cookies_do_not_matter(visitor: Callable[[], Api]):
    one = visitor()
    one.get("/session").expect(200, body={"visits": 1})
    both = f"theme=dark; session={key(one.get('/session'))}; sessionid=x"
    visitor().send("GET", "/session", headers={"Cookie": both}).expect(200, body={"visits": 3})


def test_the_key_is_out_of_reach_for_scripts(visitor: Callable[[], Api]):
    answer = visitor().get("/session")
    if not SimpleCookie(answer.response.headers["Set-Cookie"])["session"]["httponly"]:
        differs(answer.request, "HttpOnly", answer.response.headers["Set-Cookie"])


def test_of_many_visitors_each_has_its_own_count(visitor: Callable[[], Api], tries: int):
    def come_back(one: Api) -> None:
        for visits in range(1, tries // VISITORS + 1):
            one.get("/session").expect(200, body={"visits": visits})

    visitors = [visitor() for _ in range(VISITORS)]
    at_once([partial(come_back, one) for one in visitors])
    keys = {key(one.get("/session")) for one in visitors}
    expect(f"{VISITORS} visitors: keys", VISITORS, len(keys))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_405(api: Api, method: str):
    api.send(method, "/session").expect(405)
