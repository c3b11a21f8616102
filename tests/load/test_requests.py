import json
from itertools import islice
from random import Random
from uuid import UUID

import pytest

from bench.errors import UsageError
from bench.load.answers import KnownBodies, agrees, check
from bench.load.mix import Mix
from bench.load.placeholders import Values, filled
from bench.load.requests import Request, compile_exchange
from bench.load.responses import Head
from bench.model.scenario import Exchange, Expect, Scenario
from bench.project.saves import MISSING, at_path

READ = Exchange(
    name="read",
    method="GET",
    path="/users/{id}",
    fields={"id": {"integer": [1, 10_000]}},
    expect=Expect(json={"id": "{id}"}),
)
CREATE = Exchange(
    name="create",
    method="POST",
    path="/users",
    body={"name": "{name}", "email": "{mail}@example.com"},
    fields={"name": {"letters": 5}, "mail": {"hex": 16}},
    expect=Expect(status=201, json={"name": "{name}"}),
    save={"created": "id", "etag": "header:ETag"},
)
DELETE = Exchange(
    name="delete", method="DELETE", path="/users/{created}", expect=Expect(status=204), consumes="created"
)


def scenario(*exchanges: Exchange, weights: tuple[int, ...] = ()) -> Scenario:
    return Scenario(name="s", exchanges=exchanges, weights=weights or (1,) * len(exchanges))


def first(exchange: Exchange, saved=None) -> Request:
    return compile_exchange(exchange, "127.0.0.1:80").request(Random(1), {} if saved is None else saved)


def head(status: int = 200, **fields: str) -> Head:
    return Head(status=status, fields=fields, keep_alive=True, chunked=False, length=0)


def test_a_request_without_a_body_is_its_line_and_the_host():
    assert (
        first(Exchange(name="hello", method="GET", path="/")).payload
        == b"GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"
    )


def test_a_body_is_json_with_type_and_length():
    sent_head, _, body = first(CREATE).payload.partition(b"\r\n\r\n")
    lines = sent_head.split(b"\r\n")
    assert lines[0] == b"POST /users HTTP/1.1"
    assert b"Content-Type: application/json" in lines
    assert b"Content-Length: %d" % len(body) in lines
    values = json.loads(body)
    assert values["name"].isalpha()
    assert len(values["name"]) == 5
    assert len(values["email"].removesuffix("@example.com")) == 16


def test_a_post_without_a_body_says_that_it_has_none():
    assert b"Content-Length: 0\r\n\r\n" in first(Exchange(name="touch", method="POST", path="/")).payload


def test_a_header_of_the_exchange_replaces_a_default_whatever_its_case():
    payload = first(Exchange(name="x", method="GET", path="/", headers={"HOST": "example.com"})).payload
    assert payload == b"GET / HTTP/1.1\r\nHOST: example.com\r\n\r\n"


def test_placeholders_are_filled_with_type_and_arithmetic():
    values = Values(id=7, name="ann")
    node = {"id": "{id}", "next": ["{id+1}"], "text": "{name}-{id+10}", "kept": [True, None]}
    assert filled(node, values) == {"id": 7, "next": [8], "text": "ann-17", "kept": [True, None]}


def test_the_text_of_a_value_is_filled_in_where_that_is_wanted():
    values = Values(id=7, on=True, share=2.5, name="ann")
    node = [
        "{id:text}",
        "{id+1:text}",
        "{on:text}",
        "{share:text}",
        "{name:text}",
        "no {id:text}",
        "{x:text}",
    ]
    assert filled(node, values) == ["7", "8", "true", "2.5", "ann", "no 7", "{x:text}"]
    exchange = Exchange(
        name="echo",
        method="GET",
        path="/get?n={n:text}&m={n+1}",
        fields={"n": {"integer": [4, 4]}},
        expect=Expect(json={"args": {"n": "{n:text}", "m": "{n+1:text}"}}),
    )
    asked = first(exchange)
    assert asked.line == "GET /get?n=4&m=5"
    answered = head(200)
    assert check(asked, answered, b'{"args": {"n": "4", "m": "5"}}', {}) is None
    assert "expected" in check(asked, answered, b'{"args": {"n": 4, "m": 5}}', {}).text


def test_arithmetic_and_percent_signs_survive_in_a_path():
    exchange = Exchange(
        name="p", method="GET", path="/%C3%A9?a={n}&b={n+1}", fields={"n": {"integer": [4, 4]}}
    )
    assert first(exchange).line == "GET /%C3%A9?a=4&b=5"


def test_a_saved_value_is_quoted_in_a_path_and_nowhere_else():
    exchange = Exchange(name="q", method="GET", path="/find?q={etag}", headers={"If-Match": "{etag}"})
    payload = first(exchange, {"etag": ['"a b/ü&"']}).payload.decode()
    assert payload.startswith("GET /find?q=%22a%20b%2F%C3%BC%26%22 HTTP/1.1\r\n")
    assert 'If-Match: "a b/ü&"\r\n' in payload


def test_integers_reach_both_ends_of_their_range():
    template = compile_exchange(
        Exchange(name="x", method="GET", path="/{n}", fields={"n": {"integer": [1, 3]}}), "h"
    )
    random = Random(0)
    assert {template.request(random, {}).values["n"] for _ in range(200)} == {1, 2, 3}


def test_the_same_seed_asks_the_same_whatever_the_target_and_each_connection_asks_its_own():
    def asked(host: str, seed: int, connection: int) -> list[str]:
        mix = Mix(scenario(READ, Exchange(name="list", method="GET", path="/users"), weights=(3, 1)), host)
        return [request.line for request in islice(mix.requests(seed, connection, {}), 200)]

    assert asked("a:1", 5, 0) == asked("b:2", 5, 0)
    assert asked("a:1", 5, 0) != asked("a:1", 5, 1)
    assert asked("a:1", 5, 0) != asked("a:1", 6, 0)
    assert 120 < sum(line != "GET /users" for line in asked("a:1", 5, 0)) < 180


def test_a_request_whose_variable_is_missing_gives_way_to_the_one_that_saves_it():
    saved = {}
    requests = Mix(scenario(CREATE, DELETE, weights=(1, 1_000_000)), "h").requests(1, 0, saved)
    assert next(requests).line == "POST /users"
    saved["created"] = [41, 42]
    assert [next(requests).line for _ in range(3)] == ["DELETE /users/42", "DELETE /users/41", "POST /users"]


@pytest.mark.parametrize(
    "exchanges",
    [
        pytest.param((DELETE,), id="nothing saves it"),
        pytest.param(
            (
                Exchange(name="a", method="GET", path="/{x}", save={"y": "y"}),
                Exchange(name="b", method="GET", path="/{y}", save={"x": "x"}),
            ),
            id="each waits for the other",
        ),
        pytest.param(
            (Exchange(name="a", method="GET", path="/", fields={"x": {"dice": 6}}),), id="no such generator"
        ),
    ],
)
def test_a_mix_that_can_never_be_sent_is_a_usage_error(exchanges):
    with pytest.raises(UsageError):
        Mix(scenario(*exchanges), "h")


@pytest.mark.parametrize(
    ("wanted", "actual", "agree"),
    [
        ({"id": 1}, {"id": 1, "name": "x"}, True),
        ({"id": 1}, {"name": "x"}, False),
        ({"id": None}, {}, False),
        ([{"id": 1}], [{"id": 1}, {"id": 2}], True),
        ([{"id": 1}, {"id": 2}], [{"id": 1}], False),
        ({"id": 1}, {"id": "1"}, False),
        (1, True, False),
        (0, False, False),
        (5, 5.0, True),
        ({}, [], False),
        ([], {}, False),
    ],
)
def test_json_agrees_when_it_holds_at_least_what_is_wanted(wanted, actual, agree):
    assert agrees(wanted, actual) is agree


def test_a_wrong_status_or_body_is_told_with_what_came():
    request = first(READ)
    wanted = request.values["id"]
    assert check(request, head(500), b'{"detail": "no"}', {}) == (
        "status 500",
        'expected status 200, got 500 {"detail": "no"}',
    )
    assert check(request, head(), b'{"id": 0}', {}) == (
        "body",
        f'expected {{"id": {wanted}}}, got {{"id": 0}}',
    )
    assert check(request, head(), b"<html>", {}) == ("body", f'expected {{"id": {wanted}}}, got <html>')
    assert check(request, head(), b'{"id": %d}' % wanted, {}) is None


def test_items_and_contained_text_are_counted():
    request = first(Exchange(name="x", method="GET", path="/", expect=Expect(items=2, contains="ü")))
    assert check(request, head(), '["ü", 1]'.encode(), {}) is None
    assert check(request, head(), b"[1, 2]", {}).kind == "body"
    assert check(request, head(), '["ü"]'.encode(), {}).kind == "body"
    assert check(request, head(), '{"ü": 1, "a": 2}'.encode(), {}).kind == "body"


def test_what_is_to_be_saved_is_kept_and_missed():
    request, saved = first(CREATE), {}
    body = json.dumps({"id": 9, "name": request.values["name"]}).encode()
    assert check(request, head(201, etag='"1"'), body, saved) is None
    assert saved == {"created": [9], "etag": ['"1"']}
    assert check(request, head(201), body, saved) == ("body", "expected header:ETag to save, got none")


@pytest.mark.parametrize(
    ("cookies", "key"),
    [
        ("session=abc; Path=/; HttpOnly", "abc"),
        ("theme=a\nsession=x.y-Z_1; SameSite=Lax", "x.y-Z_1"),
        ("csrf=1; Path=/\nsession=; Max-Age=0", ""),
        ("mysession=abc", None),
        ("", None),
    ],
)
def test_a_cookie_is_saved_by_its_name(cookies, key):
    request, saved = first(Exchange(name="x", method="GET", path="/", save={"key": "cookie:session"})), {}
    mismatch = check(request, head(**{"set-cookie": cookies}), b"{}", saved)
    assert saved.get("key") == ([key] if key is not None else None)
    assert (mismatch is None) == (key is not None)


def test_a_header_that_need_not_be_there_is_saved_as_nothing():
    request, saved = first(Exchange(name="x", method="GET", path="/", save={"tag": "header:ETag?"})), {}
    assert check(request, head(), b"{}", saved) is None
    assert check(request, head(etag='"1"'), b"{}", saved) is None
    assert saved == {"tag": ["", '"1"']}


def test_unchanged_is_as_good_only_where_that_is_expected():
    kept = Exchange(name="x", method="GET", path="/", expect=Expect(json={"id": 1}, unchanged=True))
    assert check(first(kept), head(304), b"", {}) is None
    assert check(first(kept), head(), b'{"id": 1}', {}) is None
    assert check(first(kept), head(), b'{"id": 2}', {}).kind == "body"
    assert check(first(READ), head(304), b"", {}).kind == "status 304"


def test_known_bodies_stay_within_their_memory():
    known = KnownBodies(limit_bytes=5_000)
    for number in range(100):
        known.remember(b"GET /%d" % number, head(), b"x" * 100)
    kept = [number for number in range(100) if known.knows(b"GET /%d" % number, head(), b"x" * 100)]
    assert 99 in kept
    assert len(kept) < 20


NESTED = {
    "user": {"token": "abc", "ids": [{"id": 7}]},
    "user.token": "dotted",
    "a": {"b.c": {"d": True}},
    "n": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user.token", "dotted"),
        ("user.ids.0.id", 7),
        ("a.b.c.d", True),
        ("n", None),
        ("user.nobody", MISSING),
        ("user.ids.1.id", MISSING),
        ("user.ids.x", MISSING),
        ("user.token.x", MISSING),
    ],
)
def test_a_value_is_found_by_its_path_and_a_key_with_dots_comes_first(path, value):
    assert at_path(path, NESTED) is value or at_path(path, NESTED) == value


def test_an_array_may_be_the_whole_answer():
    assert at_path("1.id", [{"id": 1}, {"id": 2}]) == 2
    assert at_path("2.id", [{"id": 1}, {"id": 2}]) is MISSING


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"user": {"token": "abc"}}', "user is an object, expected a value to save"),
        (b'{"user": ["abc"]}', "user is an array, expected a value to save"),
        (b'{"user": null}', "expected user to save, got null"),
        (b"{}", "expected user to save, got none"),
        (b"[]", "expected user to save, got none"),
        (b"<html>", "expected user to save, got none"),
    ],
)
def test_what_is_no_value_is_not_saved(body, text):
    request, saved = first(Exchange(name="x", method="GET", path="/", save={"user": "user"})), {}
    assert check(request, head(), body, saved) == ("body", text)
    assert saved == {}


def test_a_saved_text_cannot_begin_another_header_and_a_bool_is_written_as_json():
    exchange = Exchange(name="x", method="GET", path="/{yes}", headers={"X-A": "{bad}", "X-B": "{yes}"})
    payload = first(exchange, {"bad": ["a\r\nX-C: 1\0"], "yes": [True]}).payload
    assert (
        payload == b"GET /true HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX-A: a%0D%0AX-C: 1%00\r\nX-B: true\r\n\r\n"
    )


def test_a_number_that_was_saved_as_a_text_can_be_added_to_and_another_text_cannot():
    exchange = Exchange(name="x", method="GET", path="/{n+1}")
    assert first(exchange, {"n": ["41"]}).line == "GET /42"
    for value in ("abc", True):
        with pytest.raises(UsageError, match="not a number that can be added to"):
            first(exchange, {"n": [value]})


def test_names_may_have_capitals_and_digits():
    exchange = Exchange(
        name="x",
        method="POST",
        path="/{userId}",
        body={"a": "{id2}", "b": "{userId+1}"},
        fields={"userId": {"integer": [5, 5]}, "id2": {"integer": [6, 6]}},
    )
    assert first(exchange).payload.startswith(b"POST /5 ")
    assert first(exchange).payload.endswith(b'{"a":6,"b":6}')


def body_of(exchange: Exchange, saved=None) -> bytes:
    sent_head, _, body = first(exchange, saved).payload.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in sent_head
    return body


def test_a_form_is_encoded_as_browsers_do():
    exchange = Exchange(
        name="x",
        method="POST",
        path="/",
        form={"user name": "a&b {pw}", "n": 5, "on": True, "tag": ["x", "{pw}"]},
    )
    assert body_of(exchange, {"pw": ["é =\n"]}) == (
        b"user+name=a%26b+%C3%A9+%3D%0A&n=5&on=true&tag=x&tag=%C3%A9+%3D%0A"
    )
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in first(exchange, {"pw": [""]}).payload


@pytest.mark.parametrize(
    ("kind", "text", "sent"),
    [
        (None, 'say "{v}"', b'say "a" &"'),
        ("text/csv", "{v},{n+1}", b'a" &,8'),
        ("application/x-www-form-urlencoded", "a={v}", b"a=a%22+%26"),
        ("application/vnd.api+json; charset=utf-8", '{"a": "{v}", "n": {n}}', b'{"a": "a\\" &", "n": 7}'),
    ],
)
def test_a_text_is_sent_as_it_is_with_values_as_its_kind_needs_them(kind, text, sent):
    headers = {"Content-Type": kind} if kind else {}
    exchange = Exchange(name="x", method="PUT", path="/", headers=headers, text=text)
    assert body_of(exchange, {"v": ['a" &'], "n": [7]}) == sent


def test_braces_in_a_longer_text_stay_where_they_name_nothing():
    query = "query { user(id: {id}) {name} }"
    read = Exchange(
        name="r", method="POST", path="/", body={"query": query}, fields={"id": {"integer": [3, 3]}}
    )
    request = next(Mix(scenario(read), "h").requests(1, 0, {}))
    assert json.loads(request.payload.partition(b"\r\n\r\n")[2]) == {"query": "query { user(id: 3) {name} }"}


def test_a_text_that_has_to_be_in_an_answer_has_placeholders_too():
    exchange = Exchange(
        name="x",
        method="GET",
        path="/{id}",
        fields={"id": {"integer": [3, 3]}},
        expect=Expect(contains="<td>{id}</td><i>{css}</i>"),
    )
    request = next(Mix(scenario(exchange), "h").requests(1, 0, {}))
    assert check(request, head(), b"<td>3</td><i>{css}</i>", {}) is None
    assert check(request, head(), b"<td>4</td><i>{css}</i>", {}).kind == "body"


LOGIN = Exchange(name="login", method="POST", path="/login", save={"token": "token"})
ME = Exchange(name="me", method="GET", path="/me", headers={"Authorization": "Bearer {token}"})


def test_what_lasts_is_fetched_first_and_what_is_used_up_is_not():
    mix = Mix(scenario(LOGIN, ME, CREATE, DELETE), "h")
    assert mix.due_first({}).exchange.name == "login"
    assert mix.due_first({"token": ["t"]}) is None
    saved = {"token": ["old", "t"], "created": [1, 2], "etag": ["x"]}
    mix.keep(saved)
    assert saved == {"token": ["t"]}
    assert Mix(scenario(CREATE, DELETE), "h").is_set_up is False


def test_what_several_exchanges_save_is_fetched_anew_for_each_slice():
    visit = Exchange(name="visit", method="GET", path="/", headers={"X": "{key}{n}"}, save={"n": "n"})
    begin = Exchange(name="begin", method="GET", path="/", save={"n": "n", "key": "cookie:key"})
    mix, saved = Mix(scenario(visit, begin), "h"), {"n": [1, 2], "key": ["k"]}
    mix.keep(saved)
    assert saved == {"key": ["k"]}
    assert mix.due_first(saved).exchange.name == "begin"
    assert not mix.can_be_shared
    assert Mix(scenario(LOGIN, ME), "h").can_be_shared


def drawn(exchange: Exchange, count: int = 300) -> list[Values]:
    template, random = compile_exchange(exchange, "h"), Random(3)
    return [template.request(random, {}).values for _ in range(count)]


def test_listed_values_are_drawn_evenly_with_their_types():
    exchange = Exchange(name="x", method="GET", path="/{v}", fields={"v": {"values": ["a", "b", 3]}})
    found = [values["v"] for values in drawn(exchange, 3_000)]
    assert set(found) == {"a", "b", 3}
    assert all(900 < found.count(value) < 1_100 for value in ("a", "b", 3))


def test_a_uuid_is_of_version_4_and_follows_from_the_seed():
    exchange = Exchange(name="x", method="GET", path="/{v}", fields={"v": {"uuid": True}})
    found = [values["v"] for values in drawn(exchange)]
    assert len(set(found)) == 300
    assert all(UUID(value).version == 4 and str(UUID(value)) == value for value in found)
    assert found == [values["v"] for values in drawn(exchange)]


def test_fields_of_one_file_come_from_the_same_row_and_those_of_another_do_not():
    letters, numbers = {"csv": "a.csv", "values": [*"abc"]}, {"csv": "a.csv", "values": [1, 2, 3]}
    other = {"csv": "b.csv", "values": [1, 2, 3]}
    fields = {"letter": letters, "other": other, "number": numbers}
    exchange = Exchange(name="x", method="GET", path="/{letter}/{number}/{other}", fields=fields)
    found = {(values["letter"], values["number"]) for values in drawn(exchange)}
    assert found == {("a", 1), ("b", 2), ("c", 3)}
    assert len({(values["number"], values["other"]) for values in drawn(exchange)}) == 9


def test_a_listed_value_is_quoted_as_its_place_needs_it():
    exchange = Exchange(
        name="x",
        method="POST",
        path="/{v}",
        headers={"X-A": "{v}"},
        form={"v": "{v}"},
        fields={"v": {"values": ["a b\r\n/&é"]}},
    )
    payload = first(exchange).payload.decode()
    assert payload.startswith("POST /a%20b%0D%0A%2F%26%C3%A9 HTTP/1.1\r\n")
    assert "\r\nX-A: a b%0D%0A/&é\r\n" in payload
    assert payload.endswith("v=a+b%0D%0A%2F%26%C3%A9")


def test_items_are_counted_below_the_top_too():
    wanted = Expect(items={"data.results": 2, "data.results.0.tags": 1})
    request = first(Exchange(name="x", method="GET", path="/", expect=wanted))

    def checked(content: object):
        return check(request, head(), json.dumps(content).encode(), {})

    assert checked({"data": {"results": [{"tags": [1]}, 2]}}) is None
    few = checked({"data": {"results": [{"tags": [1]}]}})
    assert few.text.startswith("expected 2 items at data.results, got 1 of them: {")
    assert checked({"data": {"results": [{"tags": []}, 2]}}).text.startswith(
        "expected 1 items at data.results.0"
    )
    for odd in ({"data": {"results": "ab"}}, {}, [], None):
        assert checked(odd).kind == "body"


@pytest.mark.parametrize(
    ("token", "words"), [("\\ud800", "has half of a character"), ("x" * 70_000, "has 70,000 characters")]
)
def test_a_text_that_no_request_can_send_is_not_saved(token, words):
    request, saved = first(Exchange(name="x", method="GET", path="/", save={"t": "token"})), {}
    assert check(request, head(), f'{{"token": "{token}"}}'.encode(), saved).text.startswith(f"token {words}")
    assert saved == {}


def test_placeholders_in_a_contained_text_are_filled():
    exchange = Exchange(
        name="x",
        method="GET",
        path="/{v}",
        fields={"v": {"values": ["é"]}},
        expect=Expect(contains="<b>{v}</b>"),
    )
    assert check(first(exchange), head(), "<b>é</b>".encode(), {}) is None
    assert check(first(exchange), head(), b"<b>{v}</b>", {}).text.startswith("expected '<b>é</b>' in it")
