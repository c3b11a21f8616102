"""What a server compresses is checked as what it stands for."""

import gzip
import time
import tracemalloc
import zlib
from random import Random

import pytest

from bench.load.answers import KnownBodies, check
from bench.load.encodings import LARGEST_BYTES, Undecodable, decoded
from bench.load.requests import compile_exchange
from bench.load.responses import Heads, read_response
from bench.model.scenario import Exchange, Expect

TEXT = b'[{"id": 1}, {"id": 2}]' + b" " * 1_000


def raw_deflate(body: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(body) + deflate.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT, mtime=0)),
        ("gzip", gzip.compress(TEXT[:9], mtime=0) + gzip.compress(TEXT[9:], mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT), mtime=0)),
        ("identity", TEXT),
    ],
    ids=["gzip", "x-gzip", "two members", "deflate", "raw deflate", "one in the other", "identity"],
)
def test_a_body_is_what_it_was_before_it_was_encoded(encoding, body):
    assert decoded(body, encoding) == TEXT


def test_zstandard_is_known_where_python_or_a_package_has_it():
    zstandard = pytest.importorskip("zstandard")
    assert decoded(zstandard.ZstdCompressor().compress(TEXT), "zstd") == TEXT


def test_brotli_is_known_where_it_is_installed():
    brotli = pytest.importorskip("brotli")
    assert decoded(brotli.compress(TEXT), "br") == TEXT


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("compress", b"xyz", "'compress' is not known here"),
        ("gzip", TEXT, "not the gzip that its Content-Encoding names"),
        ("gzip", gzip.compress(TEXT, mtime=0)[:-4], "ends too soon"),
        ("deflate", zlib.compress(TEXT)[:-6], "ends too soon"),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"more", "not the gzip"),
    ],
)
def test_what_cannot_be_decoded_says_why(encoding, body, words):
    with pytest.raises(Undecodable, match=words):
        decoded(body, encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_body_that_stands_for_a_huge_one_costs_bounded_memory(encoding):
    bomb = bytearray()
    deflate = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    for _ in range(300):
        bomb += deflate.compress(bytes(1 << 20))
    bomb += deflate.flush()
    tracemalloc.start()
    with pytest.raises(Undecodable, match="over 64 MB once decoded"):
        decoded(bytes(bomb), encoding)
    assert tracemalloc.get_traced_memory()[1] < 3.5 * LARGEST_BYTES
    tracemalloc.stop()


def answered(body: bytes, *fields: bytes, status: bytes = b"200 OK"):
    """Return what is wrong with a response to a request that expects two items."""
    lines = b"".join(field + b"\r\n" for field in fields)
    raw = b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, lines, len(body), body)
    request = compile_exchange(
        Exchange(name="x", method="GET", path="/", expect=Expect(items=2)), "h"
    ).request(Random(1), {})
    return check(request, *read_response(raw, Heads()), {})


def test_a_compressed_answer_is_checked_by_its_content():
    compressed = gzip.compress(TEXT, mtime=0)
    assert answered(compressed, b"Content-Encoding: GZip") is None
    wrong = answered(gzip.compress(b"[1]"), b"Content-Encoding: gzip")
    assert wrong == ("body", "expected 2 items, got 1 of them: [1]")
    refused = answered(gzip.compress(b"too much"), b"Content-Encoding: gzip", status=b"429 No")
    assert refused == ("status 429", "expected status 200, got 429 too much")


def test_an_encoding_that_nobody_knows_is_named_and_its_bytes_are_counted():
    mismatch = answered(b"\x00\x01\x02", b"Content-Encoding: lzma")
    assert mismatch.kind == "body"
    assert "its 3 bytes cannot be read: Content-Encoding 'lzma' is not known here" in mismatch.text
    refused = answered(b"\x00\x01\x02", b"Content-Encoding: lzma", status=b"503 No")
    assert refused.text == "expected status 200, got 503 3 bytes of lzma"


def test_an_answer_without_a_body_may_name_an_encoding():
    raw = b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"
    exchange = Exchange(name="x", method="DELETE", path="/", expect=Expect(status=204))
    request = compile_exchange(exchange, "h").request(Random(1), {})
    assert check(request, *read_response(raw, Heads()), {}) is None


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_body_is_known_by_its_bytes_and_their_encoding(size):
    def head(fields: bytes):
        return read_response(b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % fields, Heads())[0]

    body, known = b"x" * size, KnownBodies()
    plain, encoded = head(b""), head(b"Content-Encoding: gzip\r\n")
    known.remember(b"GET /", encoded, body)
    assert known.knows(b"GET /", encoded, body)
    assert not known.knows(b"GET /", plain, body)
    assert not known.knows(b"GET /", encoded, body[1:] + b"y")


@pytest.mark.parametrize(
    "body", [b"\x00\x01\x02\x03" * 99, b"\x1b[31mred\x1b[0m and more of it", "é\u202e\u200b!".encode()]
)
def test_what_is_shown_of_a_wrong_answer_is_printable(body):
    mismatch = answered(body)
    assert mismatch.text.isprintable()
    assert len(mismatch.text) < 300


def test_many_members_are_decoded_in_linear_time():
    def seconds_for(members: int) -> float:
        body = gzip.compress(b"x" * 20, mtime=0) * members
        began = time.process_time()
        assert len(decoded(body, "gzip")) == 20 * members
        return time.process_time() - began

    short = min(seconds_for(1_500) for _ in range(3))
    assert seconds_for(15_000) < 30 * short  # ten times as many
