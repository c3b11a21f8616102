"""`bench try`, and `run` and `verify` that begin with it, on servers of their own."""

import json
import subprocess
import sys

import pytest

APP = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIMIT = int(sys.argv[3])  # answers before it refuses

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answers = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.say(200, {"token": "abc"})

    def do_GET(self):
        if self.path == "/health":
            return self.say(200, {})
        Shop.answers += 1
        if Shop.answers > LIMIT:
            return self.say(503, {"detail": "busy"})
        known = self.headers["Authorization"] == "Token abc"
        self.say(200 if known else 401, {"name": "ann"} if known else {})

    def say(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Shop).serve_forever()
"""
CONTENDERS = """
[shop]
stack = "Our shop"
interface = "wsgi"
server = "http.server"
command = "python app.py {host} {port} 1000000000"

[shop-limited]
of = "shop"
stack = "Our shop, which refuses after a while"
command = "python app.py {host} {port} 20"
"""
SCENARIOS = """
[exchanges.me]
request = "GET /me"
headers = { Authorization = "SCHEME {token}" }
expect = { json = { name = "ann" } }

[exchanges.login]
request = "POST /login"
body = { name = "ann" }
save = { token = "token" }

[scenarios.me]
mix = { me = 9, login = 1 }
[scenarios.login]
mix = { login = 1 }
"""
PLAN = """
reference = "shop"
rounds = 1
sweeps = 1
window_s = 0.2
warm_up_s = 0.1
spare_sweeps = 0

[[block]]
contenders = ["shop", "shop-limited"]
scenarios = ["me"]
loads = [{ kind = "closed", connections = 4 }]
"""


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    return project(tmp_path_factory.mktemp("right"), "Token")


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    return project(tmp_path_factory.mktemp("wrong"), "Bearer")


def project(root, scheme):
    app = root / "apps" / "shop_app"
    app.mkdir(parents=True)
    (app / "app.py").write_text(APP)
    (app / "requirements.txt").write_text("")
    (app / "contenders.toml").write_text(CONTENDERS)
    (root / "apps" / "scenarios.toml").write_text(SCENARIOS.replace("SCHEME", scheme))
    (root / "plans").mkdir()
    (root / "plans" / "tiny.toml").write_text(PLAN)
    return root


def bench(root, *words):
    command = [sys.executable, "-m", "bench", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_right_answers_are_shown_with_their_requests_savers_first(right):
    code, out, err = bench(right, "try", "me", "--contender", "shop", "--runtime", "process")
    assert code == 0, err
    assert out.split("\n\n") == [
        "shop  login  POST /login\n"
        "  > Content-Type: application/json\n"
        '  > {"name":"ann"}\n'
        '  < 200 {"token": "abc"}\n'
        "  right",
        'shop  me  GET /me\n  > Authorization: Token abc\n  < 200 {"name": "ann"}\n  right',
        "",
    ]


def test_a_wrong_answer_is_exit_3_and_says_what_was_expected(wrong):
    code, out, err = bench(wrong, "try", "--runtime", "process")
    assert code == 3
    assert out.count("  < 401 {}\n  WRONG: expected status 200\n") == 2
    assert err.endswith("bench: 2 of 4 answers are not what is expected: shop me, shop-limited me\n")


def test_machines_have_every_field(wrong):
    code, out, _ = bench(wrong, "try", "login", "--json", "--contender", "shop", "--runtime", "process")
    (one,) = json.loads(out)
    assert code == 0
    assert (one["exchange"], one["status"], one["wrong"]) == ("login", 200, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["em"], "unknown scenario em; there is login, me"),
        (["--contender", "shp"], "unknown contender shp"),
        (["--target", "http://127.0.0.1:9", "--contender", "shop"], "leave --contender out"),
    ],
)
def test_bad_words_are_exit_2(right, words, said):
    code, _, err = bench(right, "try", *words)
    assert code == 2
    assert said in err


def test_run_and_verify_stop_at_the_first_wrong_answer_before_anything_is_timed(wrong, tmp_path):
    said = "shop answers wrongly, me: GET /me: expected status 200, got 401 {}; "
    code, out, err = bench(wrong, "run", "tiny", "--runtime", "process", "--out", str(tmp_path / "run"))
    assert (code, out) == (3, "")
    assert said in err
    assert "--resume" not in err
    kept = json.loads((tmp_path / "run" / "run.json").read_text())
    assert kept["records"] == []
    assert [one["exchange"] for one in kept["tries"] if one["wrong"]] == ["me", "me"]
    code, _, err = bench(wrong, "verify", "--runtime", "process")
    assert code == 3
    assert said in err


def test_a_run_with_answers_that_come_to_be_wrong_ends_with_3_and_keeps_what_was_measured(right, tmp_path):
    code, out, err = bench(right, "run", "tiny", "--runtime", "process", "--out", str(tmp_path / "run"))
    assert code == 3, err
    assert "no speed: shop-limited, me, 4 connections: " in err.splitlines()[-1]
    assert " × " in err.splitlines()[-1]
    assert "so it has no ratio and no rank" in " ".join(out.split())
    assert (tmp_path / "run" / "report.md").exists()
    (limited,) = [
        row
        for row in json.loads((tmp_path / "run" / "summary.json").read_text())["rows"]
        if row["contender"] == "shop-limited"
    ]
    assert limited["rank"] is None
    assert "answers were wrong" in limited["withheld"]
