"""A virtual environment for each app, made from its lock by uv."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import uv

from bench.errors import CannotMeasure, UsageError
from bench.model import Contender
from bench.runtime.requirements import Lock, advice, read_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A complete environment."""

    folder: Path
    python: str  # full version

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def libraries(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def packages(self) -> dict[str, str]:
        installed = distributions(path=[str(self.libraries)])
        return dict(sorted((package.name.lower(), package.version) for package in installed))


def environment(contender: Contender, venvs: Path) -> Environment:
    """Return the environment of a contender's app, and make it first if it is missing.

    Raises UsageError without its interpreter or lock, CannotMeasure if uv fails.
    """
    lock = read_lock(contender)
    python, version = _interpreter(contender)
    key = hashlib.sha256(lock.content + f"{version} {sysconfig.get_platform()}".encode()).hexdigest()
    minor = "".join(version.split(".")[:2])
    folder = venvs / f"{contender.app}-py{minor}-{key[:12]}"
    with _alone(folder):
        if not folder.is_dir():
            _build(folder, python, lock)
    return Environment(folder=folder, python=version)


def missing_python(contender: Contender) -> str | None:
    if contender.python is None or _found(contender.python):
        return None
    return (
        f"it wants Python {contender.python}, and there is no python{contender.python} on PATH or under "
        f"{_pyenv()}: install it (pyenv install {contender.python})"
    )


def _interpreter(contender: Contender) -> tuple[str, str]:
    if contender.python is None:
        return sys.executable, platform.python_version()
    if found := _found(contender.python):
        return found
    raise UsageError(f"{contender.name}: {missing_python(contender)}")


def _found(python: str) -> tuple[str, str] | None:
    name = f"python{python}"
    candidates = [shutil.which(name), *map(str, sorted(_pyenv().glob(f"versions/{python}*/bin/{name}")))]
    for candidate in filter(None, candidates):
        # A shim of pyenv is on PATH, but runs only if that version is switched on.
        asked = subprocess.run([candidate, "-V"], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return candidate, asked.stdout.split()[-1]
    return None


def _pyenv() -> Path:
    return Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Prevent two runs from making the same environment at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # unlocked when the file closes, or its process dies
        yield


def _build(folder: Path, python: str, lock: Lock) -> None:
    """Make the environment beside its place, then move it there: a killed build leaves no partial one."""
    draft = folder.with_name(f"{folder.name}.draft")
    # Relocatable: its scripts find their interpreter after the move.
    _uv(lock, "venv", "--relocatable", "--clear", "--python", python, str(draft))
    if lock.needs_packages:
        # Compiled now, or the first start of a server would take longer than the others.
        options = ("--require-hashes", "--compile-bytecode", "--python", str(draft / "bin/python"))
        _uv(lock, "pip", "sync", *options, str(lock.file))
    draft.rename(folder)


def _uv(lock: Lock, *arguments: str) -> None:
    done = subprocess.run(
        [uv.find_uv_bin(), "--quiet", *arguments],
        cwd=lock.file.parent,  # the files that it names are beside it
        # A terminal's width would break its lines, which are read below.
        env=os.environ | {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1", "COLUMNS": "10000"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reasons = [line for line in lines if not line.startswith("hint:")] or ["no message"]
        why = reasons[-1].removeprefix("error: ")
        if why.startswith("cause: "):  # the error is at the top of a chain of causes
            failed = next((line for line in reasons if line.startswith("error: ")), "error: ")
            why = f"{failed.removeprefix('error: ')}: {why.removeprefix('cause: ')}"
        raise CannotMeasure(f"the environment of {lock.named} cannot be made: {why}{advice(why)}")
