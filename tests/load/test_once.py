"""Each exchange once: what is sent and whether the answer is right, as load will see it."""

import gzip
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.load.once import requested
from bench.model.scenario import Exchange, Expect, Scenario
from tests.support.servers import GOOD, HELLO_SCENARIO, always, server


def scenario(*exchanges, name="tried"):
    return Scenario(name=name, exchanges=exchanges, weights=(1,) * len(exchanges))


def exchange(name, request="GET /", **more):
    method, _, path = request.partition(" ")
    return Exchange(name=name, method=method, path=path, **more)


def answer(status, body, head=b""):
    return b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), head, body)


def tries(behave, *scenarios, **more):
    with server(behave) as up:
        return list(requested("shop", up.address, scenarios, **more)), up.requests


LOGIN = exchange("login", "POST /login", body={"name": "ann"}, save={"token": "token"})
ME = exchange("me", "GET /me", headers={"Authorization": "Token {token}"})


def test_a_right_answer_is_right_and_shows_what_was_sent_and_what_came():
    (one,), requests = tries(always(GOOD), HELLO_SCENARIO)
    assert (one.contender, one.exchange, one.request, one.wrong) == ("shop", "hello", "GET /", "")
    assert (one.status, one.answer) == (200, '{"message": "Hello, World!"}')
    assert len(requests) == 1


def test_an_answer_to_head_has_no_body_whatever_length_it_names():
    found, requests = tries(
        always(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nETag: x\r\n\r\n"),
        scenario(exchange("head", "HEAD /", save={"tag": "header:ETag"}), exchange("again", "HEAD /{tag}")),
    )
    assert [(one.status, one.wrong) for one in found] == [(200, "")] * 2
    assert requests[1].startswith(b"HEAD /x ")


@pytest.mark.parametrize(
    ("came", "status", "wrong"),
    [
        (answer(404, b"{}"), 404, "expected status 200"),
        (answer(200, b'{"message": "Bye"}'), 200, 'expected {"message": "Hello, World!"}'),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", None, "connection closed after 40 bytes"),
        (b"SSH-2.0\r\n\r\n", None, "malformed status line"),
        (b"", None, "connection closed after 0 bytes"),
    ],
)
def test_a_wrong_answer_says_what_was_expected_and_what_came(came, status, wrong):
    (one,), _ = tries(always(came, then="close"), HELLO_SCENARIO)
    assert one.status == status
    assert one.wrong.startswith(wrong)


def test_nobody_there_and_an_answer_that_never_comes_are_told():
    (one,) = requested("shop", ("127.0.0.1", 9), [HELLO_SCENARIO])
    assert (one.status, one.wrong) == (None, "no answer: connection refused")
    (one,), _ = tries(lambda talk: talk.request() and talk.request(), HELLO_SCENARIO, limit_s=0.2)
    assert one.wrong == "no answer within 0.2 s"


@pytest.mark.parametrize(
    ("came", "wrong"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "the answer began (200, 3 bytes so far) and did not end within 0.2 s",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "the answer began (200, 3 of 9 bytes) and did not end within 0.2 s",
        ),
        (
            b"HTTP/1.1 200 OK\r\n",
            "the answer began (17 bytes of its head so far) and did not end within 0.2 s",
        ),
    ],
)
def test_an_answer_that_never_ends_is_told_with_what_came(came, wrong):
    (one,), _ = tries(always(came), HELLO_SCENARIO, limit_s=0.2)
    assert one.wrong == wrong


def test_what_saves_a_value_goes_first_and_its_value_is_sent():
    (login, me), requests = tries(always(answer(200, b'{"token": "abc"}')), scenario(ME, LOGIN))
    assert [login.exchange, me.exchange] == ["login", "me"]
    assert me.headers == {"Authorization": "Token abc"}
    assert (login.body, login.headers) == ('{"name":"ann"}', {"Content-Type": "application/json"})
    assert [line.split()[0] for line in requests] == [b"POST", b"GET"]


def test_what_needs_a_value_that_nothing_saved_is_not_sent_and_says_so():
    (login, me), requests = tries(always(answer(401, b"{}")), scenario(ME, LOGIN))
    assert login.wrong == "expected status 200"
    assert (me.sent, me.wrong) == (False, "not sent: login did not save what it needs")
    assert {line.split()[0] for line in requests} == {b"POST"}


def test_a_value_that_is_used_up_is_saved_again_for_the_next_that_needs_it():
    create = exchange("create", "POST /things", save={"id": "id"})
    ends = [exchange(name, f"DELETE /{name}/{{id}}", consumes="id") for name in ("one", "two")]
    found, requests = tries(always(answer(200, b'{"id": 7}')), scenario(*ends, create))
    assert [one.exchange for one in found] == ["create", "one", "two"]
    assert [line.split()[0] for line in requests] == [b"POST", b"DELETE", b"POST", b"DELETE"]


def test_an_exchange_of_two_scenarios_is_requested_once():
    found, requests = tries(always(GOOD), HELLO_SCENARIO, scenario(*HELLO_SCENARIO.exchanges, name="again"))
    assert len(found) == len(requests) == 1


def test_an_answer_that_is_wrong_now_and_then_is_told_apart_from_one_that_is_wrong_each_time():
    def flaky(talk):
        for status in (503, 200, 503, 200):
            if talk.request():
                talk.send(GOOD if status == 200 else answer(503, b"busy"))

    (one,), requests = tries(flaky, HELLO_SCENARIO)
    assert (one.status, one.wrong, one.right_again) == (503, "expected status 200", 2)
    (one,), requests = tries(always(answer(503, b"busy")), HELLO_SCENARIO)
    assert (one.right_again, len(requests)) == (0, 4)


def test_what_is_created_twice_is_never_the_same():
    create = exchange("create", "POST /things", body={"name": "{name}"}, save={"id": "id"})
    create = replace(create, fields={"name": {"letters": 8}})
    ends = [scenario(exchange(name, f"DELETE /{name}/{{id}}"), create, name=name) for name in ("one", "two")]
    _, requests = tries(always(answer(200, b'{"id": 7}')), *ends)
    posted = [line for line in requests if line.startswith(b"POST")]
    assert len(posted) == len(set(posted)) == 2


def test_a_server_that_closes_each_connection_is_asked_on_new_ones():
    two = scenario(exchange("a"), exchange("b", "GET /b", expect=Expect(status=200)))
    found, _ = tries(always(GOOD, then="close"), two)
    assert [one.wrong for one in found] == ["", ""]


def test_bytes_that_no_terminal_should_see_are_not_shown():
    (one,), _ = tries(always(answer(500, b"\x00\x1b[31mred\nline" + b"x" * 9_000)), HELLO_SCENARIO)
    assert one.answer.startswith("\ufffd\ufffd[31mred line")
    assert one.answer.isprintable()
    assert len(one.answer) < 500


def test_what_can_never_be_sent_is_refused():
    with pytest.raises(UsageError, match="token"):
        tries(always(GOOD), scenario(ME))


def test_a_compressed_answer_is_shown_as_what_it_is():
    zstandard = pytest.importorskip("zstandard")
    body = b'{"message": "Hello, World!"}'
    for coding, packed in (
        ("gzip", gzip.compress(body)),
        ("zstd", zstandard.ZstdCompressor().compress(body)),
    ):
        head = f"Content-Encoding: {coding}\r\n".encode()
        (one,), _ = tries(always(answer(200, packed, head)), HELLO_SCENARIO)
        assert (one.wrong, one.answer) == ("", body.decode())
    (one,), _ = tries(always(answer(200, b"xyz", b"Content-Encoding: lzma\r\n")), HELLO_SCENARIO)
    assert one.wrong.startswith("its 3 bytes cannot be read: Content-Encoding 'lzma' is not known here")
