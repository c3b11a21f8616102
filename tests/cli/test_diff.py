"""`bench diff` as a shell sees it; and docs/ci.md followed to the letter, in a repository of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import commands
from tests.support.quiet import undisturbed
from tests.support.repositories import commit, git, make_repository

ROOT = Path(__file__).parents[2]
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
    assert told.stdout.startswith("**EQUIVALENT**: nothing to compare: no file that could matter ")


def test_where_nothing_changed_a_workflow_still_finds_a_verdict(root, tmp_path, monkeypatch):
    told = call(root, "main", "--json", "--out", str(tmp_path / "out"), monkeypatch=monkeypatch)
    assert json.loads(told.stdout)["verdict"] == "EQUIVALENT"
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["exit_code"] == 0
    assert (tmp_path / "out" / "verdict.md").read_text().startswith("**EQUIVALENT**")


def test_what_was_left_out_and_every_note_is_in_each_verdict(root, tmp_path, monkeypatch):
    (root / "README.md").write_text("other words\n")
    (root / "apps" / "one_app" / "data.db").touch()
    git(root, "add", "README.md")
    told = call(root, "main", "--out", str(tmp_path / "out"), monkeypatch=monkeypatch)
    written = (tmp_path / "out" / "verdict.md").read_text()
    document = json.loads((tmp_path / "out" / "verdict.json").read_text())
    note = "untracked databases, laid out on both sides alike: apps/one_app/data.db"
    assert told.stdout == written
    assert note in told.stderr
    assert f"- {note}\n" in written
    assert note in document["notes"]
    assert "- changed, and left out (documentation): README.md\n" in written
    assert document["left_out"] == [{"file": "README.md", "why": "documentation"}]


def test_a_base_with_nothing_of_ours_has_a_verdict_and_turns_nothing_red(root, tmp_path, monkeypatch):
    git(root, "rm", "--quiet", "-r", "--cached", "apps", "plans")
    git(root, "commit", "--quiet", "--message", "the service alone")
    commit(root, "brings the benchmark in")
    told = call(root, "HEAD~1", "--out", str(tmp_path / "out"), monkeypatch=monkeypatch)
    assert told.exit_code == 0, told.output
    document = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert (document["verdict"], document["exit_code"]) == ("NOT COMPARED", 0)
    assert "has nothing to compare with: git tracks no apps/" in (tmp_path / "out" / "verdict.md").read_text()
    told = call(root, "HEAD", "HEAD~1", monkeypatch=monkeypatch)
    assert told.exit_code == 2
    assert re.search(r"bench: @\w{8}: git tracks no apps/", told.stderr)


@pytest.mark.parametrize("name", ["line\nbreak.py", os.fsdecode(b"latin-\xe9.py"), "größe.py"])
def test_names_of_files_stay_in_their_line(root, tmp_path, monkeypatch, name):
    (root / "docs").mkdir()
    (root / "docs" / name).write_text("x")
    commit(root)
    told = call(root, "HEAD~1", "HEAD", "--out", str(tmp_path / "out"), monkeypatch=monkeypatch)
    assert told.exit_code == 0, told.output
    (found,) = json.loads((tmp_path / "out" / "verdict.json").read_text())["left_out"]
    assert found["file"].isprintable()
    assert found["file"] in told.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout away")
@pytest.mark.parametrize("command", ["diff", "run"])
def test_where_git_refuses_by_ownership_its_own_remedy_is_shown(root, tmp_path, monkeypatch, command):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (root, root / ".git"):
        os.chown(path, 65534, 65534)
    monkeypatch.chdir(root)
    words = (
        ["diff", "main"] if command == "diff" else ["run", "tiny", "--runtime", "process", "--rounds", "1"]
    )
    told = CliRunner().invoke(commands, words)
    assert f"git config --global --add safe.directory {root}`" in told.stderr
    assert "dubious ownership" in told.stderr
    if command == "diff":
        assert told.exit_code == 2
    else:
        assert told.stderr.startswith("commit and age of locks are not known: git refuses the checkout: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "bench: unknown revision nowhere: "),
        (["main", "--contender", "oen"], "bench: unknown contender oen; did you mean one"),
        (["main", "--budget", "soon"], "'soon' is no duration: 90s, 2m30s, 1h"),
        (["main", "--budget", "0m"], "'0m' is no duration"),
        ([], "Missing argument 'BASE', or --upgrade, or --base-url"),
        (["main", "main", "--upgrade", "tiny"], "--upgrade and --python make the head of the base"),
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
@pytest.mark.alone
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


def waiting(seconds):
    return APP.replace("ends = time.perf_counter() + BURNT_S", f"ends = time.sleep({seconds}) or 0.0")


@pytest.fixture
def slow_shop(shop):
    """The shop whose answers take a tenth of a second, and have for a while."""
    (shop / "apps/shop_app/app.py").write_text(waiting(0.1))
    commit(shop, "waits")
    yield shop
    git(shop, "reset", "--quiet", "--hard", "HEAD~1")


@pytest.mark.slow
@pytest.mark.alone
def test_answers_as_long_as_a_window_get_longer_windows_and_a_verdict(slow_shop, tmp_path):
    (slow_shop / "apps/shop_app/app.py").write_text(waiting(0.14))
    folder, code, out, err = undisturbed(lambda folder: diff(slow_shop, folder, "--budget", "90s"), tmp_path)
    assert "an answer takes up to " in err
    assert code == 1, err
    assert out.startswith("**REGRESSED**")
    records = json.loads((folder / "run.json").read_text())["records"]
    windows = {one["slice"]["window_s"] for one in records if one["slice"]["role"] == "measure"}
    assert len(windows) == 1
    assert min(windows) > 4 * 0.14


@pytest.mark.slow
def test_a_budget_that_is_too_short_is_refused_in_one_line_with_one_that_would_do(slow_shop, tmp_path):
    (slow_shop / "apps/shop_app/app.py").write_text(waiting(0.5))
    code, _, err = diff(slow_shop, tmp_path / "run", "--budget", "20s")
    assert code == 2
    refusal = err.strip().splitlines()[-1]
    assert refusal.startswith(
        "bench: the budget of 20 s is too short for 6 rounds, the fewest for an interval: "
    )
    assert re.search(r"takes up to [\d.]+ m?s, windows .*--budget \d+[ms], or fewer connections", refusal)
    records = json.loads((tmp_path / "run" / "run.json").read_text())["records"]
    assert {one["slice"]["role"] for one in records} == {"probe"}


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
    assert out.startswith("**NOT COMPARED**: nothing was compared: both sides have no scenario in common")
    assert "scenario front: stock is new: not measured" in verdict_of(tmp_path / "run")["notes"]
