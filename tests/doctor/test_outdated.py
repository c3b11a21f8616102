"""What locks have, and how far that is behind the index."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.doctor.outdated import document, is_older, lines, outdated
from bench.errors import CannotMeasure
from bench.project import contenders
from bench.runtime.newest import newest
from tests.support.repositories import commit, make_repository
from tests.support.wheels import write_wheel


@pytest.fixture
def root(tmp_path, monkeypatch):
    wheels = tmp_path / "wheels"
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    old = write_wheel(wheels, "tiny", "1.5")
    write_wheel(wheels, "tiny", "1.10")
    steady = write_wheel(wheels, "steady", "3.0")
    root = make_repository(tmp_path / "project")
    lock = f"tiny==1.5 --hash={old}\nsteady==3.0 --hash={steady}\n"
    (root / "apps" / "one_app" / "requirements.txt").write_text(lock)
    commit(root, "a lock")
    return root


def those_of(root):
    tables = contenders.declared(root)
    return [contenders.resolve(name, tables) for name in tables]


def test_what_is_behind_is_listed_by_lock(root):
    (one,) = outdated(root, those_of(root), newest)
    assert (one.lock, one.packages) == ("apps/one_app/requirements.txt", 2)
    assert [(each.name, each.version, each.newest) for each in one.behind] == [("tiny", "1.5", "1.10")]
    first, second = lines([one])
    assert first.startswith("apps/one_app/requirements.txt (one, one-fast, floor), committed 20")
    assert first.endswith(": 1 of 2 packages behind")
    assert second == "  tiny 1.5 → 1.10"
    assert document([one])[0]["behind"] == ({"name": "tiny", "version": "1.5", "newest": "1.10"},)


def test_without_a_network_there_is_one_line(root, monkeypatch):
    monkeypatch.delenv("UV_FIND_LINKS")
    with pytest.raises(CannotMeasure, match="uv does not reach its index of packages") as raised:
        outdated(root, those_of(root), newest)
    assert "\n" not in str(raised.value)


def test_a_lock_whose_python_is_missing_is_named(root):
    one, *_ = those_of(root)
    (found,) = outdated(root, [replace(one, python="3.98")], newest)
    assert "there is no python3.98 on PATH" in next(lines([found]))


def test_an_index_is_requested_once_for_each_python(root):
    requests = []

    def index(names: object, python: str, at: Path) -> dict[str, str]:
        requests.append((sorted(names), at))
        return {"tiny": "1.5", "steady": "3.0"}

    assert all(not one.behind for one in outdated(root, those_of(root), index))
    assert requests == [(["steady", "tiny"], root)]


@pytest.mark.parametrize(
    ("version", "other", "older"), [("1.5", "1.10", True), ("2.0", "1.9", False), ("1.0", "1.0.0", False)]
)
def test_versions_are_compared_as_versions(version, other, older):
    assert is_older(version, other) is older
