import pytest

from bench.init import remedies
from bench.records import Try


@pytest.mark.parametrize(
    ("status", "wrong", "answer", "words"),
    [
        (400, "got 400", "Invalid HTTP_HOST header: DisallowedHost", "`ready.host`"),
        (401, "got 401", "", "log-in"),
        (403, "got 403", "", "log-in"),
        (404, "got 404", "", "is its path right"),
        (302, "got 302", "", "`expect = { status = 302 }`"),
        (500, "got 500", "no such table: items", "`prepare`"),
        (500, "got 500", "", ".bench/logs"),
        (
            None,
            "shop ended (ModuleNotFoundError: No module named 'psycopg'): see",
            "",
            "psycopg is not installed",
        ),
        (None, "shop ended (KeyError: 'STRIPE_KEY')", "", "STRIPE_KEY is not set: write it under `env`"),
    ],
)
def test_a_usual_fault_has_its_remedy(status, wrong, answer, words):
    one = Try(contender="shop", exchange="home", request="GET /", status=status, wrong=wrong, answer=answer)
    assert words in remedies.remedy(one)


def test_one_line_for_each_exchange():
    right = Try(contender="shop", exchange="home", request="GET /", status=200)
    assert remedies.line(right) == "ok     shop  home  GET /"
    assert remedies.line(Try(contender="shop", exchange="", wrong="it ended")).startswith(
        "FAILS  shop: cannot be"
    )
