"""Two servers that somebody started, compared: the plan, the notes, and what is left out."""

from dataclasses import replace

import pytest

from bench.compare import running_servers
from bench.compare.diff import Selection
from bench.errors import UsageError
from bench.runtime.listeners import Listener

BASE, HEAD = "http://127.0.0.1:8001", "http://127.0.0.1:8002"
FILE = """
exchanges.add = { request = "POST /", body = { a = 1 } }
exchanges.front = { request = "GET /" }
scenarios.add = { mix = { add = 1 } }
scenarios.front = { mix = { front = 1 } }
"""


@pytest.fixture
def requested(tmp_path):
    (tmp_path / "load.toml").write_text(FILE)
    return running_servers.requests(None, tmp_path / "load.toml")


def notes(compared, requested, **found):
    return " | ".join(running_servers.notes(compared, tuple(requested.scenarios.values()), found))


def test_base_and_head_stand_side_by_side_and_the_twin_where_nothing_is_written(requested):
    made = running_servers.planned(requested, running_servers.servers(BASE, HEAD), Selection())
    assert [(one.contenders, one.scenarios) for one in made.blocks] == [
        (("service@base", "service@head"), ("add", "front")),
        (("service@base", "service@base~aa"), ("front",)),
    ]
    assert made.reference_of("service@head") == "service@base"
    assert made.reference_of("service@base~aa") == "service@base"


def test_only_requested_scenarios_are_measured_and_an_unknown_one_is_refused(requested):
    compared = running_servers.servers(BASE, HEAD)
    made = running_servers.planned(requested, compared, Selection(scenarios=("add",)))
    assert {name for one in made.blocks for name in one.scenarios} == {"add"}
    with pytest.raises(UsageError, match="unknown scenario frnt; did you mean front"):
        running_servers.planned(requested, compared, Selection(scenarios=("frnt",)))


def test_the_plan_ci_of_the_project_has_its_scenarios_and_loads(tmp_path):
    (tmp_path / "bench.toml").write_text(FILE)
    (tmp_path / "plans").mkdir()
    block = '[[block]]\ncontenders = ["shop"]\nscenarios = ["front"]\n'
    block += 'loads = [{ kind = "closed", connections = 7 }]\n'
    settings = 'reference = "shop"\nrounds = 6\nsweeps = 2\nwindow_s = 0.2\nwarm_up_s = 0.5\n'
    (tmp_path / "plans" / "ci.toml").write_text(settings + block)
    found = running_servers.requests(tmp_path, None)
    made = running_servers.planned(found, running_servers.servers(BASE, HEAD), Selection())
    assert {name for one in made.blocks for name in one.scenarios} == {"front"}
    assert {load.connections for one in made.blocks for load in one.loads} == {7}


def test_the_twin_has_the_address_of_the_base():
    compared = running_servers.servers(BASE, HEAD)
    assert [one.stack for one in compared.all] == [BASE, HEAD, BASE]


def test_notes_name_the_urls_what_is_written_and_whose_cpu_it_is(requested):
    watched = {BASE: Listener(pids=(7,), program="gunicorn"), HEAD: Listener(pids=(8,), program="nginx")}
    said = notes(running_servers.servers(BASE, HEAD), requested, **watched)
    assert f"compared: base {BASE}, head {HEAD}" in said
    assert "rounds are minutes of one life" in said
    assert "nothing puts the data back: add;" in said
    assert f"CPU is that of gunicorn at {BASE}, nginx at {HEAD}" in said


def test_the_same_server_twice_is_said_and_an_unknown_cpu_too(requested):
    found = {BASE: Listener(why="docker-proxy listens there")}
    said = notes(running_servers.servers(BASE, BASE), requested, **found)
    assert "base and head are the same server: every difference is noise" in said
    assert f"CPU of {BASE} is not known: docker-proxy listens there | CPU is not compared" in said


def test_reading_alone_is_not_called_writing(requested):
    only = replace(requested, scenarios={"front": requested.scenarios["front"]})
    assert "written" not in notes(running_servers.servers(BASE, HEAD), only)
