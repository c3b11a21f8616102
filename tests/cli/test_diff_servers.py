"""`bench diff --base-url URL --head-url URL`, in a folder with one file of scenarios."""

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest
from click.testing import CliRunner

from bench.cli import commands
from bench.runtime.ports import free_ports
from tests.support.quiet import undisturbed
from tests.support.waiting import waiting_server

HELLO = "Hello, World!"
FILE = 'exchanges.front = { request = "GET /", expect = { json = { message = "Hello, World!" } } }\n'
FILE += "scenarios.front = { mix = { front = 1 } }\n"
APP = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY, BURNT_S = sys.argv[1].encode(), float(sys.argv[2])

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        ends = time.perf_counter() + BURNT_S
        while time.perf_counter() < ends:
            pass
        answer = b'{"message": "%b"}' % BODY
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(answer), answer))

    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def served(message=HELLO, burnt_s=0.0):
    command = [sys.executable, "-c", APP, message, str(burnt_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "load.toml").write_text(FILE)
    return tmp_path


def diff(folder, base, head, *words):
    command = [sys.executable, "-m", "bench", "diff", "--base-url", base, "--head-url", head]
    command += ["--scenarios", "load.toml", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


URLS = ["--base-url", "http://127.0.0.1:1", "--head-url", "http://127.0.0.1:2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*URLS, "main"], "BASE: of revisions that bench starts"),
        ([*URLS, "--contender", "one", "--explain"], "--contender, --explain: of revisions"),
        ([*URLS, "--runtime", "process", "--all"], "--runtime, --all: of revisions"),
        (URLS[:2], "--base-url and --head-url go together"),
        (["--scenarios", "load.toml"], "--base-url and --head-url go together"),
        ([*URLS[:2], "--head-url", "https://h"], "--head-url https://h: TLS is not supported"),
        (URLS, "name a file with [exchanges] and [scenarios] with --scenarios"),
        ([*URLS, "--scenarios", "load.toml", "--scenario", "frnt"], "unknown scenario frnt"),
    ],
)
def test_what_does_not_go_together_is_exit_2_with_what_would_do(folder, monkeypatch, words, said):
    monkeypatch.chdir(folder)
    told = CliRunner().invoke(commands, ["diff", *words])
    assert told.exit_code == 2
    assert said in told.stderr
    assert "Traceback" not in told.output


def test_a_server_that_is_not_there_is_exit_3_with_its_address(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (port,) = free_ports(1)
    with served() as base:
        words = ["--base-url", base, "--head-url", f"http://127.0.0.1:{port}", "--scenarios", "load.toml"]
        told = CliRunner().invoke(commands, ["diff", *words, "--wait", "60s"])
    assert told.exit_code == 3
    assert f"nothing listens at http://127.0.0.1:{port} " in told.stderr
    assert "correct --head-url" in told.stderr


def test_a_head_that_answers_wrongly_is_broken_before_anything_is_timed(folder):
    with served() as base, served("Goodbye") as head:
        code, out, err = diff(folder, base, head, "--out", "run")
    assert code == 1, err
    assert out.startswith("**BROKEN**")
    assert "service@head (the head) answers wrongly, front: GET /: expected" in out
    told = json.loads((folder / "run" / "verdict.json").read_text())
    assert (told["verdict"], told["rounds"]) == ("BROKEN", 0)
    assert told["urls"] == {"base": base, "head": head}
    assert f"compared: base {base}, head {head}" in told["notes"]


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("burnt_s", [0.0, 2e-4])
def test_a_slower_server_is_found_and_an_equal_one_is_not(folder, burnt_s):
    with ExitStack() as up:
        base, head = up.enter_context(served()), up.enter_context(served(burnt_s=burnt_s))
        run, code, out, err = undisturbed(
            lambda run: diff(folder, base, head, "--budget", "30s", "--out", str(run)), folder
        )
    told = json.loads((run / "verdict.json").read_text())
    assert (code, told["verdict"] == "REGRESSED") == ((1, True) if burnt_s else (0, False)), err
    assert {one["metric"] for one in told["times"]} == {"throughput_rps", "service_demand_us"}
    assert {one["metric"] for one in told["counts"]} == {"response_bytes"}
    assert "rounds are minutes of one life" in out


@pytest.mark.slow
@pytest.mark.alone
def test_one_server_against_itself_has_not_regressed(folder):
    with waiting_server(2) as (host, port):
        url = f"http://{host}:{port}"
        _, code, out, err = undisturbed(
            lambda run: diff(folder, url, url, "--budget", "20s", "--out", str(run)), folder
        )
    assert code == 0, err
    assert "base and head are the same server: every difference is noise" in out
