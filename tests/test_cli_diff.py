"""`bench diff` as a shell sees it; and docs/ci.md followed to the letter, in a repository of its own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import commands
from tests.quiet import undisturbed
from tests.repositories import commit, git, make_repository

ROOT = Path(__file__).parents[1]
FILE = re.compile(r"in `([\w./]+)`:\n\n```toml\n(.*?)```", re.DOTALL)
APP = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BURNT_S = 0.0

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        ends = time.perf_counter() + BURNT_S
        while time.perf_counter() < ends:
            pass
        body = b'{"message": "Hello"}'
        head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
        self.wfile.write(head % len(body) + body)

    def log_message(self, *args):
        pass

ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Shop).serve_forever()
"""


def call(root, *words, monkeypatch):
    monkeypatch.chdir(root)
    return CliRunner().invoke(commands, ["diff", *words])


@pytest.fixture
def root(tmp_path):
    return make_repository(tmp_path / "project")


def test_where_nothing_changed_there_is_nothing_to_compare(root, monkeypatch):
    told = call(root, "main", monkeypatch=monkeypatch)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("**EQUIVALENT**: nothing to compare: no app, schema or lock differs from ")


def test_where_nothing_changed_a_workflow_still_finds_a_verdict(root, tmp_path, monkeypatch):
    told = call(root, "main", "--json", "--out", str(tmp_path / "out"), monkeypatch=monkeypatch)
    assert json.loads(told.stdout)["verdict"] == "EQUIVALENT"
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["exit_code"] == 0
    assert (tmp_path / "out" / "verdict.md").read_text().startswith("**EQUIVALENT**")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "bench: unknown revision nowhere: "),
        (["main", "--contender", "oen"], "bench: unknown contender oen; did you mean one"),
        (["main", "--budget", "soon"], "'soon' is no duration: 90s, 10m, 1h"),
        (["main", "--budget", "0m"], "'0m' is no duration"),
        ([], "Missing argument 'BASE'"),
    ],
)
def test_bad_words_are_exit_2_with_what_would_do(root, monkeypatch, words, said):
    told = call(root, *words, monkeypatch=monkeypatch)
    assert told.exit_code == 2
    assert said in told.stderr
    assert "Traceback" not in told.output


def test_waivers_are_read_before_anything_is_measured(root, monkeypatch):
    (root / "waivers.toml").write_text("[[waiver]]\n")
    told = call(root, "main", "--all", monkeypatch=monkeypatch)
    assert told.exit_code == 2
    assert "waivers.toml: waiver.0" in told.stderr


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The repository that docs/ci.md describes, with an app that answers."""
    root = tmp_path_factory.mktemp("shop")
    for path, content in FILE.findall((ROOT / "docs" / "ci.md").read_text(encoding="utf-8")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    (root / "apps/shop_app/requirements.txt").write_text("")
    (root / "apps/shop_app/app.py").write_text(APP)
    (root / ".gitignore").write_text(".bench/\n.venvs/\nresults/\n")
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    return root


def diff(root, folder, *words):
    command = [sys.executable, "-m", "bench", "diff", "main", "--runtime", "process", "--out", str(folder)]
    done = subprocess.run(
        [*command, *words], cwd=root, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_ten_lines_are_ten(shop):
    lines = [
        line
        for _, content in FILE.findall((ROOT / "docs" / "ci.md").read_text())
        for line in content.split("\n")
    ]
    assert len([line for line in lines if line.strip()]) <= 10


@pytest.mark.slow
def test_an_app_of_ones_own_that_got_slower_is_found(shop, tmp_path):
    (shop / "apps/shop_app/app.py").write_text(APP.replace("BURNT_S = 0.0", "BURNT_S = 100e-6"))
    folder, code, out, err = undisturbed(lambda folder: diff(shop, folder, "--budget", "60s"), tmp_path)
    assert code == 1, err
    assert out.startswith("**REGRESSED**: it got slower.\n")
    verdict = json.loads((folder / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["exit_code"], verdict["partial"]) == ("REGRESSED", 1, False)
    assert {one["contender"] for one in verdict["times"]} == {"shop"}
    assert (folder / "report.html").exists()
    assert not (shop / ".bench" / "trees").exists()


def verdict_of(folder):
    return json.loads((folder / "verdict.json").read_text())


def test_a_head_that_does_not_start_is_broken_and_named(shop, tmp_path):
    (shop / "apps/shop_app/app.py").write_text("raise SystemExit('no shop today')\n")
    code, out, err = diff(shop, tmp_path / "run", "--budget", "60s")
    assert code == 1
    assert "shop@worktree (the head) cannot be served" in err
    assert "no shop today" in err
    assert "Traceback" not in err
    assert out.startswith("**BROKEN**")
    assert (verdict_of(tmp_path / "run")["verdict"], verdict_of(tmp_path / "run")["exit_code"]) == (
        "BROKEN",
        1,
    )


def test_a_head_that_answers_wrongly_is_broken_before_anything_is_timed(shop, tmp_path):
    (shop / "apps/shop_app/app.py").write_text(APP.replace('"Hello"', '"Goodbye"'))
    code, out, err = diff(shop, tmp_path / "run", "--budget", "60s")
    assert code == 1, err
    said = 'front: GET /: expected {"message": "Hello"}, got 200 {"message": "Goodbye"}'
    assert f"- shop@worktree (the head) answers wrongly, {said}; the base does not" in out
    told = verdict_of(tmp_path / "run")
    assert [(one["contender"], one["side"], one["of"]) for one in told["broken"]] == [
        ("shop", "head", "front")
    ]
    assert told["rounds"] == 0


def test_where_no_side_answers_rightly_it_is_no_head_s_fault(shop, tmp_path):
    file = shop / "apps/scenarios.toml"
    before = file.read_text()
    (shop / "apps/shop_app/app.py").write_text(f"{APP}\n# other\n")
    try:
        file.write_text(before.replace("GET /", "GET /x").replace('"Hello"', '"Nobody"'))
        code, out, err = diff(shop, tmp_path / "run", "--budget", "60s")
    finally:
        file.write_text(before)
    assert code == 3, err
    assert out.startswith("**INVALID**")
    assert "the base likewise) answers wrongly, front: GET /x: expected" in err


def test_a_changed_exchange_that_the_base_cannot_answer_leaves_nothing_to_compare(shop, tmp_path):
    file = shop / "apps/scenarios.toml"
    before = file.read_text()
    (shop / "apps/shop_app/app.py").write_text(APP.replace('"Hello"', '"Good day"'))
    try:
        file.write_text(before.replace('"Hello"', '"Good day"'))
        code, out, err = diff(shop, tmp_path / "run", "--budget", "60s", "--fail-on-inconclusive")
    finally:
        file.write_text(before)
    assert code == 0, err
    assert out.startswith("**INCONCLUSIVE**: there is nothing to compare.")
    assert "front changed, and the base does not answer it as the head's scenario expects" in out


def test_scenarios_of_which_all_is_new_leave_nothing_to_compare(shop, tmp_path):
    file = shop / "apps/scenarios.toml"
    before = file.read_text()
    (shop / "apps/shop_app/app.py").write_text(f"{APP}\n# other\n")
    try:
        file.write_text(before.replace("front", "stock").replace("scenarios.stock", "scenarios.front"))
        file.write_text(file.read_text().replace("GET /", "GET /stock"))
        code, out, err = diff(shop, tmp_path / "run", "--budget", "60s")
    finally:
        file.write_text(before)
    assert code == 0, err
    assert out.startswith("**INCONCLUSIVE**: nothing to compare: ")
    assert "scenario front: stock is new: requested of nobody" in verdict_of(tmp_path / "run")["notes"]
