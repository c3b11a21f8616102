"""The compose runtime on an engine without containers: its servers are processes, all else is as it is."""

import json
import os
import signal
import time
from contextlib import closing
from functools import partial

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.model.contender import Ready
from bench.runtime import callgrind, leftovers
from bench.runtime.compose import ComposeRuntime
from bench.runtime.docker import containers, engine
from bench.runtime.docker.engine import CommandResult
from bench.runtime.placement import available_cores, placed
from tests.runtime.test_process import SCRIPTS, answer, eventually, gone
from tests.support.fake_engine import LISTED, FakeEngine
from tests.support.projects import tiny

TAKEN = "import os; raise OSError(98, f'Address already in use: 127.0.0.1:{os.environ[\"PORT\"]}')"


@pytest.fixture
def project(tmp_path):
    app = tmp_path / "project" / "apps" / "tiny_app"
    app.mkdir(parents=True)
    (app / "requirements.txt").touch()
    (app.parent / "Dockerfile").write_text("FROM python\n")
    (tmp_path / "project" / "docker-compose.yml").touch()
    for name, text in (SCRIPTS | {"taken.py": TAKEN}).items():
        (app / name).write_text(text)
    return tmp_path / "project"


@pytest.fixture
def host(tmp_path):
    with closing(FakeEngine(tmp_path)) as host:
        yield host


@pytest.fixture
def make_runtime(project, host, tmp_path):
    def make(**changes):
        facts = {
            "placement": placed(available_cores()),
            "scratch": tmp_path / "run",
            "logs": tmp_path / "logs",
        }
        return ComposeRuntime(engine=engine.found(host), project=project, **(facts | changes))

    return make


@pytest.fixture
def runtime(make_runtime):
    with make_runtime() as runtime:
        yield runtime


@pytest.fixture
def contender(project):
    return partial(tiny, project)


def asked(host, beginning):
    return [command for command in host.commands if command.startswith(beginning)]


def test_every_contender_is_up_at_once_in_a_container_of_its_own_and_all_are_removed(
    runtime, contender, host, tmp_path
):
    both = [contender("one"), contender("two:workers=2", workers=2)]
    runtime.prepare(both)

    with runtime.serve(both, hash_seed=1) as servers:
        assert list(servers) == ["one", "two:workers=2"]
        assert len({server.address for server in servers.values()}) == 2
        assert all(answer(server) and 0 < server.ready_s < 30 for server in servers.values())
        assert len(host.containers) == 2
        labels = {one.service["labels"][containers.LABEL] for one in host.containers.values()}
        assert labels == {leftovers.signature()}
    assert host.containers == {}
    assert {file.name for file in (tmp_path / "logs").iterdir()} >= {"one-1.log", "two-workers=2-2.log"}


def test_a_container_is_told_command_environment_and_image_and_the_file_has_the_rest(
    runtime, contender, host, project
):
    one = contender(
        command="python server.py '{host} {port}' --threads={threads}",
        threads=3,
        env={"PRICE": "$5 ${{HOME}}", "LITERAL": "{{}}"},
    )
    runtime.prepare([one])
    with runtime.serve([one], hash_seed=42) as servers:
        seen, port = answer(servers["tiny"]), str(servers["tiny"].address[1])
        (started,) = host.containers.values()

    assert seen["argv"] == [f"127.0.0.1 {port}", "--threads=3"]
    assert seen["env"]["PRICE"] == "$5 ${HOME}"
    assert (seen["env"]["PYTHONHASHSEED"], seen["env"]["LITERAL"], seen["env"]["PORT"]) == ("42", "{}", port)
    told = {"extends", "container_name", "labels", "image", "command", "environment", "cpuset"}
    assert set(started.service) - {"user"} == told
    assert started.service["extends"] == {"file": str(project / "docker-compose.yml"), "service": "contender"}


def test_what_compose_is_told_is_for_this_user_alone_and_gone_afterwards(make_runtime, contender, host):
    with make_runtime() as runtime:
        runtime.prepare([contender()])
        (build,) = asked(host, "docker compose --project-name webframework-bench")
        file = build.split("--file ")[1].split()[0]
        assert os.stat(file).st_mode & 0o777 == 0o600
    assert not os.path.exists(file)


@pytest.mark.parametrize("timed", [True, False])
def test_servers_start_on_all_cores_and_are_held_to_theirs_once_ready_where_timed(
    runtime, contender, host, timed
):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=1, timed=timed):
        (started,) = host.containers.values()
    assert started.service["cpuset"] == ",".join(map(str, available_cores()))
    cores = ",".join(map(str, placed(available_cores()).server))
    pinned = [f"docker update --cpuset-cpus {cores} {started.service['container_name']}"]
    assert asked(host, "docker update") == (pinned if timed else [])


def test_its_processes_are_those_of_the_server_and_not_the_containers_init(runtime, contender, host):
    runtime.prepare([contender(command="python wrapper.py")])
    with runtime.serve([contender(command="python wrapper.py")], hash_seed=1) as servers:
        pids = servers["tiny"].pids()
        (started,) = host.containers.values()
        assert len(pids) == 2
        assert started.process.pid not in pids
    assert eventually(lambda: gone(pids))
    assert servers["tiny"].pids() == ()


def test_a_server_that_dies_says_how_it_ended(runtime, contender):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=1) as servers:
        server = servers["tiny"]
        assert server.ended() is None
        os.kill(server.pids()[0], signal.SIGKILL)
        assert eventually_ended(server) == "killed by signal 9"
        assert server.pids() == ()


def test_a_container_that_ran_out_of_memory_says_so(runtime, contender, host):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=1) as servers:
        (started,) = host.containers.values()
        started.out_of_memory = True
        os.kill(servers["tiny"].pids()[0], signal.SIGKILL)
        assert eventually_ended(servers["tiny"]) == "killed: out of the 1,024 MiB a container has"


def test_a_container_that_someone_removed_is_told(runtime, contender, host):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=1) as servers:
        host.remove(next(iter(host.containers)))
        assert servers["tiny"].ended() == "was removed by someone else"
        assert "No such container" in servers["tiny"].log_tail()


def eventually_ended(server):
    deadline = time.monotonic() + 5
    while not (how := server.ended()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return how


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("python broken.py", r"tiny ended with exit status 1 .*No module named 'a_module_that_is_not_there'"),
        ("no-such-program", r"tiny ended with exit status 1 .*No such file.*no-such-program"),
        (
            "python taken.py",
            r"Address already in use: \S+\); port \d+ was taken meanwhile, run again: see .*-2.log",
        ),
        ("python idle.py", r"not ready within 1 s: nothing answered \(waiting for nothing\)"),
    ],
)
def test_a_container_that_does_not_serve_is_told_in_one_line_with_its_log(
    make_runtime, contender, host, tmp_path, command, message
):
    both = [contender("good"), contender(command=command, ready=Ready(seconds=1.0))]
    with make_runtime() as runtime:
        runtime.prepare(both)
        with pytest.raises(CannotMeasure, match=message) as raised, runtime.serve(both, hash_seed=1):
            pytest.fail("served")
    assert "\n" not in str(raised.value)
    assert (tmp_path / "logs" / "tiny-2.log").stat().st_size > 0
    assert host.containers == {}


def test_no_image_has_a_free_threaded_python(runtime, contender):
    assert runtime.lacks(contender(python="3.14t")) == "no image has Python 3.14t: add --runtime process"
    assert runtime.lacks(contender(python="3.14")) is None


def test_containers_that_cannot_be_seen_are_refused_and_removed(runtime, contender, host):
    host.sees_processes = False
    runtime.prepare([contender()])
    with (
        pytest.raises(CannotMeasure, match=r"are not visible from here.* --runtime process"),
        runtime.serve([contender()], hash_seed=1),
    ):
        pytest.fail("served")
    assert host.containers == {}


def test_an_image_is_built_once_for_each_content(make_runtime, contender, host, project):
    everyone = [contender("one"), contender("two", threads=9), contender("three", python="3.12")]
    with make_runtime() as runtime:
        runtime.prepare(everyone)
        assert len(host.images) == 2  # the other Python has one of its own
    (project / "apps" / "tiny_app" / "server.py").write_text("# other content")
    with make_runtime() as runtime:
        runtime.prepare(everyone)
        runtime.prepare(everyone)
    assert len(host.images) == 4
    assert len(asked(host, "docker compose --project-name webframework-bench")) == 4


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "ERROR: Hash mismatch\nService failed to build",
            "tiny_app cannot be built: ERROR: Hash mismatch | Serv",
        ),
        ("pull access denied for python", r"an image cannot be pulled (pull access denied for python)"),
    ],
)
def test_an_image_that_cannot_be_built_is_told_with_the_log_of_its_build(
    make_runtime, contender, host, tmp_path, output, message
):
    host.answers["build --force-rm"] = CommandResult(status=1, output=output)
    with pytest.raises(CannotMeasure) as raised, make_runtime() as runtime:
        runtime.prepare([contender()])
    assert message in str(raised.value)
    assert (tmp_path / "logs" / "build-tiny_app.log").read_text() == output
    assert host.containers == {}


def test_what_compose_cannot_start_is_told_and_removed(runtime, contender, host):
    runtime.prepare([contender()])
    host.answers["up --detach"] = CommandResult(status=1, errors="Error: no space left on device")
    with (
        pytest.raises(CannotMeasure, match="cannot be started: Error: no space left on device"),
        runtime.serve([contender()], hash_seed=1),
    ):
        pytest.fail("served")
    assert asked(host, "docker rm --force --volumes bench-")


@pytest.mark.parametrize(
    "missing", ["docker-compose.yml", "apps/Dockerfile", "apps/tiny_app/requirements.txt"]
)
def test_a_project_without_what_containers_are_made_from_is_a_usage_error(
    runtime, contender, project, missing
):
    (project / missing).unlink()
    with pytest.raises(UsageError, match=missing):
        runtime.prepare([contender()])


def test_an_unknown_service_is_a_usage_error(runtime, contender):
    with pytest.raises(UsageError, match="tiny wants oracle"):
        runtime.prepare([contender(services=("oracle",))])


def test_the_next_run_removes_what_a_dead_harness_left_and_nothing_else(make_runtime, host):
    mine = leftovers.signature()
    node, pid, started = mine.rsplit("/", 2)
    host.strangers = {
        "alive": mine,
        "killed": f"{node}/{pid}/{float(started) - 1000:.3f}",  # its id has come back since
        "elsewhere": f"another-machine/{pid}/1.000",
    }
    with make_runtime():
        assert set(host.strangers) == {"alive", "elsewhere"}


def test_facts_name_placement_engine_python_and_packages_and_are_json(runtime, contender):
    runtime.prepare([contender()])
    facts = json.loads(json.dumps(runtime.facts()))
    ((tag, image),) = facts["environments"].items()
    assert tag.startswith("webframework-bench/tiny_app:")
    assert image == LISTED
    assert facts["engine"] == {"docker": "99.1", "compose": "2.40.3"}
    assert set(facts["placement"]) == {"server", "client", "database", "caveats"}


@pytest.mark.skipif(not callgrind.version(), reason=f"valgrind is not installed: {callgrind.REMEDY}")
def test_what_is_counted_runs_in_an_image_with_valgrind_and_shares_a_folder_with_us(
    runtime, contender, host, tmp_path
):
    one = contender("one")
    runtime.prepare([one])
    with runtime.serve_counted([(one, 0), (one, 1)]) as servers:
        assert [answer(server)["env"]["PYTHONHASHSEED"] for server in servers] == ["0", "1"]
        services = {name: made.service for name, made in host.containers.items()}
        tag = servers[0].environment
        folders = [server.instructions.folder for server in servers]
        assert [made["image"] for made in services.values()] == [f"{tag}-counted-0123456789ab"] * 2
        assert [made["mem_limit"] for made in services.values()] == ["4g"] * 2
        for folder, made in zip(folders, services.values(), strict=True):
            assert made["volumes"] == [{"type": "bind", "source": str(folder), "target": str(folder)}]
            assert f"--callgrind-out-file={folder}/%p" in made["command"]
        assert {server.instructions.name for server in servers} == {"callgrind 3.19.0"}
        assert {server.path for server in servers} == {"/apps"}
    assert len(asked(host, "docker build ")) == 1
    assert not any(folder.exists() for folder in folders)
    with runtime.serve([one], hash_seed=0):
        (timed,) = host.containers.values()
        assert timed.service["image"] == tag


def test_where_an_image_cannot_have_valgrind_the_message_has_the_remedy(runtime, contender, host):
    host.answers["docker build "] = CommandResult(status=1, errors="E: Unable to locate package valgrind")
    one = contender("one")
    runtime.prepare([one])
    with (
        pytest.raises(
            CannotMeasure, match=r"valgrind cannot be installed in .*Unable to locate.*put it into"
        ),
        runtime.serve_counted([(one, 0)]),
    ):
        pytest.fail("served")
