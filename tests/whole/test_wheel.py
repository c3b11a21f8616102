"""The wheel, installed where neither this checkout nor its environment is."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.quiet import undisturbed
from tests.support.repositories import commit, git
from tests.whole.test_services import SERVICES, bench_toml

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def called(place, *words):
    command = list(map(str, words))
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    place = tmp_path_factory.mktemp("installed")
    steps = [
        (UV, "build", "--wheel", "--quiet", "--no-build-isolation", "--python", sys.executable),
        (UV, "venv", "--quiet", "--python", sys.executable, "venv"),
    ]
    code, _, err = called(place, *steps[0], "--out-dir", place, ROOT)
    assert code == 0, err
    code, _, err = called(place, *steps[1])
    assert code == 0, err
    lock = ROOT / "requirements/harness.txt"
    install = (UV, "pip", "install", "--quiet", "--python", place / "venv/bin/python")
    code, _, err = called(place, *install, "--require-hashes", "-r", lock)
    if code:
        pytest.skip(f"packages cannot be installed here: {err.strip().splitlines()[-1]}")
    code, _, err = called(place, *install, "--no-deps", *place.glob("*.whl"))
    assert code == 0, err
    return place / "venv/bin/bench"


@pytest.mark.slow
def test_it_says_its_version_and_what_a_folder_lacks(program, tmp_path):
    assert called(tmp_path, program, "--version") == (0, "bench, version 0.1.0\n", "")
    code, _, err = called(tmp_path, program, "list")
    assert code == 2
    assert "bench.toml" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.alone
def test_it_measures_a_service_and_writes_the_whole_report(program, tmp_path):
    root = tmp_path / "notes"
    shutil.copytree(SERVICES / "notes", root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "bench.toml").write_text(bench_toml("notes"), encoding="utf-8")
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    code, out, err = called(root, program, "list")
    assert (code, "contender  notes" in out) == (0, True), err
    folder, code, out, err = undisturbed(
        lambda folder: called(root, program, "run", "--rounds", "2", "--out", folder), tmp_path / "runs"
    )
    assert code == 0, err
    assert (folder / "report.html").stat().st_size > 10_000
    assert git(root, "status", "--porcelain") == ""
