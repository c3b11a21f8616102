"""SQL that was written for psql, in parts."""

import time
from pathlib import Path

import pytest

from bench.errors import CannotMeasure
from bench.runtime.services.psql_text import SqlPart, is_dump, parts

DUMP = Path(__file__).parents[1].joinpath("support", "shop_dump.sql").read_text()
HEAD = "-- PostgreSQL database dump\n"


def split(text):
    return list(parts("schema.sql", text))


def test_what_needs_no_psql_is_one_part():
    text = "CREATE TABLE t (a text);\n\nINSERT INTO t VALUES ('COPY t FROM stdin;');\n"
    assert split(text) == [SqlPart(sql=text, line=1)]
    assert split("\n \n") == []


def test_a_copy_takes_the_rows_after_it_whatever_they_hold():
    text = "SELECT 1;\ncopy t (a) from stdin;\nit's\n\\restrict\n\\\\.\n;\n\\.\nSELECT 2;"
    assert split(text) == [
        SqlPart(sql="SELECT 1;\n", line=1),
        SqlPart(sql="copy t (a) from stdin;", line=2, rows="it's\n\\restrict\n\\\\.\n;\n"),
        SqlPart(sql="\nSELECT 2;", line=7),
    ]
    assert split("COPY t FROM STDIN WITH (FORMAT csv);\n\\.\n") == [
        SqlPart(sql="COPY t FROM STDIN WITH (FORMAT csv);", line=1, rows="")
    ]


@pytest.mark.parametrize(
    "quoted",
    [
        "'{}'",
        "E'a\\'{}'",
        '"{}"',
        "$${}$$",
        "$body$ $$ {} $$ $body$",
        "/* it's {} */",
        "'it''s {}'",
    ],
)
def test_what_only_looks_like_psql_inside_of_a_text_stays(quoted):
    text = (
        f"SELECT {quoted.format(chr(10) + chr(92) + 'restrict' + chr(10) + 'COPY t FROM stdin;' + chr(10))};"
    )
    assert split(text) == [SqlPart(sql=text, line=1)]


def test_commands_that_change_nothing_here_are_left_out():
    text = "\\restrict abc\n\\connect -reuse-previous=on \"dbname='shop'\"\nSELECT 1;\n\\unrestrict abc\n"
    assert [part.sql.strip() for part in split(text)] == ["SELECT 1;"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\n\\i more.sql\n", r"^schema.sql line 2: \\i is a command of psql, not SQL"),
        ("\\copy t FROM 'rows.csv'", r"^schema.sql line 1: \\copy is a command of psql"),
        ("COPY t FROM stdin;\n1\n", r"^schema.sql line 1: the rows of this COPY have no end"),
        ("-- PostgreSQL database cluster dump\n", r"^schema.sql is of a whole server \(pg_dumpall\): dump"),
    ],
)
def test_what_only_psql_can_do_is_named_with_its_line(text, message):
    with pytest.raises(CannotMeasure, match=message):
        split(text)


def test_in_a_dump_the_database_is_there_already_and_the_text_is_utf_8():
    text = (
        HEAD + "SET client_encoding = 'LATIN1';\nCREATE DATABASE shop\n WITH ENCODING = 'LATIN1';\n"
        "ALTER DATABASE shop OWNER TO x;\nGRANT CONNECT ON DATABASE shop TO x;\nCREATE SCHEMA public;\n"
    )
    (part,) = split(text)
    assert part.sql.splitlines() == [
        HEAD.strip(),
        "SET client_encoding = 'UTF8';",
        *("", "", "", ""),
        "CREATE SCHEMA IF NOT EXISTS public;",
    ]
    assert split(text.removeprefix(HEAD))[0].sql == text.removeprefix(HEAD)
    assert (is_dump(text), is_dump(text.removeprefix(HEAD))) == (True, False)


def test_a_whole_dump_has_no_command_left_and_every_row():
    found = split(DUMP)
    assert [part.sql.split(" ")[1] for part in found if part.rows] == ['"Stock"."Items"', "public.users"]
    assert [part.rows.count("\n") for part in found if part.rows] == [21, 21]
    assert all(DUMP.splitlines()[part.line - 1] == part.sql for part in found if part.rows)


def test_a_large_dump_is_read_in_linear_time():
    text = HEAD + "INSERT INTO t VALUES ('it''s', E'\\\\', $$a$$, 1);\n" * 100_000
    began = time.process_time()
    assert len(split(text)) == 1
    assert time.process_time() - began < 5
