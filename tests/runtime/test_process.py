"""Servers truly run here: ten-line scripts, each in a process of its own."""

import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest

from bench.errors import CannotMeasure, UsageError
from bench.model.contender import Ready
from bench.runtime import servers
from bench.runtime.children import Children
from bench.runtime.leftovers import Ledger
from bench.runtime.placement import available_cores, placed
from bench.runtime.ports import free_ports
from bench.runtime.process import ProcessRuntime
from bench.runtime.readiness import ready
from tests.support.projects import tiny

SERVER = """
import http.server, json, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {"env": dict(os.environ), "argv": sys.argv[1:], "python": sys.prefix, "folder": os.getcwd()}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
BRANCHING = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its child will not listen either
subprocess.run([sys.executable, "server.py"])
"""
WRAPPER = "import subprocess, sys; subprocess.run([sys.executable, 'server.py'])"  # ends alone when asked to
SCRIPTS = {
    "server.py": SERVER,
    "branching.py": BRANCHING,
    "wrapper.py": WRAPPER,
    "broken.py": "import a_module_that_is_not_there",
    "daemon.py": "import os, sys\nif os.fork(): sys.exit(0)\nos.setsid()\nif os.fork(): sys.exit(0)\n"
    "import time; time.sleep(0.3)\n" + SERVER,
    "idle.py": "import time; print('waiting for nothing', flush=True); time.sleep(60)",
    "unwell.py": SERVER.replace("send_response(200)", "send_response(503)"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    app = folder / "apps" / "tiny_app"
    app.mkdir(parents=True)
    (app / "requirements.txt").touch()
    for name, text in SCRIPTS.items():
        (app / name).write_text(text)
    return folder


@pytest.fixture
def make_runtime(project, tmp_path):
    def make(**changes):
        facts = {
            "placement": placed(available_cores()),
            "scratch": tmp_path / "run",
            "logs": tmp_path / "logs",
        }
        return ProcessRuntime(**({"project": project} | facts | changes))

    return make


@pytest.fixture
def runtime(make_runtime):
    with make_runtime() as runtime:
        yield runtime


@pytest.fixture
def contender(project):
    return partial(tiny, project)


def answer(server, path=""):
    host, port = server.address
    with urllib.request.urlopen(f"http://{host}:{port}/{path}", timeout=5) as response:
        return json.load(response)


def gone(pids):
    return not any(map(runs, pids))


def runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(condition, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


def test_a_service_is_started_by_its_own_script_and_imports_from_its_copy(
    make_runtime, tmp_path, monkeypatch
):
    monkeypatch.setenv("UV_OFFLINE", "1")
    shop = tmp_path / "shop"
    (shop / "src" / "shop").mkdir(parents=True)
    (shop / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1.2"\n[project.scripts]\nserve-shop = "shop:main"\n'
    )
    body = 'json.dumps({"file": __file__, "version": importlib.metadata.version("shop")})'
    code = SERVER.replace("json.dumps(seen)", body).replace("\nhttp.server.", "\ndef main(): http.server.")
    (shop / "src" / "shop" / "__init__.py").write_text(f"import importlib.metadata\n{code}")
    service = tiny(shop, app="app", folder="", command="serve-shop")
    with make_runtime(project=shop) as runtime:
        runtime.prepare([service])
        with runtime.serve([service], hash_seed=1) as servers:
            found = answer(servers["tiny"])
        assert runtime.facts()["unlocked"] == {}
    assert found["version"] == "1.2"
    assert Path(found["file"]).is_relative_to(tmp_path / "run")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment of other processes")
def test_a_server_that_leaves_the_foreground_is_named_and_nothing_of_it_is_left(runtime, contender):
    away = contender(command="python daemon.py")
    runtime.prepare([away])
    message = r"its first process ended and left others that run on: start it in the foreground"
    with pytest.raises(CannotMeasure, match=message), runtime.serve([away], hash_seed=1):
        pass
    daemons = [one for one in psutil.process_iter(["cmdline"]) if "daemon.py" in (one.info["cmdline"] or [])]
    assert not [one for one in daemons if runs(one.pid)]


def test_every_contender_is_up_at_once_on_a_port_of_its_own(runtime, contender):
    both = [contender("one"), contender("two:workers=2", workers=2)]
    runtime.prepare(both)

    with runtime.serve(both, hash_seed=1) as servers:
        assert list(servers) == ["one", "two:workers=2"]
        assert len({server.address for server in servers.values()}) == 2
        assert all(answer(server) and 0 < server.ready_s < 30 for server in servers.values())
        pids = [pid for server in servers.values() for pid in server.pids()]
    assert gone(pids)


def test_a_server_sees_an_allow_listed_environment_and_nothing_of_the_shell(runtime, contender, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "1")
    one = contender(
        command="python server.py '{host} {port}' --threads={threads}",
        workers=2,
        threads=3,
        env={"POOL": "{workers}", "LITERAL": "{{}}"},
    )
    runtime.prepare([one])

    with runtime.serve([one], hash_seed=42) as servers:
        seen, server = answer(servers["tiny"]), servers["tiny"]

    environment, port = seen["env"], str(server.address[1])
    assert "SECRET_OF_THE_SHELL" not in environment
    assert environment["PYTHONHASHSEED"] == "42"
    assert environment["TZ"] == "UTC"
    assert (environment["WORKERS"], environment["THREADS"], environment["PORT"]) == ("2", "3", port)
    assert (environment["POOL"], environment["LITERAL"]) == ("2", "{}")
    assert seen["argv"] == [f"127.0.0.1 {port}", "--threads=3"]
    assert ".venvs/tiny_app-py" in seen["python"]
    assert seen["folder"].endswith("apps/tiny_app")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin processes")
def test_once_ready_every_process_of_a_server_is_on_the_server_cores(runtime, contender):
    wrapped = contender(command="python wrapper.py")
    runtime.prepare([wrapped])
    with runtime.serve([wrapped], hash_seed=1) as servers:
        found = [os.sched_getaffinity(pid) for pid in servers["tiny"].pids()]
    assert found == [set(placed(available_cores()).server)] * 2


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin processes")
def test_a_server_that_is_not_timed_may_use_every_core(runtime, contender):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=1, timed=False) as servers:
        assert os.sched_getaffinity(servers["tiny"].pids()[0]) == available_cores()


def test_a_tree_that_ignores_the_request_to_stop_is_killed_whole(project, tmp_path):
    [port] = free_ports(1)
    with Children(Ledger(tmp_path), grace_s=0.2) as children:
        stubborn = children.start(
            [sys.executable, "branching.py"],
            folder=project / "apps" / "tiny_app",
            log=tmp_path / "log",
            env={"PORT": str(port)},
            cores=None,
        )
        assert eventually(lambda: len(stubborn.pids()) == 2)
        pids = stubborn.pids()

    assert gone(pids)
    assert stubborn.ended() == "killed by signal 9"


def test_a_server_that_dies_says_how_it_ended(runtime, contender):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=1) as servers:
        server = servers["tiny"]
        assert server.ended() is None
        os.kill(server.pids()[0], signal.SIGKILL)
        server.child.process.wait()
        assert server.ended() == "killed by signal 9"
        assert server.pids() == ()


def test_a_server_that_keeps_nothing_that_is_known_says_so(runtime, contender):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=1) as servers:
        assert servers["tiny"].reset_data().startswith("bench knows none of them")
        assert servers["tiny"].statements() == {}
    assert runtime.database_pids() == ()
    runtime.check()


NOTES = """
import http.server, json, os, sqlite3

db = sqlite3.connect(os.environ.get("FILE", "notes.sqlite"), isolation_level=None, check_same_thread=False)
db.execute("PRAGMA journal_mode = " + os.environ.get("JOURNAL", "delete"))
db.execute("CREATE TABLE IF NOT EXISTS notes (text)")
if not db.execute("SELECT count(*) FROM notes").fetchone()[0]:
    db.execute("INSERT INTO notes VALUES ('made at start')")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/add":
            db.execute("INSERT INTO notes VALUES ('x')")
            with open("visits.txt", "a") as file:
                file.write("one more")
        visits = os.path.getsize("visits.txt") if os.path.exists("visits.txt") else 0
        body = json.dumps([db.execute("SELECT count(*) FROM notes").fetchone()[0], visits]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


FILES = """
import http.server, json, os, sys
from pathlib import Path

place = Path(sys.argv[1])
place.mkdir()
(place / "kept.txt").write_text("made at start")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/add":
            (place / "new.txt").write_text("new")
            (place / "kept.txt").write_text("changed")
        body = json.dumps({file.name: file.read_text() for file in place.iterdir()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def notes(project):
    (project / "apps" / "tiny_app" / "notes.py").write_text(NOTES)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_each_server_has_a_database_in_a_file_of_its_own_and_it_is_put_back(
    runtime, contender, notes, project, journal
):
    before = sorted(map(str, project.rglob("*")))
    env = {"JOURNAL": journal}
    names = ("one", "two", "one~aa")
    both = [contender(name, command="python notes.py", env=env) for name in names]
    runtime.prepare(both)
    for _ in range(2):
        with runtime.serve(both, hash_seed=1) as servers:
            for number, server in enumerate(servers.values()):
                at_first = server.data_version()
                assert answer(server) == [1, 0]
                assert server.data_version() == at_first
                for _ in range(number + 1):
                    answer(server, "add")
                assert server.data_version() != at_first
                assert answer(server) == [number + 2, 8 * (number + 1)]
            for server in servers.values():
                assert server.reset_data() is None
                assert answer(server) == [1, 0]
                assert answer(server, "add") == [2, 8]
    assert sorted(map(str, project.rglob("*"))) == before


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_database_in_the_data_folder_is_kept_as_the_app_made_it_and_put_back(
    runtime, contender, notes, journal
):
    env = {"FILE": "{data_dir}/notes.sqlite", "JOURNAL": journal}
    one, other = (contender(name, command="python notes.py", env=env) for name in ("one", "other"))
    runtime.prepare([one, other])
    for _ in range(2):  # the folder is used again, and empty again
        with runtime.serve([one, other], hash_seed=1) as servers:
            first = servers["one"]
            at_first = first.data_version()
            assert answer(first) == [1, 0]
            assert first.data_version() == at_first
            answer(first, "add")
            assert first.data_version() != at_first
            assert answer(servers["other"]) == [1, 0]
            assert first.reset_data() is None
            assert answer(first) == [1, 0]


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_database_in_the_data_folder_is_queried_and_not_written_to(runtime, contender, notes, journal):
    env = {"FILE": "{data_dir}/notes.sqlite", "JOURNAL": journal}
    one = contender("one", command="python notes.py", env=env)
    runtime.prepare([one])
    with runtime.serve([one], hash_seed=1) as servers:
        answer(servers["one"], "add")
        query = "SELECT text FROM notes ORDER BY rowid"
        assert [*servers["one"].query(query, 10)] == [("made at start",), ("x",)]
        assert [*servers["one"].query(query, 1)] == [("made at start",)]
        for wrong, words in (
            ("SELECT no FROM notes", "notes.sqlite: no such column: no"),
            ("WITH n AS (SELECT 1) DELETE FROM notes", "notes.sqlite: attempt to write a readonly"),
        ):
            with pytest.raises(CannotMeasure, match=words):
                servers["one"].query(wrong, 10)


def refusal(server):
    with pytest.raises(CannotMeasure) as refused:
        server.query("SELECT 1", 1)
    return str(refused.value)


def test_without_a_database_nothing_is_queried(runtime, contender):
    runtime.prepare([contender()])
    with runtime.serve([contender()], hash_seed=1) as servers:
        assert refusal(servers["tiny"]).startswith("it has no database that can be queried")


def test_of_several_databases_none_is_guessed(runtime, contender, project):
    for name in ("a.sqlite", "b.sqlite"):
        with closing(sqlite3.connect(project / "apps" / "tiny_app" / name)) as session, session:
            session.execute("CREATE TABLE notes (text)")
    runtime.prepare([contender("several")])
    with runtime.serve([contender("several")], hash_seed=1) as servers:
        assert refusal(servers["several"]).endswith("has a.sqlite, b.sqlite, keep one below {data_dir}")


def test_files_in_the_data_folder_are_put_back_too(runtime, contender, project):
    (project / "apps" / "tiny_app" / "files.py").write_text(FILES)
    one = contender(command="python files.py {data_dir}/media")
    runtime.prepare([one])
    with runtime.serve([one], hash_seed=1) as servers:
        server = servers["tiny"]
        assert answer(server) == {"kept.txt": "made at start"}
        at_first = server.data_version()
        answer(server, "add")
        assert answer(server) == {"kept.txt": "changed", "new.txt": "new"}
        assert server.data_version() != at_first
        assert server.reset_data() is None
        assert answer(server) == {"kept.txt": "made at start"}


def test_a_database_that_is_named_by_its_place_in_the_checkout_is_the_copys(
    runtime, contender, notes, project
):
    env = {"FILE": f"{project}/apps/tiny_app/named.sqlite"}
    one = contender(command="python notes.py", env=env)
    runtime.prepare([one])
    with runtime.serve([one], hash_seed=1) as servers:
        answer(servers["tiny"], "add")
        assert servers["tiny"].reset_data() is None
        assert answer(servers["tiny"]) == [1, 0]
    assert not (project / "apps" / "tiny_app" / "named.sqlite").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process holds open")
def test_a_database_beyond_its_folder_is_reported(runtime, contender, notes, tmp_path):
    one = contender(command="python notes.py", env={"FILE": str(tmp_path / "far.sqlite")})
    runtime.prepare([one])
    with runtime.serve([one], hash_seed=1) as servers:
        answer(servers["tiny"], "add")
        assert servers["tiny"].reset_data() == "far.sqlite lies outside of its project's files"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("python broken.py", r"tiny ended with exit status 1 .*No module named 'a_module_that_is_not_there'"),
        ("no-such-program", r"tiny ended with exit status 1 .*cannot start no-such-program"),
    ],
)
def test_a_server_that_cannot_start_is_reported_in_one_line_with_its_reason(
    runtime, contender, command, message
):
    both = [contender("good"), contender(command=command)]
    runtime.prepare(both)

    with (
        pytest.raises(CannotMeasure, match=message) as raised,
        runtime.serve(both, hash_seed=1),
    ):
        pytest.fail("served")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("python idle.py", r"not ready within 1 s: nothing answered \(waiting for nothing\)"),
        ("python unwell.py", r"not ready within 1 s: GET /health answered 503"),
    ],
)
def test_a_server_that_is_not_ready_in_time_says_what_was_seen(runtime, contender, command, message):
    slow = contender(command=command, ready=Ready(seconds=1.0))
    runtime.prepare([slow])
    with pytest.raises(CannotMeasure, match=message), runtime.serve([slow], hash_seed=1):
        pytest.fail("served")


def test_an_answer_from_another_process_on_the_port_is_not_taken_for_the_server(contender, tmp_path, project):
    app = project / "apps" / "tiny_app"
    [port] = free_ports(1)
    with Children(Ledger(tmp_path)) as children:

        def start(script):
            return children.start(
                [sys.executable, script],
                folder=app,
                log=tmp_path / f"{script}.log",
                env={"PORT": str(port)},
                cores=None,
            )

        start("server.py")
        idle = servers.ProcessServer(
            contender=contender(ready=Ready(seconds=1.0)), address=("127.0.0.1", port), child=start("idle.py")
        )
        with pytest.raises(CannotMeasure, match="another process answers on its port"):
            ready(idle)


@pytest.mark.parametrize("command", ["python {prot}", "python 'server.py", "python {"])
def test_a_command_that_cannot_be_filled_in_is_a_usage_error(runtime, contender, command):
    runtime.prepare([contender()])

    with pytest.raises(UsageError, match="tiny"), runtime.serve([contender(command=command)], hash_seed=1):
        pytest.fail("served")


def test_an_unknown_service_is_a_usage_error(runtime, contender):
    with pytest.raises(UsageError, match="tiny wants oracle"):
        runtime.prepare([contender(services=("oracle",))])


def test_facts_name_placement_python_and_packages_and_are_json(runtime, contender):
    runtime.prepare([contender()])

    facts = json.loads(json.dumps(runtime.facts()))

    (environment,) = facts["environments"].values()
    assert environment["packages"] == {}
    assert environment["python"].startswith("3.")
    assert environment["built"].startswith(platform.python_compiler())
    assert set(facts["placement"]) == {"server", "client", "database", "caveats"}


HARNESS = """
import sys
from pathlib import Path
from bench.model.contender import Contender, Ready
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime
from bench.runtime.readiness import ready
from tests.support.projects import tiny

project, scratch, script = map(Path, sys.argv[1:])
one = Contender(name="tiny", base="tiny", app="tiny_app", root=str(project), stack="Tiny", interface="wsgi",
                server="tiny", command=f"python {script}")
with ProcessRuntime(project=project, placement=placed(None), scratch=scratch, logs=scratch) as runtime:
    runtime.prepare([one])
    with runtime.serve([one], hash_seed=1) as servers:
        print(*servers["tiny"].pids(), flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def harness(project, tmp_path):
    """Return a function that starts a harness which serves a script, and the pids of its server."""
    running = []

    def start(script):
        command = [sys.executable, "-c", HARNESS, str(project), str(tmp_path), script]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        running.append(process)
        return process, [int(pid) for pid in process.stdout.readline().split()]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_servers_end_with_a_harness_that_is_killed(harness):
    process, pids = harness("server.py")
    assert pids

    process.kill()

    assert eventually(lambda: gone(pids))


@pytest.mark.parametrize("script", ["server.py", "branching.py", "wrapper.py"])
def test_the_next_run_ends_what_a_killed_harness_left(harness, project, tmp_path, script):
    process, pids = harness(script)
    assert pids
    process.kill()
    process.wait()

    with ProcessRuntime(project=project, placement=placed(None), scratch=tmp_path, logs=tmp_path):
        assert eventually(lambda: gone(pids))
    assert not list(Path(tmp_path).glob("run-*"))


def test_a_second_interrupt_while_stopping_leaves_nothing_behind(harness):
    process, pids = harness("branching.py")
    assert pids

    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)

    _, errors = process.communicate(timeout=15)
    assert b"KeyboardInterrupt" in errors
    assert gone(pids)
