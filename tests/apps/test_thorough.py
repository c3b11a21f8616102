"""Generated requests from `apps/openapi.yaml`: they find what nobody thought of, and nothing else."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.checking import run_checks, run_checks_against
from tests.support.reference_app import ReferenceApp, Refused

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("django", "django-drf", "flask", "fastapi")
ENOUGH = 5000
GENERATED = "test_generated.py::test_generated_requests_are_answered_by_the_contract"


def refusing_long_addresses(app, email):
    return ReferenceApp.is_email(app, email) and len(email) < 120


def inventing_a_user_after_the_last(app, after):
    users = list(ReferenceApp.users_after(app, after))
    return iter(users or [{"id": 0, "name": "", "email": ""}])


def calling_great_ids_gone(app, number):
    if number > 10**9:
        raise Refused(410, "gone")
    return ReferenceApp.found(app, number)


# name → what it overrides, the operation that shows it, and what is said of it
RARELY_WRONG = {
    "refuses long addresses": ({"is_email": refusing_long_addresses}, "POST /users", "got 422"),
    "invents a user": (
        {"users_after": inventing_a_user_after_the_last},
        "GET /users",
        "Response violates schema",
    ),
    "answers a status of its own": (
        {"found": calling_great_ids_gone},
        "GET /users/{id}",
        "Undocumented status code; Received: 410; Documented: 200, 404",
    ),
}


def against_the_right_app(report):
    return run_checks_against(
        ReferenceApp(), "--thorough", "--junitxml", str(report), file="test_generated.py"
    )


def against_a_wrong_app(overrides, operation):
    app = type("WrongApp", (ReferenceApp,), overrides)()
    return run_checks_against(app, "--thorough", file=f"{GENERATED}[{operation}]")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Run the generated requests against every app here, two at a time: it takes minutes of computing."""
    with ThreadPoolExecutor(2) as pool:
        report = tmp_path_factory.mktemp("right") / "junit.xml"
        right = pool.submit(against_the_right_app, report)
        wrong = {
            name: pool.submit(against_a_wrong_app, overrides, operation)
            for name, (overrides, operation, _) in RARELY_WRONG.items()
        }
        yield {"report": report, "right": right, **wrong}
        pool.shutdown(cancel_futures=True)


def test_an_app_that_keeps_the_contract_answers_all_of_them(outcomes):
    outcome = outcomes["right"].result()
    assert outcome.returncode == 0, outcome.stdout
    (generated,) = ElementTree.parse(outcomes["report"]).getroot().findall(".//property[@name='generated']")
    assert int(generated.get("value")) >= ENOUGH


@pytest.mark.parametrize("wrong", RARELY_WRONG)
def test_what_is_wrong_now_and_then_is_found_and_the_request_named(outcomes, wrong):
    _, operation, said = RARELY_WRONG[wrong]
    outcome = outcomes[wrong].result()
    assert outcome.returncode == 1, outcome.stdout
    assert operation.partition("{")[0] in outcome.stdout
    assert "expected what openapi.yaml says, got " in outcome.stdout
    assert said in outcome.stdout


def test_an_app_that_is_not_there_is_a_difference():
    outcome = run_checks("http://127.0.0.1:9", "--thorough", file=f"{GENERATED}[GET /posts]")
    assert outcome.returncode == 1
    assert "GET /posts: expected what openapi.yaml says, got no answer" in outcome.stdout


@pytest.fixture(scope="module")
def verified():
    """Hold the frameworks against the checks, generated requests included, all at once."""
    command = [
        sys.executable,
        "-m",
        "bench",
        "verify",
        *FRAMEWORKS,
        "--runtime",
        "process",
        "--thorough",
        "--json",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return {outcome["contender"]: outcome for outcome in json.loads(done.stdout)}


@pytest.mark.parametrize("contender", FRAMEWORKS)
def test_every_framework_answers_all_of_them(verified, contender):
    assert verified[contender]["differences"] == []
    assert verified[contender]["generated"] >= ENOUGH
