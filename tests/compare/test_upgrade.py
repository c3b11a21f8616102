"""One revision beside itself with one thing changed: which contenders, which notes, whose files."""

import platform

import pytest

from bench.compare.diff import Selection, planned, served
from bench.compare.upgrade import change, upgraded
from bench.errors import UsageError
from tests.runtime.test_environments import write_python
from tests.support.projects import CONTENDERS
from tests.support.repositories import commit, git, make_repository
from tests.support.wheels import write_wheel

TWO = CONTENDERS.replace("[one", "[two").replace('"one"', '"two"').replace("[floor]", "[cellar]")


@pytest.fixture
def root(tmp_path, monkeypatch):
    wheels = tmp_path / "wheels"
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    old = write_wheel(wheels, "tiny", "1.5")
    write_wheel(wheels, "tiny", "2.0")
    root = make_repository(tmp_path / "project")
    (root / "apps" / "two_app").mkdir()
    (root / "apps" / "two_app" / "contenders.toml").write_text(TWO)
    (root / "apps" / "two_app" / "requirements.txt").write_text("")
    (root / "apps" / "one_app" / "requirements.txt").write_text(f"tiny==1.5 --hash={old}\n")
    commit(root, "two apps")
    return root


def seen(root, *packages, python=None, revision=None, **wanted):
    asked = change(packages, python)
    with upgraded(root, revision, Selection(**wanted), asked) as (sides, chosen):
        made, notes = planned(sides, chosen)
        locks = {one.name: (one.place / "requirements.txt").read_text() for one in served(sides, made)}
        return chosen.contenders, notes, locks, {one.name: one.python for one in served(sides, made)}


def test_the_head_alone_is_upgraded_and_what_moved_is_listed(root):
    chosen, notes, locks, _ = seen(root, "tiny==2.*", contenders=("one",))
    assert chosen == ("one",)
    assert "moved for one: tiny 1.5 → 2.0" in notes
    versions = {name: text.split(" ")[0] for name, text in locks.items()}
    assert versions == {
        "one@worktree": "tiny==1.5",
        "one@upgraded": "tiny==2.0",
        "one@worktree~aa": "tiny==1.5",
    }
    assert git(root, "status", "--porcelain") == ""


def test_what_moved_is_a_list_too(root, tmp_path, monkeypatch):
    write_python(tmp_path / "pyenv" / "versions" / "3.99.7" / "bin", "3.99")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    with upgraded(root, None, Selection(contenders=("one",)), change(["tiny==2.*"], None)) as (sides, _):
        (one,) = sides.moved
    assert (one.contenders, one.package, one.was, one.now) == (("one",), "tiny", "1.5", "2.0")
    with upgraded(root, None, Selection(contenders=("one",)), change([], "3.99")) as (sides, _):
        (one,) = sides.moved
    assert (one.package, one.was, one.now) == ("python", platform.python_version(), "3.99.7")


def test_only_contenders_that_have_the_package_are_compared(root):
    chosen, notes, _, _ = seen(root, "tiny", revision="main")
    assert set(chosen) == {"one", "floor"}
    assert any(note.startswith("not compared, as they have no tiny: two") for note in notes)


def test_where_nothing_moves_nothing_is_compared(root):
    with upgraded(root, None, Selection(), change(["tiny<2"], None)) as (_, chosen):
        assert chosen.contenders == ()


def test_another_python_is_the_heads_alone(root, tmp_path, monkeypatch):
    write_python(tmp_path / "pyenv" / "versions" / "3.99.7" / "bin", "3.99")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    chosen, notes, _, pythons = seen(root, python="3.99", contenders=("one",))
    assert chosen == ("one",)
    assert pythons == {"one@worktree": None, "one@upgraded": "3.99", "one@worktree~aa": None}
    assert "the head of one has Python 3.99, the base the Python of bench" in notes


@pytest.mark.parametrize(
    ("packages", "python", "contenders", "said"),
    [
        (["tinny"], None, ("one",), r"--upgrade tinny: no lock has it, of one_app; did you mean tiny\?"),
        (["tiny"], None, ("one", "two"), "--upgrade tiny: not in the lock of two: leave one of the two out"),
        (["tiny=="], None, (), r"--upgrade 'tiny==' is no requirement: write"),
        ([], "3.98", ("one",), r"--python 3\.98: .*there is no python3\.98 on PATH"),
        ([], "3.98", ("one:python=3.12",), r"one:python=3\.12 names its own Python: leave that or --python"),
    ],
)
def test_what_cannot_be_done_is_one_line(root, packages, python, contenders, said):
    with pytest.raises(UsageError, match=said) as raised:
        seen(root, *packages, python=python, contenders=contenders)
    assert "\n" not in str(raised.value)
