from dataclasses import replace

from bench.model.scenario import Expect
from bench.records import Queries
from bench.report.details import statement_table
from tests.support.synthetic import synthetic_run


def counted(contender, calls, **changes):
    facts = {"requests": 50, "statements": {"SELECT": calls}} | changes
    return Queries(contender=contender, exchange="posts", **facts)


def table_of(*queries, items=20):
    run = synthetic_run({"flask": 400}, scenarios=("hello", "posts"), rounds=1)
    hello, posts = run.scenarios
    exchange = replace(posts.exchanges[0], expect=Expect(items=items))
    return statement_table(
        replace(run, scenarios=(hello, replace(posts, exchanges=(exchange,))), queries=queries)
    )


def test_only_what_was_counted_is_in_the_table_and_controls_are_not():
    table = table_of(counted("flask", 1.0), counted("flask~aa", 1.0))
    assert (table.exchanges, list(table.counts)) == (("posts",), ["flask"])


def test_a_statement_for_each_item_of_a_list_is_told():
    assert table_of(counted("flask", 3.0)).notes == ()
    (note,) = table_of(counted("flask", 21.0)).notes
    assert note == "flask, posts: 21 statements for a list of 20: one for each of its items?"


def test_a_count_that_cannot_be_told_says_why():
    failed, unanswered = table_of(counted("flask", 1.0, failed=3), counted("django", 1.0, requests=0)).notes
    assert failed == "flask, posts: no count, as 3 requests failed meanwhile."
    assert unanswered == "django, posts: no count, as no request was answered in time."


def test_what_nobody_counted_is_not_in_the_table_and_says_why():
    nobody = counted(
        "django", 0.0, requests=0, statements={}, counted_by=None, why="a server we did not start"
    )
    table = table_of(counted("flask", 1.0), nobody, nobody)
    assert list(table.counts) == ["flask"]
    assert table.notes == ("django: not counted: a server we did not start.",)


def test_no_statement_of_any_driver_is_no_count():
    table = table_of(counted("flask", 0.0, statements={}, counted_by="driver"))
    assert (table.counts, table.notes) == ({}, ())


def test_who_counted_stands_above_the_table():
    by_driver = counted("django", 2.0, counted_by="driver", drivers=("sqlite3",))
    assert table_of(counted("flask", 1.0)).how == (
        "Counted by PostgreSQL itself (pg_stat_statements), transaction statements included, on servers that "
        "were not timed."
    )
    assert table_of(by_driver).how == (
        "Counted in the server as its driver runs them (sqlite3), transaction statements included, on "
        "servers that were not timed."
    )
    assert table_of(counted("flask", 1.0), by_driver).how.startswith(
        "Counted by PostgreSQL itself (pg_stat_statements) or in the server as its driver runs them (sqlite3)"
    )
