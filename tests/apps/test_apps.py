"""The apps side by side: the same files, functions, order; locks that name no index."""

import ast
import re
from pathlib import Path

import pytest

APPS = Path(__file__).parents[2] / "apps"
FRAMEWORKS = ("django_app", "flask_app", "fastapi_app")
README = (APPS / "README.md").read_text()


def functions(path):
    return [
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def modules(app):
    return {path.name for path in (APPS / app).glob("*.py")}


@pytest.mark.parametrize(
    "views",
    ["django_app/views.py", "django_app/views_drf.py", "django_app/views_ninja.py", "fastapi_app/views.py"],
)
def test_views_have_the_same_functions_in_the_same_order(views):
    assert functions(APPS / views) == functions(APPS / "flask_app" / "views.py")


@pytest.mark.parametrize("app", FRAMEWORKS)
def test_a_file_that_its_siblings_lack_or_have_is_explained(app):
    everyone = [modules(sibling) for sibling in FRAMEWORKS]
    common = set.intersection(*everyone)
    for name in set.union(*everyone) - common:
        assert name in README, f"{name} is not in every app and apps/README.md does not say why"


@pytest.mark.parametrize(
    "lock", sorted(APPS.glob("*_app/requirements*.txt")), ids=lambda lock: f"{lock.parent.name}-{lock.stem}"
)
def test_locks_pin_with_hashes_and_name_no_index(lock):
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    pinned = re.findall(r"^\S+==\S+ .*\\$", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
    assert text.count("--hash=sha256:") >= len(pinned)


def test_a_lock_of_another_version_differs_in_little():
    for lock in sorted(APPS.glob("*_app/requirements-*.txt")):
        usual = pins(lock.with_name("requirements.txt"))
        moved = {name for name, version in pins(lock).items() if usual.get(name, version) != version}
        assert len(moved) <= 3, f"{lock.name} moves {moved}: make lock-beside"


def pins(lock):
    return dict(re.findall(r"^([a-z][\w.-]*)==(\S+)", lock.read_text(), re.MULTILINE))


def test_apps_and_bench_import_nothing_from_each_other():
    for path in [*APPS.rglob("*.py")]:
        assert not re.search(r"^\s*(from|import) bench\b", path.read_text(), re.MULTILINE), path
    for path in (APPS.parent / "bench").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) apps\b", path.read_text(), re.MULTILINE), path
