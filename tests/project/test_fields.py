"""Fields whose values are listed, or come from rows of a CSV file."""

import pytest

from bench.errors import UsageError
from bench.project import fields, scenarios
from tests.support.projects import make_project

USERS = 'id,email,name\n1,ann@example.com,"Ann, of é"\n2,bob@example.com,Bob\n'
EXCHANGE = """
[exchanges.x]
request = "POST /things"
body = { a = "{a}" }
fields = { a = { %s } }
[scenarios.x]
mix = { x = 1 }
"""


def read(tmp_path, how: str, content: bytes | str | None = USERS):
    root = make_project(tmp_path, scenarios=EXCHANGE % how)
    (root / "data").mkdir()
    if content is not None:
        (root / "data" / "users.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return scenarios.declared(root)["x"].exchanges[0].fields["a"]


def test_a_column_is_read_as_texts_and_as_numbers_where_that_is_written(tmp_path):
    texts = read(tmp_path / "a", 'csv = "data/users.csv", column = "name"')
    assert texts["values"] == ["Ann, of é", "Bob"]
    assert read(tmp_path / "b", 'csv = "data/users.csv", column = "id"')["values"] == ["1", "2"]
    marked = read(
        tmp_path / "c",
        'csv = "data/users.csv", column = "id", type = "number"',
        b"\xef\xbb\xbfid\r\n1\r\n2.5\r\n",
    )
    assert marked["values"] == [1, 2.5]


def test_a_query_is_kept_until_there_is_a_database(tmp_path):
    assert read(tmp_path, 'query = " select id from notes"') == {"query": " select id from notes"}
    assert fields.can_be_added_to({"query": "SELECT 1"})
    assert not fields.can_be_added_to({"query": "SELECT 1", "values": ["a"]})


@pytest.mark.parametrize(
    ("how", "content", "words"),
    [
        ("values = []", None, "exchanges.x.fields.a.values: at least one"),
        ("values = [[1]]", None, r"exchanges.x.fields.a.values: \[1\] cannot be drawn: write texts"),
        ("values = [nan]", None, "exchanges.x.fields.a.values: "),
        ("uuid = false", None, "exchanges.x.fields.a.uuid: "),
        ("uuid = true, hex = 3", None, "exchanges.x.fields.a: one of integer ="),
        ('column = "id", hex = 3', None, "exchanges.x.fields.a.column: it belongs to csv"),
        ('query = "DELETE FROM notes"', None, "exchanges.x.fields.a.query: it only reads: write SELECT"),
        ('query = "SELECT 1", column = "id"', None, "exchanges.x.fields.a.column: it belongs to csv"),
        ('query = "SELECT 1", hex = 3', None, "exchanges.x.fields.a: one of integer ="),
        ('csv = "data/users.csv"', None, "exchanges.x.fields.a.csv: it needs column ="),
        ('csv = "../users.csv", column = "id"', None, 'a.csv: "../users.csv" is no path below the project'),
        ('csv = "/etc/passwd", column = "id"', None, 'a.csv: "/etc/passwd" is no path below the project'),
        ('csv = "data/users.csv", column = "id"', None, "a.csv: there is no file .*users.csv: name it from"),
        ('csv = "data/users.csv", column = "mail"', USERS, 'a.column: .* has no column "mail".*email'),
        (
            'csv = "data/users.csv", column = "b"',
            "a,b\n1,2\n3\n",
            'users.csv, line 3: there is no value of "b"',
        ),
        ('csv = "data/users.csv", column = "a"', "a\n", "users.csv has no rows"),
        ('csv = "data/users.csv", column = "a"', "", "users.csv has no rows"),
        ('csv = "data/users.csv", column = "a"', 'a\n"x', "users.csv is no CSV file: "),
        ('csv = "data/users.csv", column = "a"', "a\nx".encode("utf-16"), "users.csv is written in UTF-16"),
        ('csv = "data/users.csv", column = "a"', b"a\n\xe9\n", "users.csv, line 2, is written in another"),
        (
            'csv = "data/users.csv", column = "a"',
            "a\n" + "1\n" * 10_001,
            "has 10,001 rows, 10,000 are allowed",
        ),
        ('csv = "data/users.csv", column = "a"', b"a" * ((4 << 20) + 1), "4 MB are allowed"),
        ('csv = "data/users.csv", column = "a"', "a\n" + "1" * 200_000, "is no CSV file: field larger"),
        (
            'csv = "data/users.csv", column = "name", type = "number"',
            USERS,
            'line 2: "Ann, of é" is no number',
        ),
        ('csv = "data/users.csv", column = "a", type = "number"', "a\ninf\n", 'line 2: "inf" is no number'),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_file_and_key(tmp_path, how, content, words):
    with pytest.raises(UsageError, match=words) as refused:
        read(tmp_path, how, content)
    assert "scenarios.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("field", "can"),
    [
        ({"integer": [1, 2]}, True),
        ({"values": [1, "2"]}, True),
        ({"values": [1, True]}, False),
        ({"values": ["a"]}, False),
        ({"hex": 4}, False),
    ],
)
def test_only_whole_numbers_can_be_added_to(field, can):
    assert fields.can_be_added_to(field) is can
