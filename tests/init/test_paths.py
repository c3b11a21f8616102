from collections import Counter

import pytest

from bench.init.paths import MOST_ROWS, MOST_SHAPES, SIBLINGS, Shapes, generator, written


def shapes(*targets, method="GET"):
    found = Shapes()
    for target in targets:
        found.add(method, target, 200)
    return found.by_frequency()


@pytest.mark.parametrize(
    ("targets", "request_", "fields"),
    [
        (["/users/17", "/users/18"], "/users/{id}", {"id": {"values": [17, 18]}}),
        (["/users/3", "/users/1", "/users/2"], "/users/{id}", {"id": {"integer": [1, 3]}}),
        (["/users/17", "/users/17"], "/users/17", {}),
        (["/v1/a", "/v1/a"], "/v1/a", {}),
        (["/d/2026-01-02", "/d/2026-02-03"], "/d/{id}", {"id": {"values": ["2026-01-02", "2026-02-03"]}}),
        (["/a?page=1&q=x%20y", "/a?page=1&q=z"], "/a?page=1&q={q}", {"q": {"values": ["x y", "z"]}}),
        (["/a?filter[x]=1", "/a?filter[x]=5"], "/a?filter[x]={filter_x}", {"filter_x": {"values": [1, 5]}}),
        (["/n/007", "/n/008"], "/n/{id}", {"id": {"values": ["007", "008"]}}),
        (["/a/{x}"], "/a/%7Bx%7D", {}),
        (["/"], "/", {}),
    ],
)
def test_targets_that_differ_in_values_are_one(targets, request_, fields):
    (only,) = shapes(*targets)
    found = written(only)
    assert (found.target, dict(found.fields)) == (request_, fields)


def test_values_of_one_path_stay_together():
    (only,) = shapes("/users/1/posts/10", "/users/1/posts/11", "/users/2/posts/20", "/users/3/posts/30")
    found = written(only)
    assert found.target == "/users/1/posts/{post_id}"
    assert found.fields == {"post_id": {"values": [10, 11]}}
    assert found.remarks == ("values of this path belong together, so all but one are fixed: 2 of 4 paths",)


def test_values_that_were_seen_in_all_pairs_are_drawn_apart():
    (only,) = shapes(*(f"/users/{user}/days/{day}" for user in (1, 2, 3) for day in (5, 6, 7)))
    assert written(only).target == "/users/{user_id}/days/{day_id}"


def test_many_rare_names_at_one_place_are_values():
    names = [f"article-{chr(97 + n % 26)}{'x' * (n // 26)}" for n in range(60)]
    (blog, about) = shapes(*(f"/blog/{name}" for name in names), *["/about"] * 30)
    assert (blog.requests, about.requests) == (60, 30)
    assert written(blog).target == "/blog/{id}"
    assert set(written(blog).fields["id"]["values"]) <= set(names)


def test_few_names_stay_exchanges_of_their_own():
    assert len(shapes(*(f"/{chr(97 + n)}" for n in range(SIBLINGS)))) == SIBLINGS


def test_the_memory_of_shapes_and_values_has_a_bound():
    found = Shapes()
    for number in range(MOST_SHAPES + 100):
        found.add("GET", f"/a{number}x/b/c", 200, kind=str(number))
    assert (found.beyond, len(found.by_frequency())) == (100, MOST_SHAPES)
    many = Shapes()
    for number in range(MOST_ROWS + 500):
        many.add("GET", f"/a/{number}?b={number}", 200)
    (only,) = many.by_frequency()
    assert (only.requests, len(only.rows), len(only.query[0]), only.is_whole) == (
        MOST_ROWS + 500,
        MOST_ROWS,
        MOST_ROWS,
        False,
    )


def test_an_uneven_source_is_pointed_out():
    drawn, remark = generator(Counter({"1": 90, "5": 1, "9": 1, "30": 1, "40": 1}))
    assert drawn == {"values": [1, 5, 9, 30, 40]}
    assert remark == "drawn evenly, but in the source 1 has 96%"


SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


@pytest.mark.parametrize(
    "target",
    [
        f"/verify/{SECRET}",
        "/a?token=5f2b8c",
        "/a?api_key=5f2b8c",
        "/a?email=ann%40shop.example",
        f"/a?next=/b?t={SECRET}",
        "/reset-token/5f2b8c5f2b8c5f2b8c",
        "/f/Zx8kQ2mNp4rS6tUv8wXyZa1b",
    ],
)
def test_what_looks_like_a_secret_is_masked(target):
    (only,) = shapes(target)
    found = written(only).target
    for secret in (SECRET, "5f2b8c", "ann", "Zx8k"):
        assert secret not in found
