"""Generated requests from `apps/openapi.yaml`: they find what nobody thought of, and nothing else.

Making them up takes most of the time. So they are made up once, against the app in memory, and sent again to
the frameworks. Each answer is then held against that app's, which the contract was held against.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.checking import run_checks, run_checks_against
from tests.support.own_contenders import prepared
from tests.support.reference_app import ReferenceApp, Refused, serving
from tests.support.replay import Replay, recorded

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


def against_the_right_app(folder):
    report = folder / "junit.xml"
    options = ("--thorough", "--junitxml", str(report), "--basetemp", str(folder / "pytest"))
    return run_checks_against(ReferenceApp(), *options, file="test_generated.py")


def against_a_wrong_app(overrides, operation):
    app = type("WrongApp", (ReferenceApp,), overrides)()
    return run_checks_against(app, "--thorough", file=f"{GENERATED}[{operation}]")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Run the generated requests against every app in memory, two at a time: a minute of computing."""
    with ThreadPoolExecutor(2) as pool:
        folder = tmp_path_factory.mktemp("right")
        right = pool.submit(against_the_right_app, folder)
        wrong = {
            name: pool.submit(against_a_wrong_app, overrides, operation)
            for name, (overrides, operation, _) in RARELY_WRONG.items()
        }
        yield {"folder": folder, "right": right, **wrong}
        pool.shutdown(cancel_futures=True)


def test_an_app_that_keeps_the_contract_answers_all_of_them(outcomes):
    outcome = outcomes["right"].result()
    assert outcome.returncode == 0, outcome.stdout
    report = ElementTree.parse(outcomes["folder"] / "junit.xml").getroot()
    (generated,) = report.findall(".//property[@name='generated']")
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
def exchanges(outcomes):
    outcomes["right"].result()
    (events,) = outcomes["folder"].rglob("events.ndjson")
    found = recorded(events)
    assert len(found) >= ENOUGH - 50  # without those whose request line is too long
    return found


def leaving_out_ids(app, fields):
    app.last_id += 1 + app.last_id % 2
    return ReferenceApp.added(app, fields)


@pytest.mark.parametrize(
    ("overrides", "found"),
    [({"added": leaving_out_ids}, set()), ({"found": calling_great_ids_gone}, {"got 410 application/json"})],
)
def test_what_is_sent_again_shows_what_an_app_answers_otherwise_but_for_new_ids(exchanges, overrides, found):
    with serving(type("OtherApp", (ReferenceApp,), overrides)()) as url:
        host, port = url.removeprefix("http://").split(":")
        differences = [*Replay((host, int(port))).differences(exchanges)]
    assert {one.rpartition(", ")[2] for one in differences} == found


@pytest.fixture(scope="module")
def replayed(exchanges, tmp_path_factory):
    """Send what was generated against the app in memory to the frameworks, all at once."""
    with (
        prepared(FRAMEWORKS, tmp_path_factory.mktemp("replayed")) as (asked, runtime),
        runtime.serve(asked, hash_seed=0, timed=False) as servers,
        ThreadPoolExecutor(len(FRAMEWORKS)) as pool,
    ):
        found = {
            name: pool.submit(lambda one=server: [*Replay(one.address).differences(exchanges)])
            for name, server in servers.items()
        }
        yield {name: one.result() for name, one in found.items()}


@pytest.mark.parametrize("contender", FRAMEWORKS)
def test_every_framework_answers_all_of_them_as_that_app_does(replayed, contender):
    assert replayed[contender] == []


def test_a_contender_is_asked_for_what_it_serves():
    command = [sys.executable, "-m", "bench", "verify", "stdlib"]
    command += ["--runtime", "process", "--thorough", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (outcome,) = json.loads(done.stdout)
    assert outcome["differences"] == []
    assert 10 < outcome["generated"] < 50  # of two operations without parameters
