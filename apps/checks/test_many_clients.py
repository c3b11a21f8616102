"""What one client writes, all others see, whichever worker answers them; races have one winner."""

from functools import partial

import pytest
from contract import Api, at_once, expect, fresh_user

pytestmark = pytest.mark.users

CLIENTS = 16
READS = 40


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
