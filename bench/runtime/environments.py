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

from bench.errors import CannotMeasure, UsageError
from bench.files import read_json, to_json
from bench.model import Contender
from bench.project.installs import keeps_a_lock_of_apps
from bench.runtime.packages.installation import Installation, installation
from bench.runtime.packages.installing import Installed, install
from bench.runtime.packages.own_code import import_folders
from bench.runtime.requirements import Lock, advice, read_lock
from bench.runtime.uv_calls import call_uv

FACTS = "bench.json"  # in the folder of an environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A complete environment."""

    folder: Path
    python: str  # full version
    sources: tuple[str, ...] = ()  # folders below the project that its servers import from
    unlocked: str = ""  # why another installation may have other versions; "" if none can

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

    Raises UsageError without its interpreter or what it is made from, CannotMeasure if uv fails.
    """
    if keeps_a_lock_of_apps(contender):
        lock = read_lock(contender)
        python, version = _interpreter(contender)
        folder = _place(contender, venvs, version, lock.content)
        with _alone(folder):
            if not folder.is_dir():
                _build(folder, python, lock)
        return Environment(folder=folder, python=version)
    python, version = _interpreter(contender)
    wanted = installation(contender, version)
    folder = _place(contender, venvs, version, wanted.content)
    with _alone(folder):
        if not folder.is_dir():
            _install(folder, python, wanted)
    facts = read_json(folder / FACTS, Installed)
    return Environment(
        folder=folder,
        python=version,
        sources=tuple(_sources(Path(contender.root), facts.folders)),
        unlocked=facts.unlocked,
    )


def _place(contender: Contender, venvs: Path, version: str, content: bytes) -> Path:
    key = hashlib.sha256(content + f"{version} {sysconfig.get_platform()}".encode()).hexdigest()
    minor = "".join(version.split(".")[:2])
    return venvs / f"{contender.app}-py{minor}-{key[:12]}"


def _sources(root: Path, folders: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders to import from. A revision may move its code, which no lock shows."""
    for folder in folders:
        for inner in import_folders(root / folder):
            yield os.path.normpath(os.path.join(folder, inner))


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
        done = subprocess.run([candidate, "-V"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return candidate, done.stdout.split()[-1]
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
    draft = _draft(folder, python, lock.file.parent, lock.named)
    if lock.needs_packages:
        # Compiled now, or the first start of a server would take longer than the others.
        options = ("--require-hashes", "--compile-bytecode", "--python", str(draft / "bin/python"))
        failed = f"the environment of {lock.named} cannot be made"
        try:
            call_uv("pip", "sync", *options, str(lock.file), folder=lock.file.parent, failed=failed)
        except CannotMeasure as error:
            raise CannotMeasure(f"{error}{advice(str(error).removeprefix(failed))}") from error
    draft.rename(folder)


def _install(folder: Path, python: str, wanted: Installation) -> None:
    draft = _draft(folder, python, wanted.folder, wanted.named)
    known_versions = folder.with_name(f"{folder.name.rpartition('-')[0]}.versions")
    made = Environment(folder=draft, python=wanted.python)
    facts = install(wanted, draft, made.libraries, known_versions)
    (draft / FACTS).write_bytes(to_json(facts))
    draft.rename(folder)


def _draft(folder: Path, python: str, where: Path, named: str) -> Path:
    draft = folder.with_name(f"{folder.name}.draft")
    # Relocatable: its scripts find their interpreter after the move.
    options = ("--relocatable", "--clear", "--python", python)
    failed = f"the environment of {named} cannot be made"
    call_uv("venv", *options, str(draft), folder=where, failed=failed)
    return draft
