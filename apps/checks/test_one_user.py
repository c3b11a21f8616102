"""`POST /users` and `GET`, `PUT`, `DELETE /users/{id}`: the life of one user."""

import pytest
from contract import ANYTHING, BIGINT_MAX, SEEDED, Api, expect, fresh_email, fresh_user, seeded_user

pytestmark = pytest.mark.users

NO_ID = [
    *("abc", "-1", "%2B1", "%201", "1%20", "1_0", "1.0", "1e0", "0x1", "1a", "null", "1%00", "%00", "%FF"),
    *("%EF%BC%91", "%D9%A3", "%C2%B2"),  # １ ٣ ²
    *("0", str(BIGINT_MAX), str(BIGINT_MAX + 1), "9" * 400),
]


def test_a_created_user_comes_back_with_its_location(api: Api):
    sent = fresh_user()
    answer = api.post("/users", sent)
    user = answer.expect(201, body={"id": ANYTHING, **sent})
    answer.expect_header("Location", f"/users/{user['id']}")
    api.get(f"/users/{user['id']}").expect(200, body=user)


def test_ids_are_new_and_ascend(api: Api):
    ids = [SEEDED, *(api.create()["id"] for _ in range(3))]
    expect("POST /users three times: ids", sorted(set(ids)), ids)


@pytest.mark.parametrize("number", [1, 2, 4711, SEEDED])
def test_a_seeded_user_is_found(api: Api, number: int):
    api.get(f"/users/{number}").expect(200, body=seeded_user(number))
    api.get(f"/users/{number}?unknown=1").expect(200, body=seeded_user(number))


def test_an_updated_user_is_as_it_was_sent(api: Api):
    user = api.create()
    path = f"/users/{user['id']}"
    for changed in ({**user, "name": "Bob"}, {**user, "email": fresh_email()}, user):
        sent = {"name": changed["name"], "email": changed["email"]}
        api.put(path, sent).expect(200, body=changed)
        api.get(path).expect(200, body=changed)


def test_an_update_touches_no_other_user(api: Api):
    user, other = api.create(), api.create()
    api.put(f"/users/{user['id']}", fresh_user(name="Bob")).expect(200)
    api.get(f"/users/{other['id']}").expect(200, body=other)


def test_a_deleted_user_is_gone(api: Api):
    user = api.create()
    path = f"/users/{user['id']}"
    api.delete(path).expect(204)
    api.get(path).expect(404)
    api.put(path, fresh_user()).expect(404)
    api.delete(path).expect(404)
    api.create(email=user["email"])


@pytest.mark.parametrize("number", NO_ID)
def test_what_is_no_users_id_is_404(api: Api, number: str):
    path = f"/users/{number}"
    api.get(path).expect(404)
    api.put(path, fresh_user()).expect(404)
    api.delete(path).expect(404)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        ({"name": "", "email": "ann@example.com"}, 422),
        ([], 422),
        ({"name": "Ann", "email": "user1@example.com"}, 404),
    ],
)
def test_a_body_is_judged_before_its_user_is_looked_for_and_conflicts_come_last(
    api: Api, body: object, status: int
):
    api.put("/users/0", body).expect(status)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_wrong_method_is_405(api: Api, method: str):
    api.send(method, "/users/1").expect(405)
