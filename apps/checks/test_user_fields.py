"""Names and e-mail addresses, in `POST /users` and `PUT /users/{id}` alike."""

import pytest
from contract import Api, Write, fresh_email, fresh_user

pytestmark = pytest.mark.users

NAMES = [
    *("x", "x" * 100, "😀" * 100, " ", "  x ", "\tline\r\nbreak\n", "\u0001\u007f", "\u2028", "\ufeff"),
    *("é", "e\u0301", "漢字", "👩\u200d👩\u200d👧"),  # the first two look alike and are not
    *("\"quoted\" 'twice'", "back\\slash \\u0041 %41 {name}", "<script>alert('&amp;')</script>", "null", "5"),
]
BROKEN_NAMES = [
    *("", "x" * 101, "😀" * 101, " " * 101, "\0", "x\0y", "\ud800", "x\udc00y"),
    *(5, 5.5, True, False, None, [], ["x"], {}, {"x": "x"}),
]

ADDRESSES = ["a{}@b.co", "first.last+tag{}@sub.example.com", "A_{}-Z@Example-1.Com"]
BROKEN_ADDRESSES = [
    *("", "plain", "a@", "@b.co", "a b@c.de", "a@b c.de", "a@b@c.de", "a@b..co", "é@b.co", "a@é.co"),
    *("a@b.co\n", "\na@b.co", " a@b.co", "a@b.co ", "a@b.co\0", "a\ud800@b.co"),
    *("a@-b.co", "a@b-.co", "a@b.c_o", f"a@{'d' * 64}.co", f"a@b.{'d' * 64}"),
    *(5, True, None, [], ["a@b.co"], {}),
]
LOCAL_64 = "{:x<64}"
DOMAIN_189 = ".".join(["d" * 63, "d" * 63, "d" * 57, "com"])


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_kept_as_it_was_sent(api: Api, write: Write, name: str):
    sent = fresh_user(name=name)
    api.expect_kept(write(sent), sent)


@pytest.mark.parametrize("name", BROKEN_NAMES)
def test_a_broken_name_is_422(write: Write, name: object):
    write(fresh_user(name=name)).expect(422)


@pytest.mark.parametrize("address", [*ADDRESSES, f"{LOCAL_64}@{DOMAIN_189}"])
def test_an_address_is_kept_as_it_was_sent(api: Api, write: Write, address: str):
    sent = fresh_user(email=address.format(fresh_email().partition("@")[0]))
    api.expect_kept(write(sent), sent)


@pytest.mark.parametrize("address", [*BROKEN_ADDRESSES, f"{'x' * 64}@d.{DOMAIN_189[1:]}"])
def test_a_broken_address_is_422(write: Write, address: object):
    write(fresh_user(email=address)).expect(422)


@pytest.mark.parametrize("missing", ["name", "email"])
def test_a_missing_field_is_422(write: Write, missing: str):
    write({key: value for key, value in fresh_user().items() if key != missing}).expect(422)


def test_a_taken_address_is_409(api: Api, write: Write):
    write(fresh_user(email=api.create()["email"])).expect(409)
    write(fresh_user(email="user1@example.com")).expect(409)


def test_addresses_that_differ_in_case_are_two(api: Api, write: Write):
    taken = api.create()["email"]
    sent = fresh_user(email=taken.upper())
    api.expect_kept(write(sent), sent)


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"name": ""}, 422), ({"email": "plain"}, 422), ({"email": "user1@example.com"}, 409)],
)
def test_a_refused_write_changes_nothing(api: Api, fields: dict[str, str], status: int):
    user = api.create()
    sent = fresh_user(name="Changed") | fields
    api.put(f"/users/{user['id']}", sent).expect(status)
    api.post("/users", sent).expect(status)
    api.get(f"/users?after={user['id'] - 1}").expect(200, body=[user])
