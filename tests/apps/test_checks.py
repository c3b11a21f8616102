"""The contract's checks, held against an app that keeps it and against apps that do not."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.checking import Outcome, run_checks, run_checks_against
from tests.support.reference_app import EMAIL, SEEDED, ReferenceApp
from tests.support.wrong_apps import WRONG_APPS, HelloOnly, Strange

APPS = Path(__file__).parents[2] / "apps"
EXCEPTION = "\nE  "  # what pytest puts before its lines


def run_checks_against_wrong(wrong: str) -> Outcome:
    overrides, _, *file = WRONG_APPS[wrong]
    return run_checks_against(type("WrongApp", (ReferenceApp,), overrides)(), "-x", file="".join(file))


def test_an_app_that_keeps_the_contract_passes_every_check_and_has_its_data_back(tmp_path: Path):
    app = ReferenceApp()
    kept = {number: user for number, user in app.users.items() if number < SEEDED}  # a check deletes the last
    outcome = run_checks_against(app, "--junitxml", str(tmp_path / "junit.xml"))
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0].attrib
    assert outcome.returncode == 0, outcome.stdout
    assert int(suite["tests"]) > 500
    assert suite["skipped"] == "0"
    assert app.users == kept


def test_without_the_destructive_checks_all_data_is_as_it_was():
    app = ReferenceApp()
    users, posts = dict(app.users), dict(app.posts)
    assert run_checks_against(app, "-m", "not destructive").returncode == 0
    assert (app.users, app.posts) == (users, posts)


def test_an_app_is_only_held_against_what_it_serves():
    assert run_checks_against(HelloOnly(), "--scenarios", "hello").returncode == 0
    for scenario in ("users-read", "posts-feed", "session", "wait", "events"):
        assert run_checks_against(HelloOnly(), "--scenarios", f"hello,{scenario}", "-x").returncode == 1


def test_a_server_that_says_it_keeps_no_connection_is_not_asked_to():
    closing = type("Closing", (ReferenceApp,), {"connection": "close"})()
    assert run_checks_against(closing, file="test_connections.py").returncode == 1
    assert run_checks_against(closing, "--no-keep-alive", file="test_connections.py").returncode == 0


def test_an_app_that_is_not_there_is_a_difference_and_not_a_traceback():
    outcome = run_checks("http://127.0.0.1:9", "-x", "-k", "hello")
    assert outcome.returncode == 1
    assert "GET /: expected an answer, got ConnectError" in outcome.stdout
    assert EXCEPTION not in outcome.stdout


def test_differences_stay_lines_however_strange_an_app_is():
    outcome = run_checks_against(Strange())
    assert outcome.returncode == 1
    assert "expected id = anything, got nothing" in outcome.stdout
    assert EXCEPTION not in outcome.stdout
    assert "ERROR" not in outcome.stdout


def test_the_contract_the_checks_and_every_app_have_one_expression_for_addresses():
    contract = (APPS / "openapi.yaml").read_text().replace("''", "'")
    assert f"pattern: '^{EMAIL.pattern}$'" in contract
    schemas = [path.read_text() for path in APPS.glob("*_app/schemas.py")]
    assert len({tuple(re.findall("^(?:LABEL|EMAIL) = .*$", text, re.M)) for text in schemas}) == 1


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Future[Outcome]]]:
    """Run the checks against every wrong app, two at a time: most of it is Python starting up."""
    pool = ThreadPoolExecutor(2)
    yield {wrong: pool.submit(run_checks_against_wrong, wrong) for wrong in WRONG_APPS}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("wrong", WRONG_APPS)
def test_a_wrong_app_is_caught_and_the_difference_named(outcomes: dict[str, Future[Outcome]], wrong: str):
    outcome = outcomes[wrong].result()
    assert outcome.returncode == 1, outcome.stdout
    assert WRONG_APPS[wrong][1] in outcome.stdout
    assert EXCEPTION not in outcome.stdout
