"""A locustfile as a scenario: tried, measured, and a slower commit found under Locust's own client."""

import json
import subprocess
import sys
from html import unescape

import pytest

from tests.support.quiet import undisturbed
from tests.support.repositories import commit, git

SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CPU_S = 0.004

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        ends = time.thread_time() + CPU_S
        while time.thread_time() < ends:
            pass
        body = b'{"item": 1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
"""
LOCUSTFILE = """
from locust import FastHttpUser, between, task

class Shopper(FastHttpUser):
    wait_time = between(1, 5)

    @task
    def item(self):
        self.client.get("/items/1")
"""
BENCH = """
[contenders.shop]
command = "python server.py {port}"
install = []
ready = { path = "/" }

[scenarios.shop]
locustfile = "locustfile.py"
users = ["Shopper"]
"""
PLAN = """
reference = "shop"
rounds = 2
sweeps = 2
window_s = 0.4

[[block]]
contenders = ["shop"]
scenarios = ["shop"]
loads = [{ kind = "closed", connections = 4 }]
"""


def bench(root, *words):
    command = [sys.executable, "-m", "bench", *map(str, words)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def shop(tmp_path):
    root = tmp_path / "shop"
    (root / "plans").mkdir(parents=True)
    for name, text in (("server.py", SERVER), ("locustfile.py", LOCUSTFILE), ("bench.toml", BENCH)):
        (root / name).write_text(text)
    (root / "plans" / "tiny.toml").write_text(PLAN)
    (root / "plans" / "ci.toml").write_text(PLAN)
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    return root


@pytest.mark.slow
@pytest.mark.alone
def test_a_locustfile_is_tried_and_measured_with_its_client_in_every_form(shop, tmp_path):
    code, out, err = bench(shop, "try")
    assert code == 0, err
    assert "> GET /items/1: 200" in out
    folder = tmp_path / "run"
    code, out, err = bench(shop, "run", "tiny", "--out", folder)
    disturbed = "slices are void" in err  # then there are no figures, and all else is the same
    assert code == 3 if disturbed else code == 0, err
    (row,) = json.loads((folder / "summary.json").read_text())["rows"]
    assert row["failures"] == 0
    told = next(line for line in row["caveats"] if line.startswith("client: Locust's own FastHttpUser: "))
    assert "no ceiling: the null server cannot know what a locustfile requests" in row["caveats"]
    for text in (" ".join(out.split()), (folder / "report.md").read_text()):
        assert told in text
    assert "client: Locust's own FastHttpUser" in unescape((folder / "report.html").read_text())
    samples = [one["sample"] for one in json.loads((folder / "run.json").read_text())["records"]]
    assert sum(one["slice_requests"] for one in samples) > 50  # with its think time there were a few
    if not disturbed:
        assert 0 < row["throughput_rps"]["estimate"] < 260  # 4 ms of CPU each


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.long
def test_a_slower_commit_is_found(shop, tmp_path):
    (shop / "server.py").write_text(SERVER.replace("0.004", "0.005"))
    commit(shop, "slower")
    folder, code, out, err = undisturbed(
        lambda folder: bench(shop, "diff", "HEAD~1", "--budget", "90s", "--out", folder), tmp_path
    )
    assert code == 1, out + err
    assert "REGRESSED" in (folder / "verdict.md").read_text()
