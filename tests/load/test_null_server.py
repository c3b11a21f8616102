"""The null server: it has to satisfy the same verification as a real one."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import psutil
import pytest

from bench.errors import CannotMeasure
from bench.load.answers import check
from bench.load.driver import LocustLoad
from bench.load.mix import Mix
from bench.load.null.responder import responder
from bench.load.null.right_answers import answers
from bench.load.null.server import HELLO, null_server
from bench.load.responses import Heads, read_response
from bench.loads import Closed
from bench.model.cell import Cell, Slice
from bench.model.scenario import Exchange, Expect, Scenario
from bench.project import scenarios

OURS = scenarios.declared(Path(__file__).parents[2])
CRUD = OURS["users-crud"]


def scenario(*exchanges: Exchange) -> Scenario:
    return Scenario(name="made", exchanges=exchanges, weights=(1,) * len(exchanges))


def asked(asked_scenario: Scenario, response_bytes: int = 0, requests: int = 400):
    """Ask as one connection does; return lengths of responses, and what was wrong with them."""
    respond, saved = responder(answers(asked_scenario, response_bytes)), {}
    heads = {is_head: Heads(bodiless=is_head) for is_head in (False, True)}
    lengths, wrong = [], []
    for request in islice(Mix(asked_scenario, host="localhost:1").requests(7, 3, saved), requests):
        response = respond(request.payload)
        head, body = read_response(response, heads[request.template.is_head])
        lengths.append(len(response))
        wrong += [mismatch] if (mismatch := check(request, head, body, saved)) else []
    return lengths, wrong


@pytest.mark.parametrize("name", OURS)
def test_every_scenario_of_the_project_is_answered_as_expected(name):
    assert asked(OURS[name])[1] == []


ITEM = Exchange(
    name="item",
    method="POST",
    path="/lists/{list}/items?sort=a-z",
    headers={"X-Trace": "t-{trace}", "Accept": "application/json"},
    body={"number": "{n}", "label": "{n} of {list}", "tags": ["{tag}", "100 %", "{x}"], "none": None},
    fields={
        "list": {"hex": 6},
        "trace": {"letters": 5},
        "n": {"integer": [-5, 300]},
        "tag": {"letters": 3},
        "x": {"hex": 2},
    },
    expect=Expect(
        status=201,
        json={
            "number": "{n}",
            "next": "{n+1}",
            "label": "{n} of {list}, 100 %",
            "by": ["{trace}", {"é": "{tag}"}, True],
        },
    ),
    save={"made": "id", "mark": "header:ETag", "label_tag": "tag"},
)
READ = Exchange(
    name="read",
    method="GET",
    path="/items/{made}",
    headers={"If-Match": "{mark}"},
    expect=Expect(json={"id": "{made}", "etag": "{mark}"}),
)


@pytest.mark.parametrize(
    "exchanges",
    [
        pytest.param([ITEM], id="values of path, header and body, nested, typed, counted on"),
        pytest.param([ITEM, READ], id="saved values, of a key and of a header"),
        pytest.param(
            [
                Exchange(
                    name="create",
                    method="POST",
                    path="/",
                    fields={"word": {"letters": 4}, "n": {"integer": [1, 9]}},
                    body=["{word}", "{n}"],
                    expect=Expect(json={"word": "{word}", "n": "{n}"}),
                    save={"kept": "word", "number": "n"},
                ),
                Exchange(
                    name="use",
                    method="PUT",
                    path="/{kept}",
                    body={"n": "{number}"},
                    consumes="kept",
                    expect=Expect(json=["{kept}", "{number+1}"]),
                ),
            ],
            id="saved values that differ each time",
        ),
        pytest.param(
            [
                Exchange(name="any", method="GET", path="/{word}", fields={"word": {"letters": 4}}),
                Exchange(name="this", method="GET", path="/this", expect=Expect(contains="<b>5 %</b>")),
            ],
            id="a fixed path that another one's pattern fits, and HTML",
        ),
        pytest.param(
            [Exchange(name="few", method="GET", path="/?q=a+b c", expect=Expect(items=3, json=[{"a": 1}]))],
            id="more items than are shown, and a path that has to be quoted",
        ),
        pytest.param(
            [Exchange(name="all", method="GET", path="/", expect=Expect(items=2))], id="items of any kind"
        ),
        pytest.param(
            [
                Exchange(
                    name="deep",
                    method="GET",
                    path="/{n}",
                    fields={"n": {"integer": [1, 9]}},
                    expect=Expect(
                        json={"data": {"results": [{"id": "{n}"}]}, "n": "{n}"},
                        items={"data.results": 3, "data.results.1.tags": 2, "more": 0},
                    ),
                    save={"next": "data.next"},
                )
            ],
            id="items below the top",
        ),
        pytest.param(
            [
                Exchange(
                    name="both",
                    method="GET",
                    path="/",
                    expect=Expect(json={"a": [1, 2]}, contains='"a": [1'),
                )
            ],
            id="JSON that also has to contain text with spaces",
        ),
        pytest.param(
            [Exchange(name="away", method="DELETE", path="/", expect=Expect(status=204))], id="no body"
        ),
        pytest.param(
            [
                Exchange(name="head", method="HEAD", path="/{n}", fields={"n": {"integer": [1, 9]}}),
                Exchange(name="options", method="OPTIONS", path="/", expect=Expect(contains="x")),
            ],
            id="other safe methods",
        ),
        pytest.param(
            [Exchange(name="odd", method="POST", path="/", expect=Expect(status=299))],
            id="a status unheard of",
        ),
        pytest.param(
            [Exchange(name="fixed", method="POST", path="/", body={"a": 1}, expect=Expect(json={"b": None}))],
            id="a fixed request with a body",
        ),
        pytest.param(
            [
                Exchange(
                    name="login",
                    method="POST",
                    path="/login",
                    form={"user name": "a&b", "password": "{pw}", "n": 5},
                    fields={"pw": {"letters": 5}},
                    expect=Expect(json={"user": {"name": "a"}}),
                    save={"token": "user.token", "firstId": "items.0.id", "on": "flags.on.x", "n": "plain"},
                ),
                Exchange(
                    name="use",
                    method="GET",
                    path="/{firstId}",
                    headers={"Authorization": "Token {token}", "X-On": "{on}{n}"},
                    expect=Expect(json={"id": "{firstId}"}),
                ),
            ],
            id="a form, and values that are saved from deep inside",
        ),
        pytest.param(
            [
                Exchange(
                    name="upload",
                    method="POST",
                    path="/upload",
                    headers={"Content-Type": "multipart/form-data; boundary=cut"},
                    text='--cut\r\nContent-Disposition: form-data; name="a"\r\n\r\n{word}{n}\r\n--cut--\r\n',
                    fields={"word": {"letters": 4}, "n": {"integer": [1, 99]}},
                    expect=Expect(status=201, json={"word": "{word}", "n": "{n}"}),
                )
            ],
            id="a text with lines",
        ),
        pytest.param(
            [
                Exchange(
                    name="page",
                    method="GET",
                    path="/{id}",
                    fields={"id": {"integer": [1, 99]}},
                    expect=Expect(contains="<b>{id} 5 %</b>{css}"),
                )
            ],
            id="a text with a value in it, and with braces",
        ),
        pytest.param(
            [
                Exchange(
                    name="query",
                    method="POST",
                    path="/",
                    body={"query": "query { user(id: {id}) {name} }"},
                    fields={"id": {"integer": [1, 99]}},
                    expect=Expect(json={"data": {"id": "{id}"}}),
                )
            ],
            id="a body with braces of its own",
        ),
        pytest.param(
            [
                Exchange(
                    name="echo",
                    method="POST",
                    path="/{id}",
                    body={"n": "{id:text}"},
                    fields={"id": {"integer": [1, 99]}},
                    expect=Expect(json={"id": "{id:text}", "next": "{id+1:text}", "plain": "{id}"}),
                    save={"kept": "id"},
                ),
                Exchange(
                    name="use",
                    method="PUT",
                    path="/kept/{kept}",
                    body={"n": "{kept}"},
                    consumes="kept",
                    expect=Expect(json=["{kept}", "{kept:text}"]),
                ),
            ],
            id="numbers as texts",
        ),
    ],
)
def test_what_an_exchange_expects_is_made_from_its_request(exchanges):
    assert asked(scenario(*exchanges))[1] == []


def test_what_the_request_does_not_tell_is_a_failure_that_shows():
    secret = Exchange(
        name="secret",
        method="GET",
        path="/",
        fields={"n": {"integer": [5, 9]}},
        expect=Expect(json={"n": "{n}"}),
    )
    _, wrong = asked(scenario(secret), requests=5)
    assert {mismatch.kind for mismatch in wrong} == {"body"}


@pytest.mark.parametrize("name", ["hello", "users-read", "users-crud"])
@pytest.mark.parametrize("response_bytes", [900, 20_000])
def test_responses_have_the_length_asked_for_on_average(name, response_bytes):
    lengths, wrong = asked(OURS[name], response_bytes, requests=2_000)
    assert sum(lengths) / len(lengths) == pytest.approx(response_bytes, rel=0.03)
    assert wrong == []


@pytest.mark.parametrize("response_bytes", [30_000, 5_000_000])
def test_a_large_answer_that_nobody_looks_at_is_made_quickly_and_once(response_bytes):
    big = Exchange(name="big", method="GET", path="/big")
    began = time.process_time()
    lengths, wrong = asked(scenario(big), response_bytes, requests=3)
    assert time.process_time() - began < 5
    assert lengths == [response_bytes] * 3
    assert wrong == []


def test_answers_that_cannot_have_a_body_are_not_padded():
    away = Exchange(name="away", method="DELETE", path="/", expect=Expect(status=204))
    assert [answer.padding_bytes for answer in answers(scenario(away), 10**9)] == [0]


def test_padding_is_bounded():
    assert answers(scenario(Exchange(name="x", method="GET", path="/")), 10**12)[0].padding_bytes <= 64 << 20


def test_a_large_request_reaches_the_null_server():
    upload = Exchange(name="upload", method="POST", path="/", text="x" * 300_000)
    with null_server(scenario(upload)) as null:
        request = next(Mix(scenario(upload), host="localhost").requests(1, 0, {}))
        assert talk(null.address, request.payload).startswith(b"HTTP/1.1 200 ")


def test_a_response_is_never_cut_to_length():
    assert asked(OURS["posts-feed"], 10)[0] == asked(OURS["posts-feed"], 0)[0]


def talk(address, *pieces, pause_s=0.0):
    """Send *pieces* one after another; return all that comes until nothing more does."""
    with socket.create_connection(address, timeout=5) as sock:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause_s)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65_536), b""))


def test_it_serves_whole_requests_however_they_come_and_404_to_strangers():
    body = b'{"name":"abcdefghijkl","email":"0123456789abcdef@example.com"}'
    head = b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with null_server(CRUD) as null:
        assert json.loads(talk(null.address, head, body, pause_s=0.05).partition(b"\r\n\r\n")[2]) == {
            "id": 1,
            "name": "abcdefghijkl",
            "email": "0123456789abcdef@example.com",
        }
        assert talk(null.address, head[:30], head[30:], body[:9], pause_s=0.02) == b""
        assert talk(null.address, b"GET /nowhere HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
        assert talk(null.address, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 404 ")
        assert talk(null.address, b"DELETE /users/1 HTTP/1.1\r\n\r\n") == (b"HTTP/1.1 204 No Content\r\n\r\n")


def test_it_tells_its_process_until_that_has_ended():
    with null_server(HELLO) as null:
        (pid,) = null.pids()
        assert talk(null.address, b"GET / HTTP/1.1\r\n\r\n").endswith(b'\r\n\r\n{"message":"Hello, World!"}')
        os.kill(pid, 9)
        null.process.wait()
        assert null.pids() == ()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_it_stays_on_its_core():
    core = max(os.sched_getaffinity(0))
    with null_server(HELLO, cores=[core]) as null:
        assert os.sched_getaffinity(null.pids()[0]) == {core}


def test_one_that_does_not_start_says_why():
    with pytest.raises(CannotMeasure, match=r"^the null server did not start: .*argument"):
        null_server(HELLO, cores=[10**6]).__enter__()


def test_it_ends_with_its_parent():
    program = """
import os
from bench.load.null.server import HELLO, null_server
with null_server(HELLO) as null:
    print(null.pids()[0], flush=True)
    os.kill(os.getpid(), 9)
"""
    parent = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(parent.stdout)
    deadline = time.monotonic() + 5
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(pid)


def runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_the_load_generator_finds_nothing_wrong_with_it():
    step = Slice(
        cell=Cell(contender="n", scenario="users-crud", load=Closed(connections=4)),
        role="ceiling",
        round=1,
        sweep=0,
        seed=3,
        lead_in_s=0.05,
        window_s=0.3,
    )
    with null_server(CRUD, 600) as null, LocustLoad() as load:
        load.prepare({"n": null.address}, [CRUD])
        load.begin(step)
        sample = load.finish()
    assert sample.requests > 0
    assert sample.failed == 0
    assert sample.received_bytes / sample.requests == pytest.approx(600, rel=0.1)


AWKWARD = ["a@x.com", "b c", 'say "hi" \\', "ü/é?&=%+", "", "7", 7, 2.5, True, "{v}", "line\nend"]


@pytest.mark.parametrize(
    "sent",
    [
        {"path": "/x/{v}/end"},
        {"headers": {"X-V": "<{v}>"}},
        {"body": {"v": "{v}", "more": ["{v}"]}},
        {"body": {"text": "it is {v}, then", "z": 1}},
        {"form": {"v": "{v}", "w": "w"}},
        {"text": "value {v}\r\nend"},
        {"text": '{"v": "{v}"}', "headers": {"Content-Type": "application/json"}},
    ],
    ids=["path", "header", "JSON value", "part of a JSON text", "form", "text", "JSON text"],
)
@pytest.mark.parametrize(
    "expect",
    [
        Expect(json={"a": "is {v}.", "b": [1, "{v}"]}),
        Expect(json={"a": ["{v:text}"]}),
        Expect(contains="<{v}>"),
    ],
)
def test_values_of_all_kinds_come_back_as_each_place_needs_them(sent, expect):
    exchange = Exchange(
        name="x",
        method="POST",
        fields={"v": {"values": [value for value in AWKWARD if value != "7" or "body" in sent]}},
        expect=expect,
        **{"path": "/", **sent},
    )
    if expect.json and "body" not in sent:  # 7 and "7" look the same there
        exchange = replace(exchange, fields={"v": {"values": [one for one in AWKWARD if one != 7]}})
    if expect.json and sent.get("body", {}).get("text"):
        exchange = replace(exchange, fields={"v": {"values": [one for one in AWKWARD if one != 7]}})
    assert asked(scenario(exchange))[1] == []


def test_rows_of_a_file_come_back_and_numbers_in_them_can_be_added_to():
    rows = {"id": [4, 5, 6], "code": ["04", "05", "06"], "mail": ["a@x.y", "b@x.y", "c d@x.y"]}
    exchange = Exchange(
        name="x",
        method="POST",
        path="/{id}?mail={mail}",
        body={"id": "{id}", "mail": "{mail}", "uuid": "{uuid}"},
        fields={"uuid": {"uuid": True}}
        | {name: {"csv": "a.csv", "values": values} for name, values in rows.items()},
        headers={"X-Code": "{code}"},
        expect=Expect(
            json={"id": "{id}", "next": "{id+1}", "code": "{code}", "mail": "{mail}", "u": "{uuid}"}
        ),
        save={"kept": "mail"},
    )
    use = Exchange(name="use", method="GET", path="/{kept}", expect=Expect(json={"mail": "{kept}"}))
    assert asked(scenario(exchange, use))[1] == []


def test_a_request_that_arrives_in_pieces_is_answered_when_it_is_whole():
    exchange = Exchange(
        name="x",
        method="POST",
        path="/",
        text="{v}",
        fields={"v": {"values": ["a b c"]}},
        expect=Expect(contains="<{v}>"),
    )
    respond = responder(answers(scenario(exchange)))
    request = next(Mix(scenario(exchange), host="h").requests(1, 0, {})).payload
    assert [respond(request[:end]) for end in range(len(request))] == [b""] * len(request)
    assert respond(request).endswith(b"<a b c>")
