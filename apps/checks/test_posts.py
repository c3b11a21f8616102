"""`GET /posts`: the newest posts, each with its author."""

from functools import partial
from typing import Any

import pytest
from contract import BIGINT_MAX, SEEDED, Api, at_once, expect, fresh_email, fresh_user
from test_list_users import NOT_DECIMAL_DIGITS

pytestmark = pytest.mark.posts

WRITERS = 8
POSTS = 20_000  # in apps/seed.sql, two by each user


def seeded_post(number: int) -> dict[str, Any]:
    """Return the post that apps/seed.sql keeps under id *number*."""
    author = (number - 1) % SEEDED + 1
    body = " ".join([f"This is what post {number} says."] * 10)
    return {
        "id": number,
        "title": f"Post {number}",
        "body": body,
        "author": {"id": author, "name": f"User {author}"},
    }


PAGES: dict[str, list[int]] = {
    "": [*range(POSTS, POSTS - 20, -1)],
    "?limit=1": [POSTS],
    "?limit=100": [*range(POSTS, POSTS - 100, -1)],
    "?limit=3&unknown=x": [POSTS, POSTS - 1, POSTS - 2],
    "?limit=3&limit=2": [POSTS, POSTS - 1],  # the last one wins
    "?limit=x&limit=1": [POSTS],
    "?author=1": [10_001, 1],
    "?author=4711": [14_711, 4711],
    "?author=4711&limit=1": [14_711],
    "?limit=100&author=4711": [14_711, 4711],
    "?author=1&author=2": [10_002, 2],
    f"?author={SEEDED}": [POSTS, SEEDED],
    f"?author={SEEDED}&after=1": [POSTS, SEEDED],  # pages by key are for users
    "?author=000000000007": [10_007, 7],
    "?author=900000000000000000": [],
    f"?author={BIGINT_MAX}": [],
}


@pytest.mark.parametrize("query", PAGES)
def test_posts_come_newest_first_with_their_authors(api: Api, query: str):
    api.get(f"/posts{query}").expect(200, body=[seeded_post(number) for number in PAGES[query]])


@pytest.mark.parametrize(
    "limit", [*NOT_DECIMAL_DIGITS, "0", "101", "1000000", str(BIGINT_MAX + 1), "9" * 400]
)
def test_a_limit_out_of_1_to_100_is_422(api: Api, limit: str):
    api.get(f"/posts?limit={limit}").expect(422)


@pytest.mark.parametrize("author", [*NOT_DECIMAL_DIGITS, "0", str(BIGINT_MAX + 1), "9" * 400])
def test_an_author_that_is_no_id_is_422(api: Api, author: str):
    api.get(f"/posts?author={author}").expect(422)


def test_a_new_user_has_no_posts(api: Api):
    api.get(f"/posts?author={api.create()['id']}").expect(200, body=[])


def test_a_post_shows_the_name_its_author_has_now(api: Api):
    number = 4712
    posts = [seeded_post(number + SEEDED), seeded_post(number)]
    address = f"user{number}@example.com"
    for name in ("<i>é</i>", f"User {number}"):  # and back again
        api.put(f"/users/{number}", {"name": name, "email": address}).expect(200)
        shown = [{**post, "author": {"id": number, "name": name}} for post in posts]
        api.get(f"/posts?author={number}").expect(200, body=shown)


def test_a_refused_update_of_an_author_leaves_the_posts(api: Api):
    api.put("/users/4713", fresh_user(email="user1@example.com")).expect(409)
    api.get("/posts?author=4713").expect(200, body=[seeded_post(14_713), seeded_post(4713)])


def test_no_answer_is_older_than_a_write_that_has_been_answered(api: Api, tries: int):
    """Writers rename their authors again and again; each must find the new name in what it reads next."""
    authors = range(SEEDED - WRITERS + 1, SEEDED + 1)  # in the newest 20 posts
    stale = at_once([partial(_stale, api, author, tries // WRITERS) for author in authors])
    expect(f"{tries} reads of the feed after a write, stale", [], [one for many in stale for one in many])


def _stale(api: Api, author: int, tries: int) -> list[str]:
    """Return what was seen too late; the author has its own name again afterwards."""
    seen = []
    for number in [*range(tries), None]:
        name = f"User {author}" if number is None else f"Name {number} of {author}"
        api.put(f"/users/{author}", {"name": name, "email": f"user{author}@example.com"}).expect(200)
        path = "/posts" if number is None or number % 2 else f"/posts?author={author}"
        posts = api.get(path).expect(200)
        seen += [
            f"{path}: {post['author']['name']}, not {name}" for post in posts if _is_stale(post, author, name)
        ]
    return seen


def _is_stale(post: dict[str, Any], author: int, name: str) -> bool:
    return bool(post["author"]["id"] == author and post["author"]["name"] != name)


@pytest.mark.destructive
def test_the_posts_of_a_deleted_user_go_with_the_user(api: Api):
    api.delete(f"/users/{SEEDED}").expect(204)
    api.get(f"/posts?author={SEEDED}").expect(200, body=[])
    api.get("/posts?limit=1").expect(200, body=[seeded_post(POSTS - 1)])
    api.get(f"/posts?author={SEEDED - 1}").expect(200, body=[seeded_post(POSTS - 1), seeded_post(SEEDED - 1)])
    user = api.create(email=fresh_email())
    api.get(f"/posts?author={user['id']}").expect(200, body=[])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_405(api: Api, method: str):
    api.send(method, "/posts").expect(405)


@pytest.mark.parametrize("path", ["/posts/", "/posts/1", "/Posts"])
def test_a_path_beside_it_is_404_and_never_a_redirect(api: Api, path: str):
    api.get(path).expect(404)
