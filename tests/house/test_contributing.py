"""CONTRIBUTING's five steps, followed to the letter in a project of their own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.quiet import undisturbed

ROOT = Path(__file__).parents[2]
# "… In `path`:" and a block: what that file holds.
FILE = re.compile(r"In `([\w./]+)`:\n\n```\w*\n(.*?)```", re.DOTALL)
PACKAGE = re.compile(r"^([\w.-]+)==(?:.*\\\n)*.*\n", re.MULTILINE)
# What starlette and uvicorn need: the hashes come from the lock of an app that needs them too.
PACKAGES = {"starlette", "anyio", "idna", "typing-extensions", "uvicorn", "click", "h11"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    for path, content in FILE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    (root / "apps/starlette_app/requirements.txt").write_text(locked(PACKAGES), encoding="utf-8")
    return root


def locked(packages):
    lock = (ROOT / "apps/fastapi_app/requirements.txt").read_text(encoding="utf-8")
    pins = {found[1]: found[0] for found in PACKAGE.finditer(lock) if found[1] in packages}
    assert pins.keys() == packages
    return "".join(pins.values())


def bench(project, *words):
    command = [sys.executable, "-m", "bench", *map(str, words)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_steps_leave_five_files_and_bench_lists_what_is_in_them(project):
    files = [path.relative_to(project) for path in project.rglob("*") if path.is_file()]
    assert len(files) == 5 + 1  # and the lock, which `make lock` writes
    code, out, err = bench(project, "list", "--json")
    assert code == 0, err
    listed = json.loads(out)
    assert [one["name"] for one in listed["contenders"]] == ["starlette", "starlette-logging"]
    assert listed["scenarios"] == [{"name": "prices"}]
    assert listed["plans"] == [{"name": "tiny"}]


@pytest.mark.alone
def test_the_new_contender_is_measured_and_nothing_says_that_it_does_the_same_work(project, tmp_path):
    folder, code, out, err = undisturbed(
        lambda folder: bench(project, "run", "tiny", "--out", folder), tmp_path / "runs"
    )
    assert code == 0, err
    summary = json.loads((folder / "summary.json").read_text())
    rows = {row["contender"]: row for row in summary["rows"]}
    assert (summary["valid"], summary["partial"]) == (True, False)
    assert set(rows) == {"starlette", "starlette-logging"}
    for row in rows.values():
        assert (row["scenario"], row["rounds"], row["failures"]) == ("prices", 2, 0)
        assert row["requests"] > 0
        assert any(caveat.startswith("no checks") for caveat in row["caveats"])
    assert "starlette-logging" in out
    assert "no checks" in out


def test_bench_knows_nothing_of_it():
    rooms = [room for room in (ROOT / "bench").iterdir() if room.name != "init"]  # it recognises frameworks
    files = [path for room in rooms for path in (room.rglob("*.py") if room.is_dir() else [room])]
    sources = [path.read_text(encoding="utf-8") for path in files]
    assert not any("starlette" in source.lower() for source in sources)
