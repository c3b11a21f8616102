"""`GET /users`: pages by key."""

import pytest
from contract import BIGINT_MAX, SEEDED, Api, seeded_user

pytestmark = pytest.mark.users

PAGES = {
    "": range(1, 21),
    "?limit=1": range(1, 2),
    "?limit=100": range(1, 101),
    "?after=0": range(1, 21),
    "?after=7": range(8, 28),
    "?limit=5&after=4000": range(4001, 4006),
    "?after=4000&limit=5": range(4001, 4006),
    f"?limit=3&after={SEEDED - 3}": range(SEEDED - 2, SEEDED + 1),
    "?limit=2&unknown=x": range(1, 3),
    "?limit=3&limit=2": range(1, 3),  # the last one wins
    "?after=1&after=10&limit=2": range(11, 13),
    "?limit=x&limit=2": range(1, 3),
    f"?after={BIGINT_MAX}": range(0),
}

NOT_DECIMAL_DIGITS = [
    *("", "x", "-1", "%2B5", "%205", "5%20", "1_0", "5.0", "1e1", "0x5", "5a", "null", "true", "5%00", "%FF"),
    "%D9%A3",  # ٣, an Arabic digit, which Python's int() reads
    "%EF%BC%95",  # ５, full width: so is this
    "%C2%B2",  # ², which is a digit for str.isdigit()
]


@pytest.mark.parametrize("query", PAGES)
def test_a_page_holds_the_users_after_a_key_in_order(api: Api, query: str):
    api.get(f"/users{query}").expect(200, body=[seeded_user(number) for number in PAGES[query]])


@pytest.mark.parametrize(
    "limit", [*NOT_DECIMAL_DIGITS, "0", "101", "1000000", str(BIGINT_MAX + 1), "9" * 400]
)
def test_a_limit_out_of_1_to_100_is_422(api: Api, limit: str):
    api.get(f"/users?limit={limit}").expect(422)


@pytest.mark.parametrize("after", [*NOT_DECIMAL_DIGITS, str(BIGINT_MAX + 1), "9" * 400])
def test_an_after_that_is_no_key_is_422(api: Api, after: str):
    api.get(f"/users?after={after}").expect(422)


def test_pages_follow_each_other_to_the_end_without_gap_or_repeat(api: Api):
    created = [api.create(name=name) for name in ("Ann", "Bob", "Cem")]
    for after in range(0, SEEDED, 100):
        page = [seeded_user(number) for number in range(after + 1, after + 101)]
        api.get(f"/users?limit=100&after={after}").expect(200, body=page)
    api.get(f"/users?limit=100&after={created[0]['id'] - 1}").expect(200, body=created)
    api.get(f"/users?limit=2&after={created[0]['id'] - 1}").expect(200, body=created[:2])
    api.get(f"/users?limit=100&after={created[-1]['id']}").expect(200, body=[])


def test_a_deleted_user_is_gone_from_its_page(api: Api):
    first, second, third = [api.create() for _ in range(3)]
    api.delete(f"/users/{second['id']}").expect(204)
    api.get(f"/users?after={first['id'] - 1}").expect(200, body=[first, third])


@pytest.mark.parametrize("query", ["", "?limit=1", "?after=7", "?limit=5&after=4000"])
def test_users_have_their_posts_where_these_are_asked_for(api: Api, query: str):
    posts = {n: [{"id": post, "title": f"Post {post}"} for post in (n, n + SEEDED)] for n in PAGES[query]}
    users = [{**seeded_user(number), "posts": posts[number]} for number in PAGES[query]]
    api.get(f"/users{query}{'&' if query else '?'}with=posts").expect(200, body=users)


def test_a_user_without_posts_has_none(api: Api):
    user = api.create()
    api.get(f"/users?after={user['id'] - 1}&with=posts").expect(200, body=[{**user, "posts": []}])


@pytest.mark.parametrize("other", ["", "x", "Posts", "posts,", "post", "%00", "posts%20"])
def test_nothing_else_can_be_asked_for(api: Api, other: str):
    api.get(f"/users?with={other}").expect(422)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_405(api: Api, method: str):
    api.send(method, "/users").expect(405)


@pytest.mark.parametrize("path", ["/users/", "/users/?limit=5", "/Users", "/users/1/", "/users/1/posts"])
def test_a_path_beside_it_is_404_and_never_a_redirect(api: Api, path: str):
    api.get(path).expect(404)
