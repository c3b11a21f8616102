"""A virtual environment for each app, made from its lock by uv."""

import fcntl
import hashlib
import os
import platform
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from bench.errors import CannotMeasure, UsageError
from bench.files import read_json, to_json, working_folder
from bench.model.contender import Contender
from bench.project.installs import keeps_a_lock_of_apps
from bench.runtime import gil
from bench.runtime.interpreters import built, found, pyenv
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
    loose: tuple[str, ...] = ()  # packages whose versions no file states

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def built(self) -> str:
        """How its Python was built."""
        return built(str(self.programs / "python"))

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
        python, version = interpreter(contender)
        folder = _place(contender, venvs, version, lock.content)
        with _alone(folder):
            if not folder.is_dir():
                _build(folder, python, lock)
        return Environment(folder=folder, python=version)
    python, version = interpreter(contender)
    wanted = installation(contender, version)
    folder = _place(contender, venvs, version, wanted.content)
    known_versions = folder.with_name(f"{folder.name.rpartition('-')[0]}.versions")
    with _alone(known_versions):  # not at once: the second of base and head prefers the versions of the first
        if not folder.is_dir():
            _install(folder, python, wanted, known_versions)
        facts = read_json(folder / FACTS, Installed)
        made = Environment(
            folder=folder,
            python=version,
            sources=tuple(_sources(Path(contender.root), facts.folders)),
            unlocked=facts.unlocked,
            loose=facts.loose,
        )
        versions = (f"{name}=={version}\n" for name, version in made.packages().items())
        known_versions.write_text("".join(versions))
    return made


def _place(contender: Contender, venvs: Path, version: str, content: bytes) -> Path:
    free = gil.FREE if (contender.python or "").endswith(gil.FREE) else ""  # the same version, another build
    key = hashlib.sha256(content + f"{version}{free} {sysconfig.get_platform()}".encode()).hexdigest()
    minor = "".join(version.split(".")[:2]) + free
    return venvs / f"{contender.app}-py{minor}-{key[:12]}"


def _sources(root: Path, folders: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders to import from. A revision may move its code, which no lock shows."""
    for folder in folders:
        for inner in import_folders(root / folder):
            yield os.path.normpath(os.path.join(folder, inner))


def unlocked(made: Mapping[str, Environment]) -> dict[str, str]:
    """Return by contender why its versions may differ, and where those of its other revision do."""
    words = {name: one.unlocked for name, one in made.items() if one.unlocked}
    for name, why in words.items():
        for other, there in made.items():
            if other != name and other.partition("@")[0] == name.partition("@")[0]:
                differing = list(_differing(made[name], there))
                words[name] = why + (f". {other} has others: {'; '.join(differing)}" if differing else "")
    return words


def _differing(here: Environment, there: Environment) -> Iterator[str]:
    ours, theirs = (
        {canonicalize_name(name): version for name, version in one.packages().items()}
        for one in (here, there)
    )
    for name in here.loose:
        package = canonicalize_name(name)
        if package in theirs and theirs[package] != ours.get(package):
            yield f"{name} {ours.get(package)} here, {theirs[package]} there"


def missing_python(contender: Contender) -> str | None:
    if contender.python is None or found(contender.python):
        return None
    return (
        f"it wants Python {contender.python}, and there is no python{contender.python} on PATH or under "
        f"{pyenv()}: install it (pyenv install {contender.python})"
    )


def interpreter(contender: Contender) -> tuple[str, str]:
    if contender.python is None:
        return sys.executable, platform.python_version()
    if there := found(contender.python):
        return there
    raise UsageError(f"{contender.name}: {missing_python(contender)}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Prevent two runs from making the same environment at once."""
    working_folder(folder.parent)
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


def _install(folder: Path, python: str, wanted: Installation, known_versions: Path) -> None:
    draft = _draft(folder, python, wanted.folder, wanted.named)
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
