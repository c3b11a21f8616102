import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.responses import LARGEST_BYTES, Heads, Incoming, Malformed, TooLarge, read_response

WHOLE = {
    "with a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\ncontent-LENGTH:0\r\n\r\n", b""),
    "without a reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "no content": (b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n", b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", b""),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0006 \r\n world\r\n0\r\n\r\n",
        b"hello world",
    ),
    "chunks with extensions and trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'A;a="b"\r\n\r\n\r\n0\r\n\r\n!\r\n0;x\r\nDigest: 1\r\nX:\r\n\r\n',
        b"\r\n\r\n0\r\n\r\n!",
    ),
    "after 103 and 100": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
        b"{}",
    ),
    "the same length twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", b"ok"),
}
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"14\r\n" + b"x" * 20 + b"\r\n"
MALFORMED = {
    "not HTTP": b"SSH-2.0-OpenSSH\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "bare line feeds in the head": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "folded header": LENGTH + b" 3\r\n\r\nok",
    "header without a colon": LENGTH + b"oops\r\n\r\nok",
    "two lengths": LENGTH + b"Content-Length: 3\r\n\r\nok",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "length of another script": "HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\n".encode("latin-1"),
    "length and chunks": LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "body of a 204": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    "bytes after the body": LENGTH + b"\r\nokay",
    "bytes after the chunks": CHUNKED + b"0\r\n\r\nmore",
    "chunk size in words": CHUNKED + b"five\r\nhello\r\n0\r\n\r\n",
    "signed chunk size": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "chunk longer than it says": CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
    "malformed trailer": CHUNKED + b"0\r\noops\r\n\r\n",
    "head without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    "chunk size without end": CHUNKED + b"0" * 10_000,
}


def arriving(raw: bytes, cuts: list[int]) -> list:
    """Read *raw* cut at *cuts*, piece by piece as the loop does; the results one by one."""
    incoming, ends = Incoming(Heads()), [*sorted(cuts), len(raw)]
    return [incoming.take(raw[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(("raw", "body"), WHOLE.values(), ids=WHOLE)
def test_every_byte_may_arrive_alone(raw, body):
    *before, (head, read) = arriving(raw, list(range(1, len(raw))))
    assert not any(before)
    assert read == body
    assert head.keep_alive


@given(
    body=st.binary(max_size=200),
    sizes=st.lists(st.integers(1, 40), max_size=8),
    name=st.sampled_from(["Date", "x-A", "SERVER"]),
    cuts=st.lists(st.integers(0, 600), max_size=10),
)
def test_any_body_split_anywhere_reads_the_same_with_a_length_or_in_chunks(body, sizes, name, cuts):
    plain = b"HTTP/1.1 200 OK\r\n%b: v\r\nContent-Length: %d\r\n\r\n%b" % (name.encode(), len(body), body)
    chunks, rest = b"", body
    for size in [*sizes, len(body)]:
        piece, rest = rest[:size], rest[size:]
        chunks += b"%X\r\n%b\r\n" % (len(piece), piece) if piece else b""
    chunked = b"HTTP/1.1 200 OK\r\n%b: v\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (
        name.encode(),
        chunks,
    )
    for raw in (plain, chunked):
        *before, (head, read) = arriving(raw, [cut for cut in cuts if cut < len(raw)])
        assert not any(before)
        assert (head.status, head.fields[name.lower()], read) == (200, "v", body)


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_what_breaks_the_rules_is_malformed(raw):
    with pytest.raises(Malformed):
        read_response(raw, Heads())


@given(st.binary(max_size=100))
def test_no_bytes_at_all_are_taken_for_a_response_or_crash(noise):
    for raw in (noise, CHUNKED + noise, LENGTH + noise):
        try:
            response = read_response(raw, Heads())
        except Malformed:
            continue
        assert response is None or raw.startswith(b"HTTP/1.")


def test_without_length_or_chunks_the_body_ends_with_the_connection():
    raw = b"HTTP/1.0 200 OK\r\n\r\nhel"
    assert read_response(raw, Heads()) is None
    head, body = read_response(raw + b"lo", Heads(), ended=True)
    assert body == b"hello"
    assert not head.keep_alive
    assert not Heads()[b"HTTP/1.1 200 OK\r\n\r\n"].keep_alive


def test_a_response_cut_short_never_becomes_whole():
    for raw in (LENGTH + b"\r\no", CHUNKED + b"5\r\nhel", CHUNKED + b"0\r\n", LENGTH, b""):
        assert read_response(raw, Heads(), ended=True) is None


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        ("1.1", "keep-alive", True),
        ("1.1", "Upgrade, Close", False),
        ("1.1", "x", True),
        ("1.0", "x", False),
        ("1.0", "Keep-Alive", True),
    ],
)
def test_whether_a_connection_stays_is_the_heads_word(version, connection, keep_alive):
    raw = f"HTTP/{version} 200 OK\r\nConnection: {connection}\r\nContent-Length: 0\r\n\r\n".encode()
    head, _ = read_response(raw, Heads())
    assert head.keep_alive is keep_alive


def test_heads_are_remembered_but_not_for_ever():
    heads = Heads()
    for second in range(3_000):
        read_response(b"HTTP/1.1 204 No Content\r\nDate: %d\r\n\r\n" % second, heads)
    assert 0 < len(heads) < 2_000


LINES = b"X: y\r\n"
ARRIVALS = {  # a response of so many parts, and the bytes that arrive at a time
    "chunks that arrive one by one": (lambda n: CHUNKED + n * CHUNK + b"0\r\n\r\n", len(CHUNK)),
    "chunks cut anywhere": (lambda n: CHUNKED + n * CHUNK + b"0\r\n\r\n", 1_000),
    "chunks by the megabyte": (lambda n: CHUNKED + 4 * n * CHUNK + b"0\r\n\r\n", 1 << 20),
    "a head in single bytes": (lambda n: LENGTH + n * LINES + b"\r\nok", 1),
    "trailers in single bytes": (lambda n: CHUNKED + b"0\r\n" + n * LINES + b"\r\n", 1),
    "early hints": (lambda n: n * b"HTTP/1.1 103 A\r\n\r\n" + LENGTH + b"\r\nok", 1 << 20),
}


def seconds_for(raw: bytes, piece: int) -> float:
    incoming = Incoming(Heads())
    began = time.process_time()
    taken = [incoming.take(raw[at : at + piece]) for at in range(0, len(raw), piece)]
    took = time.process_time() - began
    assert taken[-1] is not None
    assert taken[:-1].count(None) == len(taken) - 1
    return took


@pytest.mark.parametrize("name", ARRIVALS)
def test_an_answer_in_many_parts_is_read_in_linear_time(name):
    made, piece = ARRIVALS[name]
    short, long = (min(seconds_for(made(n), piece) for _ in range(3)) for n in (2_000, 8_000))
    assert long < 9 * short  # what starts over with each piece would need sixteen times as long


def test_of_a_body_that_nobody_looks_at_only_the_beginning_is_kept():
    incoming = Incoming(Heads(), keep_bytes=10)
    incoming.take(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
    results = [incoming.take(b"x" * 50_000) for _ in range(100)]
    assert results[:-1] == [None] * 99
    assert len(results[-1][1]) <= 50_000
    assert incoming.body_bytes == 5_000_000


@pytest.mark.parametrize("framing", [b"", b"Transfer-Encoding: chunked\r\n"])
def test_an_answer_that_never_ends_is_too_large_at_some_time(framing):
    incoming = Incoming(Heads(), keep_bytes=0)
    incoming.take(b"HTTP/1.1 200 OK\r\n%b\r\n" % framing)
    piece = b"x" * (1 << 20)
    piece = b"100000\r\n%b\r\n" % piece if framing else piece
    assert [incoming.take(piece) for _ in range(64)] == [None] * 64
    with pytest.raises(TooLarge, match="over 64 MB of the answer came"):
        incoming.take(piece)


def test_an_answer_that_announces_too_much_is_refused_at_once():
    with pytest.raises(TooLarge, match="67,108,865 bytes are announced, 64 MB allowed"):
        read_response(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % (LARGEST_BYTES + 1), Heads())


@pytest.mark.parametrize(
    ("raw", "words", "open_ended"),
    [
        (CHUNKED + b"5\r\nhello\r\n", "the answer began (200, 5 bytes so far)", True),
        (b"HTTP/1.0 503 No\r\n\r\n" + b"x" * 1234, "the answer began (503, 1,234 bytes so far)", True),
        (LENGTH + b"\r\no", "the answer began (200, 1 of 2 bytes)", False),
        (b"HTTP/1.1 200 OK\r\nX", "the answer began (18 bytes of its head so far)", False),
    ],
)
def test_what_has_come_so_far_can_be_named(raw, words, open_ended):
    incoming = Incoming(Heads())
    assert incoming.take(raw) is None
    assert (incoming.so_far(), incoming.is_open_ended) == (words, open_ended)
