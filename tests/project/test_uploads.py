"""Multipart bodies as they are written in scenarios."""

import base64

import pytest

from bench.errors import UsageError
from bench.project import scenarios
from tests.support.projects import make_project

EXCHANGE = """
[exchanges.x]
request = "POST /things"
fields = { n = { integer = [1, 9] } }
multipart = { n = "{n}", %s }
%s
[scenarios.x]
mix = { x = 1 }
"""


def read(tmp_path, parts: str, more: str = "", content: bytes = b"\xff\xd8{n}"):
    root = make_project(tmp_path, scenarios=EXCHANGE % (parts, more))
    (root / "testdata").mkdir()
    (root / "testdata" / "photo.jpg").write_bytes(content)
    (root / "testdata" / "some.thing").write_bytes(content)
    return scenarios.declared(root)["x"].exchanges[0].multipart


def test_a_file_is_read_with_its_type_and_name_which_may_be_written(tmp_path):
    found = read(
        tmp_path,
        'a = { file = "testdata/photo.jpg" }, b = [{ file = "testdata/some.thing" }, "{n}", 3], '
        'c = { file = "testdata/photo.jpg", type = "image/x", name = "me.jpg" }',
    )
    assert (found["a"]["type"], found["a"]["name"]) == ("image/jpeg", "photo.jpg")
    assert base64.b64decode(found["a"]["content"]) == b"\xff\xd8{n}"
    assert (found["b"][0]["type"], found["b"][1:]) == ("application/octet-stream", ["{n}", 3])
    assert (found["c"]["type"], found["c"]["name"]) == ("image/x", "me.jpg")


@pytest.mark.parametrize(
    ("parts", "more", "words"),
    [
        ("a = {}", "", "exchanges.x.multipart.a: it names no file: write"),
        ("a = nan", "", "exchanges.x.multipart.a: "),
        ("a = [[1]]", "", r"exchanges.x.multipart.a: \[1\] is no part: write"),
        ('a = { file = "x", kind = "y" }', "", "multipart.a.kind: unknown key: a file has file, type, name"),
        (
            'a = { file = "testdata/photo.jpg", type = "a\\r\\nb" }',
            "",
            "a.type: must be a text of one",
        ),
        ('a = { file = "/etc/passwd" }', "", "multipart.a.file: .* is no path below the project"),
        ('a = { file = "testdata/no.jpg" }', "", "multipart.a.file: there is no file .*no.jpg"),
        ('a = { file = "testdata" }', "", "multipart.a.file: there is no file"),
        ('a = "{m}"', "", "exchanges.x.multipart: x needs m, which nothing here makes"),
        ('"{n}" = "a"', "", r"exchanges.x.multipart: \{n\} is a key"),
        ('a = "b"', 'text = "c"', "text and multipart: a request has one body"),
        ('a = "b"', 'headers = { Content-Type = "x/y" }', "exchanges.x.multipart: its Content-Type follows"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_file_and_key(tmp_path, parts, more, words):
    with pytest.raises(UsageError, match=words) as refused:
        read(tmp_path, parts, more)
    assert "scenarios.toml: exchanges.x" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_of_an_exchange_have_a_limit(tmp_path):
    parts = 'a = [{ file = "testdata/photo.jpg" }, { file = "testdata/photo.jpg" }]'
    with pytest.raises(UsageError, match="is too large: 4 MB of files are allowed in a request"):
        read(tmp_path, parts, "", bytes(3 << 20))
