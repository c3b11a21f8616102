"""Base, head and twin of a diff differ in nothing but content: servers report what they find."""

import json
import os
import urllib.request

import pytest

from bench.compare.diff import Selection, planned, served
from bench.compare.sides import laid_out
from bench.runtime.placement import available_cores, placed
from bench.runtime.process import ProcessRuntime
from tests.support.projects import SCENARIOS, make_project
from tests.support.repositories import commit, git

SERVER = """
import http.server, json, os, sys
sys.path.insert(0, os.path.abspath("../../libs"))
import alpha, omega

def found():
    top = os.path.abspath("../..")
    for folder, _, _ in os.walk(top):
        for entry in os.scandir(folder):  # in the order that the file system has
            status = entry.stat(follow_symlinks=False)
            size = None if entry.is_dir() else status.st_size
            yield os.path.relpath(entry.path, top), size, oct(status.st_mode)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {
            "environment": [[name, len(text)] for name, text in os.environ.items()],
            "words": [len(word) for word in sys.orig_argv],
            "folder": len(os.getcwd()),
            "code": [len(one.work.__code__.co_filename) for one in (alpha, omega)],
            "files": list(found()),
        }
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""
CONTENDER = """
[one]
stack = "One on a server"
interface = "http.server"
server = "http.server"
command = "python app.py {host} {port} {data_dir}"
env = { WHERE = "%s/apps" }
"""


@pytest.fixture
def root(tmp_path):
    root = make_project(tmp_path / "shop", scenarios=SCENARIOS, contenders=CONTENDER % (tmp_path / "shop"))
    app = root / "apps" / "one_app"
    (app / "app.py").write_text(SERVER)
    (app / "requirements.txt").touch()
    for name in ("omega", "alpha", *(f"module_{n:02}" for n in range(40))):  # written in no order of names
        file = root / "libs" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("def work():\n    return 1\n")
    (root / ".gitignore").write_text(".bench/\n.venvs/\nresults/\n__pycache__/\n")
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root, "the shop")
    return root


def reports(runtime, contenders, round_):
    with runtime.serve(contenders, hash_seed=round_) as up:
        for server in up.values():
            host, port = server.address
            with urllib.request.urlopen(f"http://{host}:{port}/", timeout=5) as response:
                yield json.load(response)


def differences(root, tmp_path, head, rounds):
    """Serve base, head and twin for so many rounds; return what each round's reports have, once each."""
    with laid_out(root, "HEAD", head) as sides:
        made, _ = planned(sides, Selection(unchanged=True, contenders=("one",)))
        contenders = served(sides, made)
        assert len(contenders) == 3
        runtime = ProcessRuntime(
            project=root,
            placement=placed(available_cores()),
            scratch=tmp_path / "run",
            logs=tmp_path / "logs",
        )
        with runtime:
            runtime.prepare(contenders)
            for number in range(rounds):
                yield [*reports(runtime, contenders, number)]


@pytest.mark.parametrize("head", ["HEAD", None])
def test_path_lengths_environment_bytecode_and_order_of_files_are_equal(root, tmp_path, head):
    rounds = [*differences(root, tmp_path, head, rounds=3)]
    for base, *others in rounds:
        assert [*others] == [base, base]
    files = [path for path, _, _ in rounds[-1][0]["files"]]
    assert sum(path.startswith("libs/__pycache__/") for path in files) == 2  # of the modules that it imports
    assert any(path.startswith("apps/one_app/__pycache__/") for path in files)


def test_what_the_head_changes_shows(root, tmp_path):
    (root / "libs" / "omega.py").write_text("def work():\n    return 1 + 1\n")
    ((base, head, twin),) = differences(root, tmp_path, None, rounds=1)
    assert base == twin != head
    changed = {path for path, _, _ in {*map(tuple, base["files"])} ^ {*map(tuple, head["files"])}}
    assert os.path.join("libs", "omega.py") in changed
    assert {name for name in base if base[name] != head[name]} == {"files"}
