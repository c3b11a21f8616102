import json
import tracemalloc
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.init import har, har_entries, source
from bench.init.scenarios_file import written
from bench.project import scenarios

SAMPLE = Path(__file__).parent / "samples" / "shop.har"


def entry(url, *, method="GET", status=200, headers=(), body=None, media="application/json", answer=None):
    request = {"method": method, "url": url, "headers": [{"name": n, "value": v} for n, v in headers]}
    if body is not None:
        request["postData"] = {"mimeType": media, "text": body if isinstance(body, str) else json.dumps(body)}
    content = {"mimeType": "application/json", "text": json.dumps(answer)}
    return {"request": request, "response": {"status": status, "content": content}}


def recording(tmp_path, *entries):
    file = tmp_path / "x.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return file


def test_the_most_frequent_origin_is_taken_and_others_are_named(tmp_path):
    file = recording(
        tmp_path,
        entry("https://a.example/x"),
        entry("http://b.example:8000/y"),
        entry("http://b.example:8000/y"),
        *[entry("https://cdn.example/z.png")] * 5,
    )
    found = source.proposal(str(file))
    assert [one.request for one in found.drafts] == ["GET /y"]
    assert "other origin: https://cdn.example: requests: 5, without static files: 0" in found.notes
    assert source.proposal(str(file), host="a.example").drafts[0].request == "GET /x"
    with pytest.raises(UsageError, match=r"--host c.example: .* no request to it; did you mean .*a.example"):
        source.proposal(str(file), host="c.example")


def test_no_secret_of_a_person_is_written():
    secrets = ("hunter22", "ann@shop", "5f2b8c", "Zx8kQ2mNp4rS6tUv8wXyZa1b", "s3cr3t", "q9")
    content = (SAMPLE.with_name("shop.har.toml")).read_text()
    assert all(secret in SAMPLE.read_text() for secret in secrets)
    assert not [secret for secret in secrets if secret in content]


@pytest.mark.parametrize(
    ("authorization", "written"),
    [
        ("Bearer abcdefghijklmnop", "Bearer CHANGE-ME"),
        ("Basic dXNlcjpwYXNz", "Basic CHANGE-ME"),
        ("dXNlcjpwYXNz", "CHANGE-ME"),
        ("AWS4-HMAC-SHA256 Credential=a, Signature=b", "CHANGE-ME"),
    ],
)
def test_credentials_are_placeholders(tmp_path, authorization, written):
    file = recording(tmp_path, entry("http://a/x", headers=[("Authorization", authorization)]))
    assert har.proposal(file).drafts[0].headers == {"Authorization": written}


def test_a_token_that_an_answer_had_is_saved_there(tmp_path):
    token = "abcdefghijklmnop"
    file = recording(
        tmp_path,
        entry("http://a/login", method="POST", body={"name": "x"}, answer={"data": {"jwt": token}}),
        entry("http://a/me", headers=[("Authorization", f"Bearer {token}")]),
    )
    login, me = har.proposal(file).drafts
    assert login.save == {"saved_token": "data.jwt"}
    assert me.headers == {"Authorization": "Bearer {saved_token}"}


def test_bodies_of_other_operations_are_other_exchanges(tmp_path):
    file = recording(
        tmp_path,
        entry("http://a/q", method="POST", body={"operationName": "A", "query": "query A { a }"}),
        entry("http://a/q", method="POST", body={"operationName": "B", "query": "query B { b }"}),
        entry("http://a/q", method="POST", body={"name": "x"}),
        entry("http://a/q", method="POST", body={"name": "y"}),
    )
    found = har.proposal(file)
    assert {one.name: one.requests for one in found.drafts} == {"post-q": 2, "post-q-a": 1, "post-q-b": 1}


def test_a_body_that_the_format_cannot_hold_is_a_comment_with_the_reason(tmp_path):
    file = recording(
        tmp_path,
        entry("http://a/x", method="POST", body={"template": "{unknown}"}),
        entry("http://a/y"),
    )
    found = {one.name: one.lacks for one in source.proposal(str(file)).drafts}
    assert "post-x needs unknown, which nothing here makes" in found["post-x"]
    assert found["y"] == ""


def test_the_memory_is_that_of_an_entry(tmp_path):
    one = json.dumps(entry("http://a/users/17", answer={"text": "x" * 3_000}))
    file = tmp_path / "large.har"
    with file.open("w") as out:
        out.write('{"log": {"entries": [' + one)
        for number in range(4_000):
            out.write("," + one.replace("17", str(number)))
        out.write("]}}")
    tracemalloc.start()
    found = har.proposal(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.drafts[0].requests == 4_001
    assert peak < file.stat().st_size / 2


def test_a_long_entry_is_read_in_linear_steps(tmp_path):
    file = recording(tmp_path, entry("http://a/x", answer={"text": "x" * 20_000_000}), entry("http://a/y"))
    assert len(list(har_entries.entries(file))) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"log": {}}', "it has no log.entries: save a HAR"),
        ('{"log": {"entries": [', "its end is missing, or an entry is damaged: save it again"),
        ('{"log": {"entries": [{"a": 1} x', "its end is missing, or an entry is damaged"),
        ('{"log": {"entries": []}}', "it has no request to a page or for data: record one"),
        ('{"log": {"entries": [1, {}, {"request": {"url": "http://a:b/"}}]}}', "it has no request to a page"),
        ('{"log": {"entries": [{"a":' + "[" * 100_000, "an entry is damaged"),
    ],
)
def test_a_damaged_recording_is_refused_in_one_line(tmp_path, content, words):
    file = tmp_path / "x.har"
    file.write_text(content)
    with pytest.raises(UsageError, match=words):
        source.proposal(str(file))


def with_cookies(one, *, sends="", sets=()):
    """Return an entry with a Cookie header, or with an answer that sets cookies."""
    one["request"]["headers"] += [{"name": "Cookie", "value": sends}] if sends else []
    one["response"]["headers"] = [{"name": "Set-Cookie", "value": value} for value in sets]
    return one


FORM = "application/x-www-form-urlencoded"


def test_the_cookie_of_a_log_in_is_saved_there_and_needed_where_it_was_sent(tmp_path):
    login = entry("http://a/login", method="POST", status=302, body="user=ann&password=hunter22", media=FORM)
    file = recording(
        tmp_path,
        entry("http://a/"),
        with_cookies(login, sets=["sid=s3cr3tsession; HttpOnly", "theme=dark"]),
        with_cookies(entry("http://a/cart"), sends="other=1; sid=s3cr3tsession"),
        with_cookies(entry("http://a/cart"), sends="sid=s3cr3tsession"),
    )
    found = source.proposal(str(file))
    text = written(found)
    assert "s3cr3tsession" not in text
    (tmp_path / "scenarios.toml").write_text(text)
    mix = scenarios.read(tmp_path, tmp_path / "scenarios.toml")["mix"]
    exchanges = {one.name: one for one in mix.exchanges}
    assert mix.cookies
    assert exchanges["post-login"].save == {"session": "cookie:sid"}
    assert exchanges["cart"].needs == ("session",)
    assert exchanges["home"].needs == ()
    assert any("each connection logs in first" in note for note in found.notes)


def test_a_cookie_that_no_log_in_set_stays_a_note(tmp_path):
    tracked = entry("http://a/track", method="POST", body={"page": "/"})
    file = recording(
        tmp_path,
        with_cookies(tracked, sets=["id=1"]),
        with_cookies(entry("http://a/x"), sends="id=1"),
    )
    found = source.proposal(str(file))
    assert not any(one.needs or one.save for one in found.drafts)
    assert any("1 requests sent a cookie: none is written" in note for note in found.notes)


def uploaded(*parts):
    text = "".join(
        f"--XY\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n" for head, body in parts
    )
    return entry(
        "http://a/up", method="POST", body=f"{text}--XY--\r\n", media="multipart/form-data; boundary=XY"
    )


def test_a_multipart_body_of_texts_is_written_and_read_back(tmp_path):
    one = uploaded(('name="title"', "two\r\nlines"), ('name="tag"', "a"), ('name="tag"', "b"))
    found = source.proposal(str(recording(tmp_path, one)))
    (tmp_path / "scenarios.toml").write_text(written(found))
    (exchange,) = scenarios.read(tmp_path, tmp_path / "scenarios.toml")["mix"].exchanges
    assert exchange.multipart == {"title": "two\r\nlines", "tag": ["a", "b"]}


def test_an_upload_is_a_comment_until_its_file_is_there(tmp_path):
    file = 'name="photo"; filename="my cat.jpg"\r\nContent-Type: image/jpeg'
    (draft,) = source.proposal(str(recording(tmp_path, uploaded(('name="title"', "x"), (file, "…"))))).drafts
    place = "testdata/my-cat.jpg"
    assert draft.multipart == {
        "title": "x",
        "photo": {"file": place, "type": "image/jpeg", "name": "my cat.jpg"},
    }
    assert draft.lacks == f"a recording has no files: put {place} there, then uncomment it"


def test_parts_of_firefox_are_read_and_a_body_that_is_missing_is_named(tmp_path):
    posted = entry("http://a/up", method="POST")
    posted["request"]["postData"] = {
        "mimeType": "multipart/form-data",
        "params": [{"name": "password", "value": "hunter22"}, {"name": "n", "value": "1"}],
    }
    (draft,) = source.proposal(str(recording(tmp_path, posted))).drafts
    assert draft.multipart == {"password": "CHANGE-ME", "n": "1"}
    del posted["request"]["postData"]["params"]
    (draft,) = source.proposal(str(recording(tmp_path, posted))).drafts
    assert draft.lacks.startswith("its body is multipart, and not in the recording")
