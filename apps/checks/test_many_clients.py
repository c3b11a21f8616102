"""What one client writes, all others see, whichever worker answers them; races have one winner."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from contract import Answer, Api, at_once, expect, fresh_user

pytestmark = pytest.mark.users

CLIENTS = 16
READS = 40
STAYING = 60  # users that are there all the time
COMING = 4  # users that each client adds meanwhile, and as many that it deletes again


def test_a_write_is_seen_at_once_on_every_new_connection(api: Api, strangers: Api):
    user = api.create()
    path = f"/users/{user['id']}"
    for _ in range(READS):
        strangers.get(path).expect(200, body=user)
    changed = {**user, "name": "Bob"}
    api.put(path, {"name": "Bob", "email": user["email"]}).expect(200)
    for _ in range(READS):
        strangers.get(path).expect(200, body=changed)
    api.delete(path).expect(204)
    for _ in range(READS):
        strangers.get(path).expect(404)


def test_of_many_creations_with_one_address_one_succeeds(api: Api):
    sent = fresh_user()
    answers = at_once(partial(api.post, "/users", sent) for _ in range(CLIENTS))
    users = [user for answer in answers if "id" in (user := answer.expect(201, 409))]
    expect(f"{CLIENTS} × POST /users {sent['email']} at once, users created", 1, len(users))
    api.get(f"/users?after={users[0]['id'] - 1}").expect(200, body=users)


def test_of_many_updates_to_one_address_one_succeeds(api: Api):
    users = [api.create() for _ in range(CLIENTS)]
    sent = fresh_user(name="Winner")
    answers = at_once(partial(api.put, f"/users/{user['id']}", sent) for user in users)
    winners = [user for answer in answers if "id" in (user := answer.expect(200, 409))]
    expect(f"{CLIENTS} × PUT {sent['email']} at once, users updated", 1, len(winners))
    left = [winners[0] if user["id"] == winners[0]["id"] else user for user in users]
    api.get(f"/users?after={users[0]['id'] - 1}").expect(200, body=left)


def test_a_user_deleted_during_an_update_stays_gone(api: Api):
    paths = [f"/users/{api.create()['id']}" for _ in range(CLIENTS)]
    updates = [partial(api.put, path, fresh_user()) for path in paths]
    deletions = [partial(api.delete, path) for path in paths]
    for answer in at_once([call for pair in zip(updates, deletions, strict=True) for call in pair]):
        answer.expect(*((204,) if answer.request.startswith("DELETE") else (200, 404)))
    for path in paths:
        api.get(path).expect(404)


def test_pages_are_complete_and_without_repeats_while_users_come_and_go(api: Api):
    """Whoever is there all the time is on exactly one page, whatever is inserted and deleted meanwhile."""
    first = api.create()["id"]
    staying = [first, *(api.create()["id"] for _ in range(STAYING - 1))]
    with ThreadPoolExecutor(CLIENTS) as pool:
        coming = [pool.submit(_come_and_go, api) for _ in range(CLIENTS - 1)]
        seen = _all_pages(api, first - 1)
        for one in coming:
            one.result()
    expect("GET /users page by page during inserts: ids", sorted(set(seen)), seen)
    left_out = sorted(set(staying) - set(seen))
    expect("GET /users page by page during inserts: users left out", [], left_out)


def test_what_a_client_wrote_is_what_it_reads(api: Api):
    """Of each of many clients at the same time: create, read, update, read, delete, read."""
    for last in at_once(partial(_live, api, number) for number in range(CLIENTS)):
        last.expect(404)


def _come_and_go(api: Api) -> None:
    for _ in range(COMING):
        api.create()
        api.delete(f"/users/{api.create()['id']}").expect(204)


def _all_pages(api: Api, after: int) -> list[int]:
    seen: list[int] = []
    while page := api.get(f"/users?limit=3&after={after}").expect(200):
        numbers = [user["id"] for user in page]
        # Else the last page could come for ever.
        expect(
            f"GET /users?limit=3&after={after}: ids",
            [number for number in numbers if number > after],
            numbers,
        )
        seen += numbers
        after = seen[-1]
    return seen


def _live(api: Api, number: int) -> Answer:
    user = api.create(name=f"Ann {number}")
    path = f"/users/{user['id']}"
    api.get(path).expect(200, body=user)
    changed = {"id": user["id"], **fresh_user(name=f"Bob {number}")}
    api.put(path, {"name": changed["name"], "email": changed["email"]}).expect(200, body=changed)
    api.get(path).expect(200, body=changed)
    api.get(f"/users?limit=1&after={user['id'] - 1}").expect(200, body=[changed])
    api.delete(path).expect(204)
    return api.get(path)
