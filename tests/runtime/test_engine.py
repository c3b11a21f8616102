"""Which engine is taken, which is refused and why; what it says of failures."""

import json
import sys

import pytest

from bench.cli import wiring
from bench.errors import CannotMeasure
from bench.runtime.docker import engine
from bench.runtime.docker.containers import memory_kills
from bench.runtime.docker.engine import NOT_FOUND, CommandResult, ThisMachine
from tests.runtime.test_process import eventually, gone
from tests.support.fake_engine import INFO, FakeEngine

MISSING = CommandResult(status=NOT_FOUND, errors="docker: no such file or directory")
NO_COMPOSE = {"docker compose version": CommandResult(status=1), "docker-compose version": MISSING}


def info(**changes):
    return {"docker info": CommandResult(status=0, output=json.dumps(INFO | changes))}


def context(endpoint):
    return {"docker context": CommandResult(status=0, output=f"{endpoint}\n")}


def refused(errors):
    return {"docker info": CommandResult(status=1, output="{}", errors=errors)}


REFUSED = {
    "no docker": ({"docker": MISSING}, "docker: no such file or directory: install Docker"),
    "no engine": (
        refused("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"),
        r"no container engine answers \(Cannot connect .*\): start it",
    ),
    "one that hangs": (
        refused("no answer within 20 s"),
        r"no container engine answers \(no answer within 20 s\)",
    ),
    "no permission": (refused("permission denied while trying to connect"), "join the group docker"),
    "not Docker": ({"docker info": CommandResult(status=0, output="{}")}, "is not Docker"),
    "no compose": (NO_COMPOSE, "compose plugin is missing: install docker-compose-plugin"),
    "old compose": (
        NO_COMPOSE | {"docker-compose version": CommandResult(status=0, output="1.25.5\n")},
        r"compose plugin is older than 1.29 \(1.25.5\)",
    ),
    "tcp": (
        context("tcp://10.0.0.5:2375"),
        r"another machine \(tcp://10.0.0.5:2375\): .*: unset DOCKER_HOST",
    ),
    "ssh": (context("ssh://me@there"), r"another machine \(ssh://me@there\)"),
    "virtual machine": (
        info(KernelVersion="6.6.12-linuxkit", OperatingSystem="Docker Desktop"),
        r"run in a virtual machine here \(Docker Desktop\)",
    ),
    "rootless": (info(SecurityOptions=["name=rootless"]), "the engine is rootless"),
}


@pytest.mark.parametrize(("answers", "message"), REFUSED.values(), ids=REFUSED)
def test_an_engine_that_cannot_be_measured_on_is_refused_in_a_line_with_the_remedy(
    tmp_path, answers, message
):
    with pytest.raises(CannotMeasure, match=message) as raised:
        engine.found(FakeEngine(tmp_path, answers))
    assert raised.value.exit_code == 3
    assert "\n" not in str(raised.value)
    assert "--runtime process" in str(raised.value)


def test_the_plugin_is_taken_before_the_older_program(tmp_path):
    assert engine.found(FakeEngine(tmp_path)).compose_words == ("docker", "compose")
    old = {
        "docker compose version": CommandResult(status=1),
        "docker-compose version": CommandResult(status=0, output="1.29.2"),
    }
    found = engine.found(FakeEngine(tmp_path, old))
    assert (found.compose_words, found.compose_version) == (("docker-compose",), "1.29.2")


def test_auto_is_compose_where_an_engine_answers_else_process_and_says_why(tmp_path):
    assert wiring.chosen("process", tmp_path) == ("process", "")
    assert wiring.chosen("auto", tmp_path, FakeEngine(tmp_path)) == (
        "process",
        "the project has no docker-compose.yml",
    )
    (tmp_path / "docker-compose.yml").touch()  # of a stranger's project: it starts none of our containers
    assert wiring.chosen("auto", tmp_path, FakeEngine(tmp_path)) == (
        "process",
        "the project has no apps/Dockerfile",
    )
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "Dockerfile").touch()
    assert wiring.chosen("auto", tmp_path, FakeEngine(tmp_path)) == ("compose", "Docker 99.1 answers")
    name, why = wiring.chosen("auto", tmp_path, FakeEngine(tmp_path, refused("permission denied")))
    assert name == "process"
    assert why == "no permission to use the container engine"


PULLS = [
    "Error response from daemon: pull access denied for pyton, repository does not exist",
    "manifest for python:3.2-slim-bookworm not found: manifest unknown: manifest unknown",
    'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host',
    "failed to solve: python:3.2: failed to resolve source metadata: not found",
]


@pytest.mark.parametrize("line", PULLS)
def test_an_image_that_cannot_be_pulled_is_told_from_a_build_that_fails(line):
    told = engine.reason(
        CommandResult(
            status=1, output="Step 1/15 : ARG PYTHON\n", errors=f"{line}\nService failed to build\n"
        )
    )
    assert told.startswith(f"an image cannot be pulled ({line}): check its name and the network, or")


def test_a_build_that_fails_is_told_by_the_last_lines_that_say_why():
    output = "Step 4/9 : RUN pip\nERROR: No matching distribution found for flask==99\nThe command failed\n\n"
    assert engine.reason(CommandResult(status=1, output=output)) == (
        "ERROR: No matching distribution found for flask==99 | The command failed"
    )
    assert engine.reason(CommandResult(status=1)) == "it printed nothing"


def test_a_command_of_this_machine_is_answered_whatever_becomes_of_it():
    machine = ThisMachine()
    said = machine.run([sys.executable, "-c", "import sys; print('out'); sys.exit('err')"])
    assert (said.status, said.output, said.errors) == (1, "out\n", "err\n")
    assert machine.run(["no-such-program-anywhere"]).status == NOT_FOUND
    slow = machine.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.3)
    assert (slow.status, slow.errors) == (1, "no answer within 0 s")
    assert not machine.is_init(1)


def test_a_command_that_takes_too_long_takes_along_what_it_has_started(tmp_path):
    file = tmp_path / "pid"
    program = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(file)!r}, "w").write(str(child.pid))
child.wait()
"""
    assert ThisMachine().run([sys.executable, "-c", program], timeout_s=1.0).status == 1
    assert eventually(lambda: gone([int(file.read_text())]))


@pytest.mark.parametrize(
    ("own", "file", "content", "kills"),
    [
        (
            "7:cpu:/docker/x\n4:memory:/docker/x\n0::/docker/x\n",
            "memory/docker/x/memory.oom_control",
            "oom_kill 2",
            2,
        ),
        (
            "0::/system.slice/docker-x.scope\n",
            "system.slice/docker-x.scope/memory.events",
            "oom 9\noom_kill 1",
            1,
        ),
        ("0::/system.slice/docker-x.scope\n", "elsewhere", "oom_kill 5", 0),
    ],
    ids=["version 1", "version 2", "not told"],
)
def test_kills_for_lack_of_memory_are_read_from_the_cgroup(tmp_path, own, file, content, kills):
    (tmp_path / "proc" / "42").mkdir(parents=True)
    (tmp_path / "proc" / "42" / "cgroup").write_text(own)
    (tmp_path / "cgroup" / file).parent.mkdir(parents=True)
    (tmp_path / "cgroup" / file).write_text(f"{content}\nunder_oom 0\n")
    assert memory_kills(42, processes=tmp_path / "proc", groups=tmp_path / "cgroup") == kills
    assert memory_kills(43, processes=tmp_path / "proc", groups=tmp_path / "cgroup") == 0
