"""Locks of other tools as requirements: no environment is made here."""

import textwrap

import pytest

from bench.errors import UsageError
from bench.project.installs import InstallFile
from bench.runtime.packages.foreign_locks import Wanted, pinned_lines, wanted_python

POETRY_1 = """
[[package]]
name = "CacheControl"
version = "0.14.0"
optional = false
python-versions = ">=3.7"
files = [{file = "a.whl", hash = "sha256:aa"}, {file = "a.tar.gz", hash = "sha256:ab"}]
[package.dependencies]
filelock = {version = ">=3.8.0", optional = true, markers = "extra == \\"filecache\\""}
tomli = {version = ">=1.1.0", markers = "python_version < \\"3.11\\""}
requests = ">=2.16.0"
[package.extras]
filecache = ["filelock (>=3.8.0)"]
redis = ["redis (>=2.10.5)"]

[[package]]
name = "filelock"
version = "3.0"
optional = false
python-versions = ">=3.8"
files = [{file = "f.whl", hash = "sha256:bb"}]

[[package]]
name = "requests"
version = "2.0"
optional = false
python-versions = ">=3.8"
files = []
[package.source]
type = "git"
url = "git@github.example:psf/requests.git"
reference = "main"
resolved_reference = "0123456"

[[package]]
name = "tomli"
version = "2.0"
optional = false
python-versions = ">=3.8"
files = [{file = "t.whl", hash = "sha256:cc"}]

[metadata]
lock-version = "2.0"
python-versions = "^3.9"
"""


@pytest.fixture
def lock(tmp_path):
    def written(kind, name, text, python="3.12.1", pyproject="", **wanted):
        (tmp_path / "pyproject.toml").write_text(pyproject)
        (tmp_path / name).write_text(textwrap.dedent(text))
        file = InstallFile(file=tmp_path / name, kind=kind, at=name)
        return file, Wanted(where=f"{name} of shop", python=python, **wanted)

    return written


def poetry(needs):
    return f'[tool.poetry]\nname = "shop"\n[tool.poetry.dependencies]\npython = "^3.9"\n{needs}\n'


def test_a_lock_of_poetry_1_is_walked_with_extras_and_markers(lock):
    hashes = "--hash=sha256:aa --hash=sha256:ab"
    requests = "requests @ git+ssh://git@github.example/psf/requests.git@0123456"
    plain = lock("poetry", "poetry.lock", POETRY_1, pyproject=poetry('cachecontrol = "*"'))
    assert set(pinned_lines(*plain)) == {f"CacheControl==0.14.0 {hashes}", requests}
    needs = 'cachecontrol = { version = "*", extras = ["filecache"] }'
    extra = lock("poetry", "poetry.lock", POETRY_1, pyproject=poetry(needs), python="3.10.2")
    more = {"filelock==3.0 --hash=sha256:bb", "tomli==2.0 --hash=sha256:cc"}
    assert set(pinned_lines(*extra)) == {f"CacheControl==0.14.0 {hashes}", requests, *more}


def test_two_versions_that_both_fit_are_refused(lock):
    package = '[[package]]\nname = "numpy"\nversion = "{}"\ngroups = ["main"]\nfiles = []\n{}\n'
    of_both = package.format("1.0", "") + package.format("2.0", "") + "[metadata]\n"
    with pytest.raises(UsageError, match=r"^poetry\.lock of shop has numpy 1\.0 and 2\.0, .*poetry export"):
        pinned_lines(*lock("poetry", "poetry.lock", of_both))
    old, new = "markers = \"python_version < '3.12'\"", "markers = \"python_version >= '3.12'\""
    of_each = package.format("1.0", old) + package.format("2.0", new) + "[metadata]\n"
    assert pinned_lines(*lock("poetry", "poetry.lock", of_each)) == ["numpy==2.0"]
    assert pinned_lines(*lock("poetry", "poetry.lock", of_each, python="3.11.0")) == ["numpy==1.0"]


def test_markers_of_poetry_may_differ_between_groups(lock):
    text = """
    [[package]]
    name = "leaf"
    version = "1.0"
    groups = ["main", "dev"]
    markers = {main = "sys_platform == 'win32'", dev = "python_version > '3'"}
    files = []
    [metadata]
    """
    assert pinned_lines(*lock("poetry", "poetry.lock", text)) == []
    assert pinned_lines(*lock("poetry", "poetry.lock", text, groups=("dev",))) == ["leaf==1.0"]


def test_a_lock_of_pdm_without_groups_is_refused(lock):
    text = '[metadata]\nlock_version = "4.3"\n[[package]]\nname = "leaf"\nversion = "1.0"\n'
    with pytest.raises(UsageError, match="pdm lock --strategy inherit_metadata"):
        pinned_lines(*lock("pdm", "pdm.lock", text))


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("poetry", "poetry.lock", ""),
        ("poetry", "poetry.lock", "[metadata]\n[[package]]\nversion = '1'\ngroups = ['main']\n"),
        ("pdm", "pdm.lock", "package = 3\n[metadata]\n"),
        ("pipenv", "Pipfile.lock", '{"default": {"leaf": {}}}'),
        ("pipenv", "Pipfile.lock", "[]"),
        ("pipenv", "Pipfile.lock", "{"),
    ],
)
def test_a_damaged_lock_is_one_line(lock, kind, name, text):
    with pytest.raises(UsageError, match=f"^{name} of shop ") as caught:
        pinned_lines(*lock(kind, name, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("versions", "fits", "does_not"),
    [
        ("^3.9", "3.14.0", "4.0.0"),
        ("^3.9", "3.9.0", "3.8.18"),
        ("~3.11", "3.11.9", "3.12.0"),
        (">=3.9,<3.12 || ^3.13", "3.13.1", "3.12.4"),
        ("3.11.*", "3.11.4", "3.12.0"),
        (">=3.9 <3.12", "3.10.0", "3.12.0"),
        ("!=3.12.1,>=3.9", "3.12.2", "3.12.1"),
    ],
)
def test_versions_in_the_words_of_poetry(versions, fits, does_not):
    assert Wanted(where="", python=fits).allows(versions)
    assert not Wanted(where="", python=does_not).allows(versions)


def test_a_lock_of_pdm_names_its_pythons(lock):
    target = '[[metadata.targets]]\nrequires_python = "{}"\n'
    text = target.format("==3.9.*") + target.format(">=3.10")
    assert wanted_python(*lock("pdm", "pdm.lock", text)) == "==3.9.*||>=3.10"
