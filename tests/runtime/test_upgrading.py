"""Packages of each layout resolved anew by uv, from wheels that are written here: no index is used."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from packaging.requirements import Requirement
from uv import find_uv_bin

from bench.errors import CannotMeasure, UsageError
from bench.runtime.environments import environment
from bench.runtime.upgrading import upgrade, versions
from tests.runtime.test_installation import PROJECT, contender
from tests.support.wheels import write_wheel

FULL = ".".join(map(str, sys.version_info[:3]))


def requirements(*written):
    return [Requirement(one) for one in written]


@pytest.fixture
def hashes(tmp_path, monkeypatch):
    """`tiny` needs `leaf`: tiny 2 a newer one; `extra` stays where it is, though 4 is there."""
    wheels = tmp_path / "wheels"
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return {
        "leaf1": write_wheel(wheels, "leaf", "1.0"),
        "leaf2": write_wheel(wheels, "leaf", "2.0"),
        "leaf3": write_wheel(wheels, "leaf", "3.0"),
        "tiny1": write_wheel(wheels, "tiny", "1.5", ["leaf"]),
        "tiny2": write_wheel(wheels, "tiny", "2.0", ["leaf>=2"]),
        "extra3": write_wheel(wheels, "extra", "3.0"),
        "extra4": write_wheel(wheels, "extra", "4.0"),
    }


@pytest.fixture
def locked(hashes):
    return (
        f"extra==3.0 --hash={hashes['extra3']}\n"
        f"leaf==1.0 --hash={hashes['leaf1']}\n"
        f"tiny==1.5 --hash={hashes['tiny1']}\n"
    )


@pytest.fixture
def sides(tmp_path, hashes):
    """Write the files of a project on both sides, and return its contender there, with a copy of the base."""

    def make(files, **changes):
        for side in ("base", "head", "again"):
            for name, text in files.items():
                file = tmp_path / side / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        base = contender(tmp_path / "base", **changes)
        return base, replace(base, root=str(tmp_path / "head"))

    return make


def upgraded(sides, *requested, tmp_path):
    base, head = sides
    return upgrade(base, head, requirements(*requested), lock="up.txt", copies=[tmp_path / "again"])


def installed(contender, lock, tmp_path):
    more = {"lock": lock, "extras": (), "groups": ()} if lock else {}
    return environment(replace(contender, **more), tmp_path / "venvs").packages()


def moved(found):
    return [str(one) for one in found.moved]


MOVED = ["leaf 1.0 → 3.0", "tiny 1.5 → 2.0"]


def test_a_lock_moves_no_further_than_it_must_and_in_place(sides, locked, tmp_path):
    both = sides({"requirements.txt": locked})
    found = upgraded(both, "tiny==2.*", tmp_path=tmp_path)
    assert moved(found) == MOVED
    assert (found.base_lock, found.head_lock) == (None, None)
    assert installed(both[1], None, tmp_path) == {"extra": "3.0", "leaf": "3.0", "tiny": "2.0"}
    assert installed(both[0], None, tmp_path) == {"extra": "3.0", "leaf": "1.0", "tiny": "1.5"}


def test_a_lock_of_apps_is_resolved_from_its_source_whose_own_versions_stay(sides, tmp_path, locked):
    source = "tiny~=1.0\nextra==3.0  # not yet\nleaf<3\n"
    files = {"apps/app/requirements.txt": locked, "apps/app/requirements.in": source}
    both = sides(files, folder=None)
    found = upgraded(both, "tiny", tmp_path=tmp_path)
    assert moved(found) == ["leaf 1.0 → 2.0", "tiny 1.5 → 2.0"]
    assert installed(both[1], None, tmp_path) == {"extra": "3.0", "leaf": "2.0", "tiny": "2.0"}
    with pytest.raises(UsageError, match=r"^--upgrade 'leaf==3\.0'.*your requirements are unsatisfiable"):
        upgraded(both, "leaf==3.0", "tiny<1", tmp_path=tmp_path)


def test_files_that_include_each_other_become_one_lock_beside_them(sides, locked, tmp_path):
    extra, *others = locked.splitlines(keepends=True)
    prod = f"-r base.txt\n-c limits.txt\n{extra}"
    limits = "leaf<3\ntiny==1.5\n"
    files = {"prod.txt": prod, "base.txt": "".join(others), "limits.txt": limits}
    both = sides(files, install=("prod.txt",))
    found = upgraded(both, "tiny>=2", tmp_path=tmp_path)
    assert moved(found) == ["leaf 1.0 → 2.0", "tiny 1.5 → 2.0"]
    assert (found.base_lock, found.head_lock) == (None, "up.txt")
    assert installed(both[1], "up.txt", tmp_path)["leaf"] == "2.0"


def test_where_no_file_has_all_versions_both_sides_get_a_lock(sides, tmp_path):
    project = PROJECT.replace('["tiny"]', '["tiny<2", "leaf<3"]')
    both = sides({"pyproject.toml": project, "shop.py": ""})
    found = upgraded(both, "tiny==2.0", tmp_path=tmp_path)
    assert moved(found) == ["tiny 1.5 → 2.0"]
    assert (found.base_lock, found.head_lock) == ("up.txt", "up.txt")
    base, head = installed(both[0], "up.txt", tmp_path), installed(both[1], "up.txt", tmp_path)
    assert (base["tiny"], head["tiny"], base["shop"]) == ("1.5", "2.0", "1.2")
    assert (tmp_path / "again" / "up.txt").read_text() == (tmp_path / "base" / "up.txt").read_text()


def test_requirements_without_hashes_keep_what_they_have_no_version_of(sides, tmp_path):
    both = sides({"requirements.txt": "tiny==1.5\nextra==3.0\nleaf<3\n"})
    found = upgraded(both, "tiny==2.0", tmp_path=tmp_path)
    assert moved(found) == ["tiny 1.5 → 2.0"]
    assert installed(both[1], "up.txt", tmp_path) == {"extra": "3.0", "leaf": "2.0", "tiny": "2.0"}


def test_a_lock_of_uv_is_locked_by_uv_though_its_project_says_otherwise(sides, tmp_path):
    project = PROJECT.replace('["tiny"]', '["tiny<2", "leaf<3", "extra==3.0"]')
    project = project.replace("1.2", '1.2"\nrequires-python = ">=3.11')
    project += '[tool.uv]\nno-index = true\nfind-links = ["../wheels"]\n'
    both = sides({"pyproject.toml": project})
    for one in both:
        subprocess.run([find_uv_bin(), "-q", "lock"], cwd=one.place, check=True)
    assert versions(both[0])["tiny"] == "1.5"
    found = upgraded(both, "tiny==2.0", tmp_path=tmp_path)
    assert moved(found) == ["tiny 1.5 → 2.0"]
    assert found.head_lock is None
    assert installed(both[1], None, tmp_path)["tiny"] == "2.0"
    assert versions(both[0])["tiny"] == "1.5"


def test_a_lock_of_pipenv_is_upgraded_beside_it(sides, hashes, tmp_path):
    default = {
        "leaf": {"version": "==1.0", "hashes": [hashes["leaf1"]]},
        "tiny": {"version": "==1.5", "hashes": [hashes["tiny1"]]},
    }
    both = sides({"Pipfile.lock": json.dumps({"_meta": {}, "default": default})})
    found = upgraded(both, "tiny==2.0", tmp_path=tmp_path)
    assert moved(found) == MOVED
    assert (found.base_lock, found.head_lock) == (None, "up.txt")
    assert installed(both[1], "up.txt", tmp_path) == {"leaf": "3.0", "tiny": "2.0"}


def test_a_lock_whose_source_is_unknown_is_refused(sides, tmp_path):
    both = sides({"pylock.toml": 'lock-version = "1.0"\ncreated-by = "x"\npackages = []\n'})
    with pytest.raises(UsageError, match=r"pylock\.toml of shop cannot be upgraded: .*bench diff BASE HEAD"):
        upgraded(both, "tiny", tmp_path=tmp_path)


@pytest.mark.parametrize(
    ("requested", "said"),
    [
        (["tiny==9.0"], r"^--upgrade 'tiny==9\.0': .*there is no version of tiny==9\.0"),
        (["tiny==2.0", "leaf<2"], r"tiny>=2\.0 depends on leaf>=2.*unsatisfiable"),
        (["newer"], rf"^--upgrade 'newer' needs Python 3\.98, and shop has {FULL}: `--python 3\.98` changes"),
    ],
)
def test_what_cannot_be_resolved_has_the_reason_of_uv_in_one_line(sides, locked, tmp_path, requested, said):
    write_wheel(tmp_path / "wheels", "newer", "2.0", python=">=3.98")
    old = write_wheel(tmp_path / "wheels", "newer", "1.0")
    (tmp_path / "wheels" / "newer-1.0-py3-none-any.whl").unlink()
    both = sides({"requirements.txt": f"{locked}newer==1.0 --hash={old}\n"})
    with pytest.raises(UsageError, match=said) as raised:
        upgraded(both, *requested, tmp_path=tmp_path)
    assert "\n" not in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


def test_an_index_that_cannot_be_reached_is_said_before_anything_starts(sides, locked, tmp_path, monkeypatch):
    both = sides({"requirements.txt": locked})
    shutil.rmtree(tmp_path / "wheels")
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(CannotMeasure, match="nothing was started: uv does not reach its index of packages"):
        upgraded(both, "tiny==2.0", tmp_path=tmp_path)
