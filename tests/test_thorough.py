"""Generated requests from `apps/openapi.yaml`: they find what nobody thought of, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.reference_app import ReferenceApp, Refused
from tests.test_checks import run_checks, run_checks_against

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
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


def test_an_app_that_keeps_the_contract_answers_all_of_them(tmp_path):
    report = tmp_path / "junit.xml"
    outcome = run_checks_against(
        ReferenceApp(), "--thorough", "--junitxml", str(report), file="test_generated.py"
    )
    assert outcome.returncode == 0, outcome.stdout
    (generated,) = ElementTree.parse(report).getroot().findall(".//property[@name='generated']")
    assert int(generated.get("value")) >= ENOUGH


@pytest.mark.parametrize("wrong", RARELY_WRONG)
def test_what_is_wrong_now_and_then_is_found_and_the_request_named(wrong):
    overrides, operation, said = RARELY_WRONG[wrong]
    app = type("WrongApp", (ReferenceApp,), overrides)()
    outcome = run_checks_against(app, "--thorough", file=f"{GENERATED}[{operation}]")
    assert outcome.returncode == 1, outcome.stdout
    assert operation.partition("{")[0] in outcome.stdout
    assert "expected what openapi.yaml says, got " in outcome.stdout
    assert said in outcome.stdout


def test_an_app_that_is_not_there_is_a_difference():
    outcome = run_checks("http://127.0.0.1:9", "--thorough", file=f"{GENERATED}[GET /posts]")
    assert outcome.returncode == 1
    assert "GET /posts: expected what openapi.yaml says, got no answer" in outcome.stdout


@pytest.mark.parametrize("contender", ["django", "django-drf", "flask", "fastapi"])
def test_every_framework_answers_all_of_them(contender):
    command = [sys.executable, "-m", "bench", "verify", contender, "--thorough", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (outcome,) = json.loads(done.stdout)
    assert outcome["generated"] >= ENOUGH
