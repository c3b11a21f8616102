"""`POST /users/batch`: several users at once, all or none."""

from functools import partial

import pytest
from contract import ANYTHING, SEEDED, Api, at_once, expect, fresh_email, fresh_user
from test_user_bodies import MALFORMED

pytestmark = pytest.mark.users

BROKEN = [{}, "text", 5, None, [], [{"name": ""}], [None], ["text"], [[]], [5]]
BROKEN_MEMBERS = [
    *({}, None, [], "text", {"name": "Ann"}, {"email": "ann@example.com"}),
    *({"name": "", "email": "ann@example.com"}, {"name": "x" * 101, "email": "ann@example.com"}),
    *({"name": "Ann", "email": "plain"}, {"name": "Ann", "email": "a@b.co\n"}),
    *({"name": name, "email": "ann@example.com"} for name in (5, "x\0y", "\ud800")),
]
CLIENTS = 16


def last_id(api: Api) -> int:
    """Return the greatest id there is: whatever is created from now on comes after it."""
    number: int = api.create()["id"]
    return number


@pytest.mark.parametrize("count", [1, 2, 20, 100])
def test_a_batch_comes_back_in_the_order_sent(api: Api, count: int):
    sent = [fresh_user(name=f"Ann {number}") for number in range(count, 0, -1)]
    users = api.post("/users/batch", sent).expect(201, body=[{"id": ANYTHING, **one} for one in sent])
    expect("POST /users/batch: different ids", count, len({user["id"] for user in users}))
    stored = sorted(users, key=lambda user: user["id"])
    api.get(f"/users?limit=100&after={stored[0]['id'] - 1}").expect(200, body=stored)
    api.get(f"/users/{users[-1]['id']}").expect(200, body=users[-1])


def test_names_are_kept_and_unknown_keys_ignored(api: Api):
    sent = [fresh_user(name=name) for name in ("  é 漢字 😀 ", "<b>", "x" * 100, "Ann", "Ann")]
    body = [{"id": 1, **one, "is_admin": True} for one in sent]
    api.post("/users/batch?unknown=1", body).expect(201, body=[{"id": ANYTHING, **one} for one in sent])


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_json_is_400(api: Api, body: bytes):
    api.post("/users/batch", body).expect(400)


@pytest.mark.parametrize("body", BROKEN)
def test_what_is_no_array_of_1_to_100_users_is_422(api: Api, body: object):
    api.post("/users/batch", body).expect(422)


def test_one_user_that_is_not_in_an_array_is_422(api: Api):
    api.post("/users/batch", fresh_user()).expect(422)


@pytest.mark.parametrize("count", [101, 1000])
def test_more_than_100_are_422_and_none_is_created(api: Api, count: int):
    before = last_id(api)
    api.post("/users/batch", [fresh_user() for _ in range(count)]).expect(422)
    api.get(f"/users?after={before}").expect(200, body=[])


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("member", BROKEN_MEMBERS)
def test_one_broken_member_is_422_and_none_is_created(api: Api, member: object, place: int):
    before = last_id(api)
    api.post("/users/batch", _with(member, place)).expect(422)
    api.get(f"/users?after={before}").expect(200, body=[])


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
def test_one_taken_address_is_409_and_none_is_created(api: Api, place: int):
    taken = api.create()
    for address in (taken["email"], "user1@example.com"):
        api.post("/users/batch", _with(fresh_user(email=address), place)).expect(409)
        api.get(f"/users?after={taken['id']}").expect(200, body=[])
    api.get(f"/users/{taken['id']}").expect(200, body=taken)


@pytest.mark.parametrize("count", [2, 100])
def test_one_address_twice_in_a_batch_is_409_and_none_is_created(api: Api, count: int):
    before = last_id(api)
    sent = [fresh_user() for _ in range(count)]
    sent[-1]["email"] = sent[0]["email"]
    api.post("/users/batch", sent).expect(409)
    api.get(f"/users?after={before}").expect(200, body=[])


def test_addresses_that_differ_in_case_are_two(api: Api):
    address = fresh_email()
    sent = [fresh_user(email=address), fresh_user(email=address.upper())]
    api.post("/users/batch", sent).expect(201, body=[{"id": ANYTHING, **one} for one in sent])


def test_a_broken_member_comes_before_a_taken_address(api: Api):
    sent = [fresh_user(email="user1@example.com"), fresh_user(name="")]
    api.post("/users/batch", sent).expect(422)


def test_after_a_refused_batch_its_addresses_are_free(api: Api):
    sent = [fresh_user(), fresh_user()]
    api.post("/users/batch", [*sent, fresh_user(email=f"user{SEEDED}@example.com")]).expect(409)
    api.post("/users/batch", sent).expect(201, body=[{"id": ANYTHING, **one} for one in sent])


def test_of_many_batches_that_share_an_address_one_succeeds(api: Api):
    before = last_id(api)
    shared = fresh_email()
    batches = [[fresh_user(), fresh_user(email=shared), fresh_user()] for _ in range(CLIENTS)]
    answers = at_once(partial(api.post, "/users/batch", sent) for sent in batches)
    created = [body for answer in answers if isinstance(body := answer.expect(201, 409), list)]
    expect(f"{CLIENTS} × POST /users/batch with {shared} at once, batches created", 1, len(created))
    stored = sorted(created[0], key=lambda user: user["id"])
    api.get(f"/users?after={before}").expect(200, body=stored)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_405(api: Api, method: str):
    api.send(method, "/users/batch").expect(405)


def test_a_path_beside_it_is_404(api: Api):
    api.post("/users/batch/", [fresh_user()]).expect(404)


def _with(member: object, place: int) -> list[object]:
    batch: list[object] = [fresh_user(), fresh_user()]
    batch.insert(place, member)
    return batch
