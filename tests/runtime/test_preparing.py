import json
import sys
import urllib.request

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.model.contender import Contender
from bench.runtime import preparing
from bench.runtime.children import Children
from bench.runtime.leftovers import Ledger
from bench.runtime.placement import available_cores, placed
from bench.runtime.process import ProcessRuntime

SERVER = """
import http.server, json, os, pathlib, sqlite3
data = pathlib.Path(os.environ["DATA"])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = sqlite3.connect(data / "shop.db").execute("SELECT count(*) FROM users").fetchone()[0]
        facts = {"users": found, "built": pathlib.Path("static/app.js").read_text(),
                 "level": os.environ["LEVEL"], "key": os.environ["KEY"], "mode": os.environ["MODE"]}
        if self.path == "/add":
            with sqlite3.connect(data / "shop.db") as database:
                database.execute("INSERT INTO users VALUES (1)")
        body = json.dumps(facts).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
MIGRATE = """
import os, sqlite3, sys
with sqlite3.connect(os.path.join(os.environ["DATA"], "shop.db")) as database:
    database.execute("CREATE TABLE users (id int)")
    database.executemany("INSERT INTO users VALUES (?)", [(one,) for one in range(int(sys.argv[1]))])
"""


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "shop"
    (root / "node_modules" / "lib").mkdir(parents=True)
    (root / "node_modules" / "lib" / "theirs").touch()
    (root / "server.py").write_text(SERVER)
    (root / "migrate.py").write_text(MIGRATE)
    (root / ".env").write_text("# of the developers\nexport LEVEL='from the file'\nMODE=file\n")
    return root


@pytest.fixture
def shop(project):
    def make(**changes):
        facts = {
            "name": "shop", "base": "shop", "app": "app", "root": str(project), "folder": "", "stack": "Shop",
            "interface": "http", "server": "python", "command": "python server.py", "install": (),
            "env": {"DATA": "{data_dir}", "MODE": "declared"}, "env_file": ".env", "pass_env": ("KEY",),
            "build": ("mkdir static node_modules && echo built >static/app.js && touch node_modules/ours",),
            "prepare": ("python migrate.py 3", "python -c 'import os; print(os.environ[\"PORT\"])'"),
        }  # fmt: skip
        return Contender(**(facts | changes))

    return make


@pytest.fixture
def runtime(project, tmp_path, monkeypatch):
    monkeypatch.setenv("KEY", "of the shell")
    with ProcessRuntime(
        project=project,
        placement=placed(available_cores()),
        scratch=tmp_path / "run",
        logs=tmp_path / "logs",
    ) as runtime:
        yield runtime


def answer(server, path=""):
    host, port = server.address
    with urllib.request.urlopen(f"http://{host}:{port}/{path}", timeout=5) as response:
        return json.load(response)


def test_servers_begin_with_what_the_commands_of_their_project_left(runtime, shop, project):
    runtime.prepare([shop()])
    for _ in range(2):  # a server of the next round begins with it again
        with runtime.serve([shop()], hash_seed=1) as servers:
            server = servers["shop"]
            assert answer(server) == {
                "users": 3, "built": "built\n", "level": "from the file", "key": "of the shell",
                "mode": "declared",
            }  # fmt: skip
            answer(server, "add")
            assert answer(server)["users"] == 4
            assert server.reset_data() is None
            assert answer(server)["users"] == 3
    assert not (project / "static").exists()
    assert [file.name for file in (project / "node_modules").iterdir()] == ["lib"]


def test_commands_run_once_and_each_contender_has_its_own_data(runtime, shop):
    both = [shop(), shop(name="small", base="small", prepare=("python migrate.py 1",))]
    runtime.prepare(both)
    runtime.prepare(both)
    with runtime.serve(both, hash_seed=1) as servers:
        assert [answer(server)["users"] for server in servers.values()] == [3, 1]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"prepare": ("echo one", "echo two >&2; false")},
            CannotMeasure,
            r"^shop: prepare: `echo two >&2; false` ended with exit status 1 \(two\): see .*\.log$",
        ),
        ({"build": ("nmp ci",)}, CannotMeasure, r"^shop: build: `nmp ci` is not there: is its package"),
        ({"prepare": ("kill -9 $$",)}, CannotMeasure, "was killed by signal 9"),
        ({"prepare": ("echo {database_url}",)}, UsageError, "shop: prepare: .*: add postgres or mysql to"),
        ({"env_file": "none.env"}, UsageError, "shop: env_file: none.env: No such file or directory"),
        ({"pass_env": ("NOT_SET_HERE",)}, UsageError, "pass_env: NOT_SET_HERE is not set in your shell"),
    ],
)  # fmt: skip
def test_commands_that_fail_are_named_with_what_they_printed(runtime, shop, changes, error, words):
    with pytest.raises(error, match=words):
        runtime.prepare([shop(**changes)])


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes of a session")
def test_a_command_may_not_run_for_ever(runtime, shop, tmp_path):
    with (
        Children(Ledger(tmp_path)) as children,
        pytest.raises(CannotMeasure, match=r"`sleep 60` did not end within 0 s"),
    ):
        preparing.carry_out(
            "build", ["sleep 60"], children, whose="shop", folder=tmp_path, env={"PATH": "/usr/bin:/bin"},
            log=tmp_path / "build.log", timeout_s=0.2,
        )  # fmt: skip
