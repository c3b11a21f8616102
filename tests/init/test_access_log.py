import gzip
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.init import access_log, source
from bench.init.scenarios_file import readable, written

LINE = '127.0.0.1 - - [28/Nov/2026:10:00:00 +0000] "{} {} HTTP/1.1" {} 12 "-" "curl/8.5.0"\n'


def proposal(tmp_path, *requests):
    file = tmp_path / "access.log"
    file.write_text("".join(LINE.format(*one) for one in requests))
    return access_log.proposal(file)


def test_weights_are_the_frequencies(tmp_path):
    requests = [("GET", "/a", 200)] * 600 + [("GET", "/b", 200)] * 250 + [("GET", "/c", 302)] * 150
    found = proposal(tmp_path, *requests)
    mix = tomllib.loads(written(found))["scenarios"]["mix"]["mix"]
    assert mix == {"a": 12, "b": 5, "c": 3}


def test_a_mix_of_many_requests_has_readable_weights(tmp_path):
    found = proposal(tmp_path, *[("GET", "/a", 200)] * 4_999, ("GET", "/b", 200))
    mix = tomllib.loads(written(found))["scenarios"]["mix"]["mix"]
    assert mix == {"a": 1000, "b": 1}


def test_what_is_left_out_is_counted_by_its_reason(tmp_path):
    found = proposal(
        tmp_path,
        ("GET", "/", 200),
        ("GET", "/a.css", 200),
        ("GET", "/no", 404),
        ("GET", "/no", 500),
        ("DELETE", "/users/1", 204),
        ("DELETE", "/users/2", 204),
        ("OPTIONS", "*", 200),
    )
    assert found.left_out == {
        "static files": 1,
        "answered with a status of 4xx": 1,
        "answered with a status of 5xx": 1,
        "DELETE /users/{id}, which may write": 2,
        "no path of this server": 1,
    }


def test_no_more_than_thirty_exchanges_are_written_and_the_rest_is_counted(tmp_path):
    paths = [f"/{chr(97 + n % 20)}/{'x' * (n // 20 + 1)}" for n in range(40) for _ in range(40 - n)]
    requests = [("GET", path, 200) for path in paths]
    found = proposal(tmp_path, *requests)
    assert len(found.drafts) == 30
    assert found.left_out == {"rare requests, of 10 kinds": 55}


def test_a_log_packed_with_gzip_is_read(tmp_path):
    file = tmp_path / "access.log.1.gz"
    file.write_bytes(gzip.compress(LINE.format("GET", "/a", 200).encode()))
    assert source.proposal(str(file)).drafts[0].request == "GET /a"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(UsageError, match=r"it cannot be unpacked: .*: give a whole file"):
        source.proposal(str(file))


def test_a_file_without_a_request_is_refused_with_the_formats(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("Dear Ann,\nall is well.\n")
    with pytest.raises(UsageError, match=r"none of its 2 lines .* nginx or Apache .*gunicorn, uvicorn"):
        source.proposal(str(file))


def test_a_log_of_errors_alone_is_refused_with_what_it_has(tmp_path):
    with pytest.raises(UsageError, match=r"no request is left \(answered with a status of 4xx: 1\): record"):
        proposal(tmp_path, ("GET", "/no", 404))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('x "GET http://shop.example/a?b=1 HTTP/1.1" 200 1', ("GET", "/a?b=1", 200)),
        ('x "GET http://shop.example HTTP/1.1" 200 1', ("GET", "/", 200)),
        (r'x "GET /a\x22b HTTP/1.1" 200 1', ("GET", "/a%22b", 200)),
        ('x "GET / HTTP/1.1" 2000', None),
        ('x "get / HTTP/1.1" 200', None),
        ('x "-" 408 0', None),
    ],
)
def test_a_line_has_one_request_or_none(line, found):
    assert access_log.request_in(line) == found


TARGETS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n"), max_size=60)


METHODS = st.sampled_from(["GET", "POST", "PURGE", ""])


@given(st.lists(st.tuples(METHODS, TARGETS, st.integers(0, 999)), min_size=1))
def test_any_lines_become_a_readable_file_or_one_sentence(tmp_path_factory, requests):
    file = tmp_path_factory.mktemp("log") / "access.log"
    lines = [LINE.format(*one) for one in [*requests, ("GET", "/", 200)]]
    file.write_text("".join(lines), errors="replace")
    found = readable(access_log.proposal(file))
    content = tomllib.loads(written(found))
    assert set(content["scenarios"]["mix"]["mix"]) == set(content["exchanges"])
    assert sum(one.requests for one in found.drafts) + sum(found.left_out.values()) <= len(lines)


@given(st.binary(max_size=500))
def test_any_bytes_are_counted_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("log") / "access.log"
    file.write_bytes(content)
    with suppress(UsageError):
        assert source.proposal(str(file)).drafts
