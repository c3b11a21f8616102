"""True containers of this machine's engine. Elsewhere they are skipped, with the reason; in CI never."""

import json
import os
import shutil
import signal
import subprocess
import time

import psutil
import psycopg
import pytest

from bench.errors import CannotMeasure
from bench.model.contender import Contender, PostgresOrigin
from bench.observe.usage import cpu_readings, cpu_seconds, memory_bytes
from bench.project import contenders
from bench.runtime.compose import ComposeRuntime
from bench.runtime.docker import containers, engine
from bench.runtime.docker.engine import ThisMachine
from bench.runtime.docker.images import tag_of
from bench.runtime.placement import available_cores, placed
from bench.runtime.services.running_postgresql import running_postgresql
from tests.runtime.test_caches import GET, GONE, PUT, THERE, said_by
from tests.runtime.test_process import SERVER, answer, eventually
from tests.support.quiet import undisturbed
from tests.whole.test_end_to_end import ROOT, bench, finished, started_measuring, summary_of

pytestmark = pytest.mark.slow

HUNGRY = SERVER.replace(
    "def do_GET(self):", "def do_GET(self):\n        _ = b'x' * (1 << 28) if 'eat' in self.path else 0"
)
SCHEMA = "CREATE TABLE users (id int); INSERT INTO users VALUES (1), (2)"
SCRIPTS = {"server.py": SERVER, "hungry.py": HUNGRY, "broken.py": "import a_module_that_is_not_there"}


@pytest.fixture(scope="module")
def docker():
    try:
        return engine.found(ThisMachine())
    except CannotMeasure as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def nothing_left(docker):
    """After each test nothing of ours is there, running or not, and no volume that was not there before."""
    before = docker.docker("volume", "ls", "--quiet")
    yield
    containers.cleared(docker)  # what a test has killed the harness of
    assert ours(docker) == []
    assert docker.docker("volume", "ls", "--quiet") == before


def ours(docker):
    return docker.docker("ps", "--all", "--quiet", "--filter", f"label={containers.LABEL}").split()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """An app of three scripts, that may have 64 MB."""
    root = tmp_path_factory.mktemp("project")
    app = root / "apps" / "tiny_app"
    app.mkdir(parents=True)
    (app / "requirements.txt").touch()
    shutil.copy(ROOT / "apps" / "Dockerfile", root / "apps")
    compose = (ROOT / "docker-compose.yml").read_text()
    (root / "docker-compose.yml").write_text(compose.replace("mem_limit: 1g", "mem_limit: 64m"))
    (root / "apps" / "schema.sql").write_text(SCHEMA)
    for name, text in SCRIPTS.items():
        (app / name).write_text(text)
    return root


@pytest.fixture
def contender(project):
    def make(name="tiny", **changes):
        facts = {"base": "tiny", "app": "tiny_app", "root": str(project), "stack": "Tiny", "server": "tiny"}
        facts |= {"name": name, "interface": "wsgi", "command": "python server.py"}
        return Contender(**(facts | changes))

    return make


@pytest.fixture
def runtime(docker, project, tmp_path):
    placement = placed(available_cores())
    with ComposeRuntime(
        engine=docker, project=project, placement=placement, scratch=tmp_path / "run", logs=tmp_path / "logs"
    ) as runtime:
        yield runtime


def facts_of(docker, server):
    (found,) = docker.inspected([server.child.name])
    return found


def test_a_contenders_container_is_confined_pinned_and_watched_from_here(runtime, contender, docker):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=7) as servers:
        server = servers["tiny"]
        seen = answer(server)
        assert (seen["folder"], seen["env"]["PYTHONHASHSEED"]) == ("/apps/tiny_app", "7")
        facts = facts_of(docker, server)
        assert facts["Config"]["User"].split(":")[0] not in ("", "0")
        assert facts["HostConfig"]["ReadonlyRootfs"] is True
        assert facts["HostConfig"]["CapDrop"] == ["ALL"]
        assert facts["HostConfig"]["NetworkMode"] == "host"
        (pid,) = server.pids()
        assert os.sched_getaffinity(pid) == set(placed(available_cores()).server)
        before = cpu_readings([pid])
        for _ in range(200):
            answer(server)
        assert 0 < cpu_seconds(before, cpu_readings([pid])) < 60
        assert 2**20 < memory_bytes([pid]) < 2**26


def test_the_image_has_nothing_to_build_with(runtime, contender, docker):
    runtime.prepare([contender()])
    (tag,) = runtime.facts()["environments"]
    look = "import shutil; print([shutil.which(name) for name in ('gcc', 'cc', 'make', 'pip', 'uv')])"
    assert docker.docker("run", "--rm", "--network", "none", tag, "python", "-c", look) == (
        "[None, None, None, None, None]\n"
    )


@pytest.fixture
def own_image(docker):
    """An image of one's own, with an older version's way to make a cluster."""
    docker.docker("tag", "postgres:18-bookworm", "bench-test/own-postgres:1")
    yield "bench-test/own-postgres:1"
    docker.docker("image", "rm", "bench-test/own-postgres:1")


def test_a_contender_has_its_databases_in_an_image_of_its_own_and_another_in_that_server(
    runtime, contender, own_image, project, tmp_path
):
    (project / "apps" / "own.sql").write_text("CREATE EXTENSION pg_trgm; CREATE TABLE t (a int)")
    more = {"services": ("postgres",), "schema": ("../own.sql",)}
    one = contender("one", postgres=PostgresOrigin(image=own_image), **more)
    runtime.prepare([one])
    assert runtime.facts()["services"]["postgres"]["from"] == own_image
    with runtime.serve([one], hash_seed=1) as servers:
        assert servers["one"].query("SELECT similarity('a', 'a')", 1) == [(1.0,)]
        given = servers["one"].services.placeholders()
        url = str(given["database_url"]).replace(given["database_name"], "postgres")
        with running_postgresql(PostgresOrigin(url=url)) as server:
            before, found = set(runtime.database_pids()), set(server.pids())  # it is found in its container
            assert before & set(runtime.database_pids()) <= found  # a session may have ended meanwhile
            template = server.databases.template({"schema.sql": "CREATE TABLE t (a int)"})
            with server.databases.copied(template, "copy", {}) as database:
                assert database.query("SELECT count(*) FROM t", 1) == [(0,)]


def test_contenders_have_databases_of_their_own_with_the_settings_of_all(runtime, contender):
    one, two = (
        contender(name, services=("postgres",), sql=sql)
        for name, sql in {"one": (), "two": ("DELETE FROM users",)}.items()
    )
    runtime.prepare([one, two])
    with runtime.serve([one, two], hash_seed=1) as servers:
        count = "SELECT count(*) FROM users"
        with (
            psycopg.connect(servers["one"].services.parts["postgres"].url, autocommit=True) as first,
            psycopg.connect(servers["two"].services.parts["postgres"].url) as second,
        ):
            assert (first.execute(count).fetchone(), second.execute(count).fetchone()) == ((2,), (0,))
            first.execute("DELETE FROM users")
            servers["one"].reset_data()
            assert first.execute(count).fetchone() == (2,)
            assert servers["one"].statements()[count] == 2
            facts = runtime.facts()["services"]["postgres"]
            assert facts["version"].startswith("18")
            for name, value in facts["settings"].items():
                (found,) = first.execute("SELECT current_setting(%s)", [name]).fetchone()
                assert found == value
        assert len(runtime.database_pids()) > 3
        psutil.Process(runtime.database_pids()[0]).kill()
        with pytest.raises(CannotMeasure, match=r"PostgreSQL .*signal 9"):
            eventually(lambda: runtime.check())


@pytest.mark.parametrize("kind", ["valkey", "memcached"])
def test_each_server_has_a_cache_of_its_own_that_a_reset_empties_and_that_goes_with_it(
    runtime, contender, docker, kind, tmp_path
):
    both = [contender(name, services=("postgres", kind)) for name in ("one", "two")]
    runtime.prepare(both)
    postgresql = len(runtime.database_pids())
    assert runtime.facts()["services"][kind]["version"]
    with runtime.serve(both, hash_seed=1) as servers:
        one, two = (server.services.parts[kind] for server in servers.values())
        facts = docker.inspected([one.child.name])[0]
        assert facts["Config"]["User"].split(":")[0] not in ("", "0")
        assert facts["HostConfig"]["ReadonlyRootfs"] is True
        assert facts["HostConfig"]["CpusetCpus"] == ",".join(map(str, placed(available_cores()).database))
        for cache in (one, two):
            assert said_by(cache, GET[kind]) == GONE[kind]
            said_by(cache, PUT[kind])
        servers["one"].reset_data()
        assert said_by(one, GET[kind]) == GONE[kind]
        assert said_by(two, GET[kind]).endswith(THERE[kind])
        assert len(runtime.database_pids()) >= postgresql + 2
        assert 0 < cpu_seconds({}, cpu_readings(one.child.pids())) < 60
        psutil.Process(two.child.pids()[0]).kill()
        with pytest.raises(CannotMeasure, match=f"{two.wanted.kind.title} of two killed by signal 9"):
            eventually(lambda: runtime.check())
    assert len(ours(docker)) == 1  # PostgreSQL
    assert f"two-{kind}-3.log" in {file.name for file in (tmp_path / "logs").iterdir()}


def test_a_server_that_eats_more_than_its_container_has_is_named(runtime, contender):
    hungry = contender(command="python hungry.py")
    runtime.prepare([hungry])
    with runtime.serve([hungry], hash_seed=1) as servers:
        host, port = servers["tiny"].address
        subprocess.run(["curl", "-s", f"http://{host}:{port}/eat"], check=False)
        assert eventually(servers["tiny"].ended) == "killed: out of the 64 MiB a container has"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": "python broken.py"}, "No module named 'a_module_that_is_not_there'"),
        ({"command": "no-such-program"}, "exit status 127 .*no-such-program"),
        ({"python": "3.2"}, "image of tiny_app cannot be built: an image cannot be pulled"),
    ],
    ids=["ends at once", "no program", "no such base image"],
)
def test_what_cannot_be_served_is_told_in_one_line(runtime, contender, changes, message):
    wrong = contender(**changes)

    def served():
        runtime.prepare([wrong])
        with runtime.serve([wrong], hash_seed=1):
            pytest.fail("served")

    with pytest.raises(CannotMeasure, match=message) as raised:
        served()
    assert "\n" not in str(raised.value)


def test_a_build_that_fails_leaves_no_container(runtime, contender, docker, project):
    everything = docker.docker("ps", "--all", "--quiet")
    lock = project / "apps" / "tiny_app" / "requirements.txt"
    lock.write_text("flask==3.1.2\n")  # no hash
    try:
        with pytest.raises(CannotMeasure, match=r"tiny_app cannot be built: .*hash"):
            runtime.prepare([contender()])
    finally:
        lock.write_text("")
    assert docker.docker("ps", "--all", "--quiet") == everything


@pytest.mark.alone
def test_a_short_run_in_containers_measures_what_one_of_processes_does(tmp_path):
    words = ("--contender", "stdlib", "--contender", "flask", "--rounds", "1", "--runtime", "compose")
    folder, code, out, err = undisturbed(
        lambda folder: finished(bench("run", "smoke", *words, "--out", folder), timeout=900), tmp_path
    )
    assert code == 0, err
    assert "runtime compose" in out
    summary = summary_of(folder)
    rows = {(row["contender"], row["scenario"]): row for row in summary["rows"]}
    assert set(rows) == {("stdlib", "hello"), ("flask", "hello"), ("flask", "users-crud")}
    assert all(row["failures"] == 0 and row["requests"] > 0 for row in rows.values())
    assert rows["flask", "users-crud"]["utilisation"]["database"] > 0
    assert all(row["service_demand_us"]["estimate"] > 0 for row in rows.values())
    assert summary["runtime"] == "compose"
    assert {"postgresql.log"} < {file.name for file in (folder / "logs").iterdir()}


def test_instructions_are_counted_in_containers_and_hold(tmp_path):
    kept = tmp_path / "counts.json"
    words = ("count", "flask", "users-read", "--runtime", "compose", "--json")
    code, out, err = finished(bench(*words, "--keep", kept), timeout=900)
    assert code == 0, err
    (one,) = json.loads(out)["counts"]
    assert (one["counter"] or "").startswith("callgrind ")
    assert one["instructions"] > 100_000
    ((name, environment),) = json.loads(kept.read_text())["environments"].items()
    assert name.startswith("flask_app:")
    assert environment["built"]
    assert "sqlalchemy" in environment["packages"]
    code, out, err = finished(bench(*words, "--check", kept), timeout=900)
    assert code == 0, err
    (move,) = json.loads(out)["moves"]
    assert move["ratio"] == pytest.approx(1, abs=0.01)


def test_ctrl_c_twice_leaves_a_partial_run_and_no_container(tmp_path, docker):
    process = bench("run", "quick", "--contender", "flask", "--runtime", "compose", "--out", tmp_path)
    started_measuring(process, tmp_path)
    assert len(ours(docker)) == 2 + 1  # flask, its A/A twin, PostgreSQL
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    assert code == 130
    assert "Traceback" not in err
    assert summary_of(tmp_path)["partial"] is True
    assert ours(docker) == []


def test_what_a_killed_harness_left_is_removed_by_the_next_run(tmp_path, docker):
    process = bench("run", "smoke", "--contender", "flask", "--runtime", "compose", "--out", tmp_path)
    started_measuring(process, tmp_path)
    process.kill()
    process.communicate()
    left = ours(docker)
    assert left
    code, _, err = finished(bench("verify", "stdlib", "--runtime", "compose"))
    assert code == 0, err
    assert ours(docker) == []


def first_of_each_image():
    tables = contenders.declared(ROOT)
    images = {tag_of(contenders.resolve(name, tables)): name for name in reversed(tables)}
    return sorted(images.values())


def test_in_containers_one_of_each_image_keeps_the_contract_and_all_others_answer():
    """That all keep it is held of processes: tests/whole/test_end_to_end.py."""
    tables = contenders.declared(ROOT)
    images = {tag_of(contenders.resolve(name, tables)): name for name in reversed(tables)}
    held = sorted(images.values())
    assert len(held) > 4
    code, out, err = finished(bench("verify", *held, "--json", "--runtime", "compose"), timeout=900)
    assert code == 0, out + err
    assert {one["contender"]: one["outcome"] for one in json.loads(out)} == dict.fromkeys(held, "passed")
    others = set(tables) - set(held)
    words = [word for name in sorted(others) for word in ("--contender", name)]
    code, out, err = finished(bench("try", *words, "--json", "--runtime", "compose"), timeout=900)
    assert code == 0, out + err
    assert {one["contender"] for one in json.loads(out) if not one["wrong"]} == others


def test_compose_up_by_hand_serves_every_app(docker):
    words = [*docker.compose_words, "--project-name", "bench-by-hand"]
    options = {"cwd": ROOT, "check": True, "capture_output": True, "timeout": 600}
    try:
        subprocess.run([*words, "up", "--detach", "--build"], **options)
        for port in (8001, 8002, 8003, 8004):
            assert eventually(lambda port=port: status(f"http://127.0.0.1:{port}/health") == "200", 60), port
    finally:
        subprocess.run([*words, "down", "--volumes"], **options)


def status(url):
    asked = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", url]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout
