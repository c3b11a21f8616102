"""The examples of docs/your-service.md: services as they lie, measured, made slower, and found slower."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.quiet import undisturbed
from tests.support.repositories import commit, git

ROOT = Path(__file__).parents[2]
SERVICES = Path(__file__).parent / "services"
PACKAGE = re.compile(r"^([\w.-]+)==(?:.*\\\n)*.*\n", re.MULTILINE)
# What the Django site needs. The hashes come from the lock of an app that needs them too.
PACKAGES = {
    "asgiref",
    "django",
    "gunicorn",
    "packaging",
    "psycopg",
    "psycopg-binary",
    "sqlparse",
    "typing-extensions",
    "tzdata",
}
SLOWER = {
    "library": (
        "books/views.py",
        "    return",
        "    [Book.objects.get(pk=n) for n in range(1, 6)]\n    return",
    ),
    "notes": (
        "notes.py",
        "    return jsonify",
        '    [database().execute("SELECT text FROM note WHERE id = ?", (n,)).fetchone() for n in range(20)]\n'
        "    return jsonify",
    ),
    "orders": ("shop/main.py", "    query =", "    sum(n * n for n in range(4_000))\n    query ="),
}
LONG = pytest.mark.long
BUDGETS = {"library": "5m", "notes": "60s", "orders": "2m"}


def bench_toml(name):
    """Return the bench.toml of the documented example."""
    text = (ROOT / "docs/your-service.md").read_text(encoding="utf-8")
    link = re.escape(f"(../tests/whole/services/{name})")
    found = re.search(rf"{link}.*?\n```toml\n(.*?)```", text, re.DOTALL)
    assert found, name
    return found[1]


def locked(root, name):
    if name == "library":
        lock = (ROOT / "apps/django_app/requirements.txt").read_text(encoding="utf-8")
        pins = {found[1]: found[0] for found in PACKAGE.finditer(lock) if found[1] in PACKAGES}
        assert pins.keys() == PACKAGES
        (root / "requirements.txt").write_text("".join(pins.values()), encoding="utf-8")
    if name == "orders":
        command = [Path(sys.executable).with_name("uv"), "lock", "--quiet", "--python", sys.executable]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"uv cannot lock here: {done.stderr.strip().splitlines()[-1]}")


def made(name, folder):
    root = folder / name
    shutil.copytree(SERVICES / name, root, ignore=shutil.ignore_patterns("__pycache__"))
    locked(root, name)
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root, "the service as it lies")
    (root / "bench.toml").write_text(bench_toml(name), encoding="utf-8")
    return root


def bench(root, *words):
    command = [sys.executable, "-m", "bench", *map(str, words)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOWER)
def test_a_service_answers_rightly_as_it_lies(name, tmp_path):
    service = made(name, tmp_path)
    code, out, err = bench(service, "try")
    assert code == 0, out + err
    assert git(service, "status", "--porcelain") == "?? bench.toml"


# Django's takes five minutes, FastAPI's two, on a quiet machine: by hand, `pytest -m long`.
@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(
    "name", [pytest.param("library", marks=LONG), "notes", pytest.param("orders", marks=LONG)]
)
def test_a_service_is_measured_and_a_slower_commit_is_found(name, tmp_path):
    service = made(name, tmp_path)
    _, code, out, err = undisturbed(
        lambda folder: bench(service, "run", "--rounds", "2", "--out", folder), tmp_path / "runs"
    )
    assert code == 0, err
    assert git(service, "status", "--porcelain") == "?? bench.toml"
    commit(service, "bench.toml")
    file, old, new = SLOWER[service.name]
    text = (service / file).read_text(encoding="utf-8")
    assert old in text
    (service / file).write_text(text.replace(old, new), encoding="utf-8")
    commit(service, "slower")
    budget = BUDGETS[service.name]
    folder, code, out, err = undisturbed(
        lambda folder: bench(service, "diff", "HEAD~1", "--budget", budget, "--out", folder),
        tmp_path / "diffs",
    )
    assert code == 1, out + err
    assert "REGRESSED" in (folder / "verdict.md").read_text(encoding="utf-8")
    assert git(service, "status", "--porcelain") == ""
