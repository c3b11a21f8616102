"""An answer with an `ETag` can be asked for again, and comes only where it has changed (RFC 9110 §13)."""

import pytest
from contract import Answer, Api, differs

pytestmark = pytest.mark.users

PATHS = ["/users/17", "/users?limit=3", "/users/page", "/posts?limit=2", "/users?limit=2&with=posts"]
OTHERS = ['"x"', 'W/"x"', "", '"x", "y"', "x", '"']


def again(api: Api, path: str, etag: str) -> Answer:
    """Return the answer to a client that has one with *etag*."""
    return api.send("GET", path, headers={"If-None-Match": etag})


@pytest.mark.parametrize("path", PATHS)
def test_what_has_not_changed_need_not_come_again(api: Api, path: str):
    first = api.get(path)
    etag = first.response.headers.get("ETag")
    answer = again(api, path, etag or '"x"')
    expected = 304 if etag else 200
    if answer.status != expected:
        differs(f"GET {path} with If-None-Match: {etag}", f"status {expected}", str(answer.status))
    if etag and answer.response.content:
        differs(f"GET {path} with If-None-Match: {etag}", "no body", "one")
    if etag and "no-cache" not in first.response.headers.get("Cache-Control", ""):
        differs(f"GET {path}", "Cache-Control: no-cache", first.response.headers.get("Cache-Control", "none"))


@pytest.mark.parametrize("etag", OTHERS)
def test_another_tag_brings_the_answer(api: Api, etag: str):
    user = api.get("/users/17").expect(200)
    again(api, "/users/17", etag).expect(200, body=user)


def test_what_has_changed_comes(api: Api):
    user = api.create()
    path = f"/users/{user['id']}"
    etag = api.get(path).response.headers.get("ETag", '"x"')
    changed = {**user, "name": "Bob"}
    api.put(path, {"name": "Bob", "email": user["email"]}).expect(200)
    again(api, path, etag).expect(200, body=changed)
    etag = again(api, path, etag).response.headers.get("ETag", '"x"')
    api.delete(path).expect(204)
    again(api, path, etag).expect(404)
