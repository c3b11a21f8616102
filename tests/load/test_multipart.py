"""Multipart bodies: what is sent is read by the standard library's parser, and the null server knows it."""

import base64
from email import message_from_bytes
from itertools import islice
from random import Random

from bench.load.answers import check
from bench.load.driver import LocustLoad
from bench.load.mix import Mix
from bench.load.multipart import border
from bench.load.null.responder import responder
from bench.load.null.right_answers import answers
from bench.load.null.server import null_server
from bench.load.once import requested
from bench.load.requests import compile_exchange
from bench.load.responses import Heads, read_response
from bench.loads import Closed
from bench.model.cell import Cell, Slice
from bench.model.scenario import Exchange, Expect, Scenario
from tests.support.servers import Talk, server

PHOTO = bytes(range(256)) * 300 + b"{n}"


def file(content: bytes, name: str = "photo.jpg") -> dict[str, str]:
    return {
        "file": f"testdata/{name}",
        "type": "image/jpeg",
        "name": name,
        "content": base64.b64encode(content).decode(),
    }


UPLOAD = Exchange(
    name="upload",
    method="POST",
    path="/photos",
    multipart={"title": "photo {n} of é", "tags": ["{n}", "x", 3, True], "photo": file(PHOTO), "end": "{v}"},
    fields={"n": {"integer": [1, 99]}, "v": {"values": ["a\r\nb", "c"]}},
    expect=Expect(status=201, json={"n": "{n}", "v": "{v}"}),
)
SCENARIO = Scenario(name="s", exchanges=(UPLOAD,), weights=(1,))


def parts_of(payload: bytes):
    head, _, body = payload.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert int(fields[b"Content-Length"]) == len(body)
    message = message_from_bytes(b"Content-Type: " + fields[b"Content-Type"] + b"\r\n\r\n" + body)
    assert message.is_multipart()
    return message.get_payload()


def test_a_parser_reads_texts_and_files_as_they_are_meant():
    request = compile_exchange(UPLOAD, "h").request(Random(1), {})
    n, v = request.values["n"], request.values["v"]
    title, first, second, third, fourth, photo, end = parts_of(request.payload)
    assert title.get_param("name", header="content-disposition") == "title"
    assert title.get_payload(decode=True) == f"photo {n} of é".encode()
    tags = [part.get_payload(decode=True) for part in (first, second, third, fourth)]
    assert tags == [str(n).encode(), b"x", b"3", b"true"]
    assert (photo.get_content_type(), photo.get_filename()) == ("image/jpeg", "photo.jpg")
    assert photo.get_payload(decode=True) == PHOTO  # braces in a file are no placeholders
    assert end.get_payload(decode=True) == v.encode()


def test_a_quote_or_line_end_in_a_name_cannot_begin_another_header():
    exchange = Exchange(name="x", method="POST", path="/", multipart={'a"\r\nX: y': file(b"x", 'p".jpg')})
    payload = compile_exchange(exchange, "h").request(Random(1), {}).payload
    assert b'name="a%22%0D%0AX: y"; filename="p%22.jpg"\r\n' in payload


def test_the_boundary_is_always_the_same_and_never_inside_of_a_part():
    usual = border({"a": "x"})
    assert border({"b": file(PHOTO)}) == usual
    assert usual not in (border({"a": f"--{usual}"}), border({"a": file(b"\r\n--" + usual.encode())}))


def test_the_null_server_answers_uploads_also_when_they_arrive_in_pieces():
    respond, saved = responder(answers(SCENARIO)), {}
    for request in islice(Mix(SCENARIO, host="h").requests(1, 0, saved), 50):
        assert respond(request.payload[:70_000]) == b""
        head, body = read_response(respond(request.payload), Heads())
        assert check(request, head, body, saved) is None


def test_large_uploads_reach_the_null_server_under_load():
    exchange = Exchange(
        name="u",
        method="POST",
        path="/",
        multipart={"n": "{n}", "f": file(bytes(3 << 20))},
        fields={"n": {"integer": [1, 99]}},
        expect=Expect(json={"n": "{n}"}),
    )
    scenario = Scenario(name="s", exchanges=(exchange,), weights=(1,))
    cell = Cell(contender="t", scenario="s", load=Closed(connections=2))
    step = Slice(cell=cell, role="ceiling", round=1, sweep=1, seed=1, lead_in_s=0.2, window_s=1.0)
    with null_server(scenario) as null, LocustLoad() as load:
        load.prepare({"t": null.address}, [scenario])
        load.begin(step)
        sample = load.finish()
    assert sample.failed == 0
    assert sample.requests > 0


def test_a_server_gets_the_upload_when_it_is_tried():
    bodies = []

    def behave(talk: Talk) -> None:
        while talk.request():
            bodies.append(talk._requests[-1])
            talk.send(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")

    exchange = Exchange(
        name="u", method="POST", path="/", multipart={"f": file(PHOTO)}, expect=Expect(status=201)
    )
    with server(behave) as up:
        (one,) = requested("shop", up.address, [Scenario(name="s", exchanges=(exchange,), weights=(1,))])
    assert (one.wrong, one.status) == ("", 201)
    assert one.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert PHOTO in bodies[0]
