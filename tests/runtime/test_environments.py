"""Environments are truly made by uv, from a wheel that is written here: no index is asked."""

import hashlib
import platform
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.model.contender import Contender
from bench.runtime.environments import environment, missing_python
from bench.runtime.interpreters import built


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "apps" / "tiny_app"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("# nothing\n")
    return folder


def contender(app, **changes):
    facts = {"name": "tiny", "base": "tiny", "app": app.name, "root": str(app.parents[1]), "stack": "Tiny"}
    rest = {"interface": "wsgi", "server": "tiny", "command": "tiny"}
    return Contender(**(facts | rest | changes))


def write_wheel(folder, requires=""):
    """Write a wheel with one script, and return the line that locks it."""
    wheel = folder / "tiny-1.5-py3-none-any.whl"
    about = "tiny-1.5.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "def main(): print('hello from tiny')\n")
        needed = f"Requires-Python: {requires}\n" if requires else ""
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: 1.5\n{needed}")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/entry_points.txt", "[console_scripts]\ntiny = tiny:main\n")
        archive.writestr(f"{about}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"tiny @ {wheel.as_uri()} --hash=sha256:{digest}\n"


def test_an_environment_holds_what_the_lock_says_and_its_scripts_run(app, tmp_path):
    (app / "requirements.txt").write_text(write_wheel(tmp_path))

    made = environment(contender(app), tmp_path / "venvs")

    assert made.packages() == {"tiny": "1.5"}
    script = subprocess.run([made.programs / "tiny"], capture_output=True, text=True, check=True)
    assert script.stdout == "hello from tiny\n"


def test_an_empty_lock_gives_a_bare_environment(app, tmp_path):
    made = environment(contender(app), tmp_path / "venvs")

    assert made.packages() == {}
    assert (made.programs / "python").exists()


def test_the_same_lock_is_made_once_and_another_one_elsewhere(app, tmp_path):
    first = environment(contender(app), tmp_path / "venvs")
    (first.folder / "kept").touch()
    again = environment(contender(app), tmp_path / "venvs")
    (app / "requirements.txt").write_text("# nothing else\n")
    other = environment(contender(app), tmp_path / "venvs")

    assert again.folder == first.folder
    assert (again.folder / "kept").exists()
    assert other.folder != first.folder


def test_another_lock_of_an_app_gives_another_environment(app, tmp_path):
    (app / "requirements-1.5.txt").write_text(write_wheel(tmp_path))

    bare = environment(contender(app), tmp_path / "venvs")
    other = environment(contender(app, lock="requirements-1.5.txt"), tmp_path / "venvs")

    assert (bare.packages(), other.packages()) == ({}, {"tiny": "1.5"})
    assert other.folder != bare.folder
    with pytest.raises(UsageError, match=r"tiny has no apps/tiny_app/requirements-2\.txt"):
        environment(contender(app, lock="requirements-2.txt"), tmp_path / "venvs")


def test_a_lock_that_needs_a_newer_python_names_it(app, tmp_path):
    line = write_wheel(tmp_path, requires=">=3.98")
    (app / "requirements.txt").write_text(line)
    with pytest.raises(CannotMeasure, match=r"Python>=3\.98.*: it needs Python 3\.98: name one in"):
        environment(contender(app), tmp_path / "venvs")


def test_two_runs_at_once_do_not_collide(app, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        makings = [pool.submit(environment, contender(app), tmp_path / "venvs") for _ in range(2)]
        folders = {making.result().folder for making in makings}

    assert len(folders) == 1
    assert (folders.pop() / "bin" / "python").exists()


def test_what_a_killed_build_left_is_made_again(app, tmp_path):
    made = environment(contender(app), tmp_path / "venvs").folder
    made.rename(made.with_name(f"{made.name}.draft"))
    (made.with_name(f"{made.name}.draft") / "bin" / "python").unlink()

    assert (environment(contender(app), tmp_path / "venvs").programs / "python").exists()


def test_a_lock_without_hashes_is_refused_and_named(app, tmp_path):
    (app / "requirements.txt").write_text("tiny==1.5\n")

    with pytest.raises(CannotMeasure, match=r"requirements\.txt of tiny cannot be made: .*--generate-hashes"):
        environment(contender(app), tmp_path / "venvs")
    assert not list((tmp_path / "venvs").glob("*[!k]/bin/tiny"))


def test_a_missing_lock_says_what_to_write(app, tmp_path):
    (app / "requirements.txt").unlink()

    with pytest.raises(UsageError, match="empty if it needs no packages"):
        environment(contender(app), tmp_path / "venvs")


def write_python(folder, version, *, status=0):
    """Write what stands for an interpreter and says its version, or fails as a shim of pyenv does."""
    name = folder / f"python{version}"
    name.parent.mkdir(parents=True, exist_ok=True)
    name.write_text(f'#!/bin/sh\necho "Python {version}.7"\nexit {status}\n')
    name.chmod(0o755)


def test_a_missing_python_is_told_with_the_remedy(app, tmp_path, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    said = missing_python(contender(app, python="3.99"))
    assert said == (
        "it wants Python 3.99, and there is no python3.99 on PATH or under "
        f"{tmp_path / 'pyenv'}: install it (pyenv install 3.99)"
    )
    with pytest.raises(UsageError, match=r"^tiny: it wants Python 3\.99, and there is no python3\.99"):
        environment(contender(app, python="3.99"), tmp_path / "venvs")


def test_a_python_is_there_on_the_path_or_under_pyenv(app, tmp_path, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert missing_python(contender(app)) is None
    write_python(tmp_path / "path", "3.98")
    assert missing_python(contender(app, python="3.98")) is None
    write_python(tmp_path / "path", "3.99", status=127)
    assert missing_python(contender(app, python="3.99"))
    write_python(tmp_path / "pyenv" / "versions" / "3.99.7" / "bin", "3.99")
    assert missing_python(contender(app, python="3.99")) is None
    assert missing_python(contender(app, python="3.99t"))
    write_python(tmp_path / "pyenv" / "versions" / "3.99.7t" / "bin", "3.99t")
    assert missing_python(contender(app, python="3.99t")) is None
    write_python(tmp_path / "pyenv" / "versions" / "3.97.7t" / "bin", "3.97")
    assert missing_python(contender(app, python="3.97"))


def test_what_failed_is_named_beside_its_cause(app, tmp_path, monkeypatch):
    (app / "requirements.txt").write_text(f"tiny==1.5 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "nowhere"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(CannotMeasure, match=r"find-links.*nowhere: No such file or directory"):
        environment(contender(app), tmp_path / "venvs")


def test_how_a_python_was_built_is_known_by_its_compiler_and_what_configure_was_given():
    compiler, *rest = built(sys.executable).split(", ")
    assert compiler == platform.python_compiler()
    assert all(re.fullmatch(r"-O\w+|--(with|enable|disable)-[\w=-]+", one) for one in rest)
    assert built("true") == ""
