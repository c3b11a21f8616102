import time
from _thread import interrupt_main
from threading import Thread

import psutil
import pytest

from bench.errors import CannotMeasure
from bench.project import contenders
from bench.run import verification
from tests.support.fakes import FakeRuntime
from tests.support.projects import make_project

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--url")
    parser.addoption("--scenarios", default="all")
    parser.addoption("--thorough", action="store_true")
"""
# As in apps/checks: what plugins import takes longer than any check here.
SETTINGS = "[pytest]\naddopts = --disable-plugin-autoload\n"
PASSING = "def test_hello(request):\n    assert request.config.getoption('url') == 'http://127.0.0.1:9'\n"
FAILING = PASSING + "def test_bye():\n    assert False, 'GET /bye: expected status 404, got 500 {}'\n"
COUNTING = """
def test_generated(request, record_testsuite_property):
    if request.config.getoption("thorough"):
        record_testsuite_property("generated", 5000)
"""
MEETING = """
import os, pathlib, time

def test_meeting():
    meeting = pathlib.Path({meeting!r})
    (meeting / str(os.getpid())).touch()
    deadline = time.monotonic() + 30
    while len([*meeting.glob("[0-9]*")]) < {guests}:
        assert time.monotonic() < deadline, "nobody came"
        time.sleep(0.02)
"""


@pytest.fixture
def root(tmp_path):
    root = make_project(tmp_path / "project")
    (root / "apps" / "checks").mkdir()
    (root / "apps" / "checks" / "pytest.ini").write_text(SETTINGS)
    (root / "apps" / "checks" / "conftest.py").write_text(CONFTEST)
    return root


def outcomes(root, *names, fresh=False, thorough=False):
    tables = contenders.declared(root)
    runtime = FakeRuntime([])
    chosen = [contenders.resolve(name, tables) for name in names]
    found = list(verification.verify(chosen, runtime, root / ".bench", fresh=fresh, thorough=thorough))
    return found, runtime.servings


def interrupt_when_there(meeting, guests):
    deadline = time.monotonic() + 30
    while len([*meeting.glob("[0-9]*")]) < guests and time.monotonic() < deadline:
        time.sleep(0.02)
    interrupt_main()


def write_checks(root, source):
    (root / "apps" / "checks" / "test_contract.py").write_text(source)


def test_a_pass_is_remembered_until_something_it_rests_on_changes(root):
    write_checks(root, PASSING)
    (first,), servings = outcomes(root, "one")
    assert (first.outcome, first.checks, first.remembered, servings) == ("passed", 1, False, 1)
    (again,), servings = outcomes(root, "one")
    assert (again.outcome, again.remembered, servings) == ("passed", True, 0)
    (root / "apps" / "one_app" / "views.py").write_text("changed = True\n")
    (changed,), servings = outcomes(root, "one")
    assert (changed.remembered, servings) == (False, 1)
    (_, servings) = outcomes(root, "one", fresh=True)
    assert servings == 1


def test_a_twin_of_the_same_content_is_not_verified_twice(root):
    write_checks(root, PASSING)
    found, servings = outcomes(root, "one", "one~aa", "one:pool=off")
    assert [one.remembered for one in found] == [False, True, False]
    assert [one.contender for one in found] == ["one", "one~aa", "one:pool=off"]
    assert servings == 1


def test_contenders_are_held_against_the_checks_at_the_same_time(root, tmp_path):
    write_checks(root, MEETING.format(meeting=str(tmp_path), guests=2))
    found, _ = outcomes(root, "one", "one-fast")
    assert [one.outcome for one in found] == ["passed", "passed"]


def test_of_many_contenders_only_some_are_up_at_once(tmp_path):
    names = [f"one:workers={number}" for number in range(1, verification.TOGETHER + 2)]
    found, servings = outcomes(make_project(tmp_path), *names, fresh=True)
    assert [one.contender for one in found] == names
    assert servings == 2


def test_an_interrupt_ends_the_checks_before_their_servers(root, tmp_path):
    write_checks(root, MEETING.format(meeting=str(tmp_path), guests=100))
    interrupter = Thread(target=interrupt_when_there, args=(tmp_path, 2))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        outcomes(root, "one", "one-fast")
    interrupter.join()
    assert not any(psutil.pid_exists(int(guest.name)) for guest in tmp_path.glob("[0-9]*"))


def test_a_difference_is_named_and_never_remembered_as_a_pass(root):
    write_checks(root, FAILING)
    for _ in range(2):
        (found,), servings = outcomes(root, "one")
        assert (found.outcome, found.checks, servings) == ("failed", 2, 1)
        assert found.differences == ("test_bye: GET /bye: expected status 404, got 500 {}",)


def test_a_contender_is_held_against_what_it_serves(root):
    write_checks(root, "def test_it(request):\n    assert request.config.getoption('scenarios') == 'hello'\n")
    found, _ = outcomes(root, "floor", "one")
    assert [one.outcome for one in found] == ["passed", "failed"]


def test_a_project_without_checks_is_told_so(tmp_path):
    found, servings = outcomes(make_project(tmp_path), "one")
    assert (found[0].outcome, servings) == ("no checks", 0)


def test_a_contender_without_checks_is_started_where_everyone_is_to_be_looked_at(tmp_path):
    found, servings = outcomes(make_project(tmp_path), "one", "floor", fresh=True)
    assert ([one.outcome for one in found], servings) == (["no checks"] * 2, 1)


BARE = """
def test_where_it_is(url, request):
    assert url == "http://127.0.0.1:9"
    assert not request.config.getoption("no_keep_alive")
    assert request.config.getoption("scenarios") == "hello"
"""


@pytest.mark.parametrize("files", [(), ("conftest.py",)])
def test_checks_need_neither_settings_nor_options_of_their_own(tmp_path, files):
    root = make_project(tmp_path / "project")
    # Of the project around them, not of its checks.
    (root / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (root / "conftest.py").write_text("raise AssertionError('not for checks')\n")
    (root / "apps" / "checks").mkdir()
    for name in files:
        option = "def pytest_addoption(parser): parser.addoption('--url', required=True)\n"
        (root / "apps" / "checks" / name).write_text(option)
    write_checks(root, BARE)
    (found,), _ = outcomes(root, "floor")
    assert (found.outcome, found.differences) == ("passed", ())


def test_a_folder_without_a_check_is_no_pass(root):
    (found,), _ = outcomes(root, "one")
    assert (found.outcome, found.checks) == ("no checks", 0)


@pytest.mark.parametrize("source", [PASSING, FAILING])
def test_a_server_that_ends_during_the_checks_is_no_difference_of_the_contract(root, source):
    write_checks(root, source)
    one = contenders.resolve("one", contenders.declared(root))
    (found,) = verification.verify([one], FakeRuntime([], dying={"one": 1}), root / "memory")
    assert found.outcome == "failed"
    assert found.differences[0] == (
        "its server did not outlive the checks: killed by signal 9 (its last words)"
    )
    assert len(found.differences) == (2 if source is FAILING else 1)


def test_broken_checks_are_an_error_of_the_harness_not_of_the_contender(root):
    write_checks(root, "import nothing_of_that_name\n")
    with pytest.raises(CannotMeasure, match=r"apps/checks is broken: .*nothing_of_that_name"):
        outcomes(root, "one")


def test_a_contender_that_cannot_be_served_here_is_skipped_in_its_place(root):
    write_checks(root, PASSING)
    tables = contenders.declared(root)
    chosen = [contenders.resolve(name, tables) for name in ("one", "one-fast", "one:pool=off")]
    runtime = FakeRuntime([], lacking={"one-fast": "memcached is not on PATH: install it"})
    found = list(verification.verify(chosen, runtime, root / ".bench"))
    assert [one.outcome for one in found] == ["passed", "skipped", "passed"]
    assert found[1].differences == ("memcached is not on PATH: install it",)
    assert "one-fast" not in " ".join(runtime.diary)
    assert [one.name for one in verification.servable(chosen, runtime)] == ["one", "one:pool=off"]


def test_a_service_that_dies_meanwhile_is_no_failure_of_a_contender(root):
    write_checks(root, FAILING)
    one = contenders.resolve("one", contenders.declared(root))
    with pytest.raises(CannotMeasure, match="PostgreSQL ended"):
        list(verification.verify([one], FakeRuntime([], database_dies_in=1), root / ".bench"))


def test_only_a_thorough_verification_sends_generated_requests_and_they_are_counted(root):
    write_checks(root, COUNTING)
    (known,), _ = outcomes(root, "one")
    assert (known.outcome, known.generated) == ("passed", 0)
    (known,), servings = outcomes(root, "one", thorough=True)
    assert (known.outcome, known.generated, known.remembered, servings) == ("passed", 5000, False, 1)
    (known,), servings = outcomes(root, "one", thorough=True)
    assert (known.generated, known.remembered, servings) == (5000, True, 0)
