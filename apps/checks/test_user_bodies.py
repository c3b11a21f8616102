"""What is a body at all, in `POST /users` and `PUT /users/{id}` alike."""

import json

import pytest
from contract import Api, Write, fresh_user

pytestmark = pytest.mark.users

MALFORMED = [
    b"", b" ", b"{", b"}", b"nul", b"'text'", b"name=Ann", b"\0", b"[1,]", b"{}{}", b"{} x",
    b'{"a": 1,}', b'{"a": 01}', b"{'a': 1}", b'{"a": "\\x41"}', b'{"a": "line\nbreak"}',
    b"NaN", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}',
    b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', "é".encode("latin-1"), "{}".encode("utf-16"),  # no UTF-8
]  # fmt: skip
DEPTH = 100_000
EXTREME = [
    b"[" * DEPTH + b"]" * DEPTH,
    b'{"name":' * DEPTH + b"1" + b"}" * DEPTH,
    b'{"name": %s}' % (b"9" * 5000),  # Python's int() stops at 4,300 digits
    b'{"name": 1e999}',
]


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_json_is_400(write: Write, body: bytes):
    write(body).expect(400)


@pytest.mark.parametrize("body", [{}, {"NAME": "Ann"}, [], [fresh_user()], "text", "", 5, 1.5, True, None])
def test_json_that_is_no_user_is_422(write: Write, body: object):
    write(body).expect(422)


@pytest.mark.parametrize("body", EXTREME)
def test_json_that_few_parsers_swallow_is_refused_in_good_order(write: Write, body: bytes):
    write(body).expect(400, 422)


def test_unknown_keys_are_ignored(api: Api, write: Write):
    sent = fresh_user()
    api.expect_kept(write({"id": 1, "": {"deep": [None]}, **sent, "is_admin": True}), sent)


def test_the_last_of_repeated_keys_wins(api: Api, write: Write):
    sent = fresh_user()
    api.expect_kept(write(b'{"name": "first", ' + json.dumps(sent).encode()[1:]), sent)


@pytest.mark.parametrize("ensure_ascii", [True, False], ids=["escaped", "plain UTF-8"])
def test_unicode_is_the_same_escaped_or_not(api: Api, write: Write, ensure_ascii: bool):
    sent = fresh_user(name="é 漢字 😀 \\ /")
    api.expect_kept(write(json.dumps(sent, ensure_ascii=ensure_ascii).encode()), sent)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=iso-8859-1",
        "nonsense",
    ],
)
def test_the_content_type_is_not_looked_at(api: Api, write: Write, content_type: str | None):
    sent = fresh_user(name="é")
    content = json.dumps(sent, ensure_ascii=False).encode()
    api.expect_kept(write(content, content_type=content_type), sent)
