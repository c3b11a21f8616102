"""The packages of a contender resolved anew with one requirement changed, and as little moved as possible.

Files are written only in the folders of the contenders, which are laid out for a diff.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement

from bench.errors import CannotMeasure, UsageError
from bench.files import text_of, write_atomically
from bench.model.contender import Contender
from bench.project.installs import InstallFile, keeps_a_lock_of_apps
from bench.runtime.environments import interpreter
from bench.runtime.packages.installation import Installation, installation
from bench.runtime.packages.installing import exported, left_as_they_are
from bench.runtime.packages.moves import PackageMove, moves, pins
from bench.runtime.packages.own_code import requirements_of
from bench.runtime.packages.own_lines import is_own
from bench.runtime.packages.required import Required, required, with_requested
from bench.runtime.requirements import NAME, OPTION, lines_of, needed_python
from bench.runtime.uv_calls import call_uv

COMPILE = ("pip", "compile", "--generate-hashes", "--no-header", "--no-annotate")
FOREIGN = ("poetry", "pdm", "pipenv")
# What uv writes where it got no answer, or may not send a request.
UNREACHED = re.compile(r"Failed to fetch|error sending request|network was disabled|in the cache|dns error")
LITERAL = re.compile(r"\"([^\"\n]+)\"|'([^'\n]+)'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """What moved, and the locks that were written beside the old files; None: the old file is used."""

    moved: tuple[PackageMove, ...]
    base_lock: str | None = None
    head_lock: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """The packages of a contender on one side, and its interpreter."""

    made: Installation
    python: str

    @property
    def file(self) -> InstallFile:
        return self.made.files[0]

    def pins(self, lines: Iterable[str]) -> dict[str, str]:
        return pins(lines, self.made.wanted(self.file))


def versions(contender: Contender) -> dict[str, str]:
    """Return the versions of a contender's packages, by name. Raises UsageError, CannotMeasure."""
    side = _side(contender)
    return side.pins(_stated(side)[0]) if side.made.files else {}


def upgrade(
    base: Contender,
    head: Contender,
    requested: Sequence[Requirement],
    *,
    lock: str,
    copies: Sequence[Path] = (),
) -> Upgraded:
    """Resolve the packages of *head* with *requested* in place of what it required of these packages.

    All others keep the versions of *base* if they may. What cannot be written in place is the file *lock*. If
    no file of the base states all versions, it gets such a lock too, and so do its *copies*. Raises
    UsageError if there is no solution, CannotMeasure if the index cannot be reached.
    """
    here, there = _side(base), _side(head)
    if not here.made.files:
        return Upgraded(moved=())
    was, locked = _stated(here)
    if there.file.kind == "uv":
        now = _lock_of_uv(there, requested) if requested else _exported(there)
        return Upgraded(moved=moves(here.pins(was), there.pins(now)))
    if locked and not requested:
        return Upgraded(moved=moves(here.pins(was), there.pins(was)))
    wanted = required(there.made, requested)
    if wanted.projects or wanted.code:
        _rewrite_projects(there.made, requested)
    now = _compiled(there, wanted, requested, preferred=was)
    moved = moves(here.pins(was), there.pins(now))
    if locked and there.file.kind == "requirements" and len(there.made.texts) == 1:
        _write(there.file.file, now)
        return Upgraded(moved=moved)
    _write(there.made.folder / lock, now)
    if locked:
        return Upgraded(moved=moved, head_lock=lock)
    below = os.path.relpath(here.made.folder, base.root)
    for root in (Path(base.root), *copies):
        _write(root / below / lock, was)
    return Upgraded(moved=moved, base_lock=lock, head_lock=lock)


def _side(contender: Contender) -> _Side:
    if keeps_a_lock_of_apps(contender) and contender.lock is None:
        contender = replace(contender, lock=NAME)
    python, version = interpreter(contender)
    made = installation(contender, version)
    kinds = {file.kind for file in made.files}
    if "pylock" in kinds or ("uv" in kinds and len(made.files) > 1):
        raise UsageError(
            f"{made.named} cannot be upgraded: bench does not know what it was made from. Make it anew on a "
            "branch, and compare that: `bench diff BASE HEAD`"
        )
    return _Side(made=made, python=python)


def _stated(side: _Side) -> tuple[list[str], bool]:
    """Return each package at its version, as lines, and whether the files state all of that."""
    if side.file.kind == "uv":
        return _exported(side), True
    written = required(side.made)
    foreign = all(file.kind in FOREIGN for file in side.made.files)
    if foreign or (written.is_hashed and not written.projects and not written.code):
        return [*written.lines, *written.own], True
    return _compiled(side, written, (), preferred=()), False


def _exported(side: _Side) -> list[str]:
    return exported(side.made, side.file, Path(side.python))


def _compiled(
    side: _Side, written: Required, requested: Sequence[Requirement], *, preferred: Iterable[str]
) -> list[str]:
    """Return what uv resolves, with the versions of *preferred* where they may stay."""
    made = side.made
    own = made.own_folders(written.own, made.folder, made.named)
    code = made.own_folders(written.code, made.folder, made.named)
    stays = [f"{name}=={one}" for name, one in side.pins(preferred).items() if "://" not in one]
    with TemporaryDirectory(prefix="bench-upgrade-") as folder, left_as_they_are(made.own):
        wanted, limits, resolved = (Path(folder) / name for name in ("wanted.in", "limits.txt", "out.txt"))
        _write(wanted, (*written.lines, *(f"-e {one.as_uri()}" for one in code)))
        _write(limits, written.constraints)
        _write(resolved, stays)
        files = ("--output-file", str(resolved), "--constraints", str(limits))
        names = {f"{folder}/": "", **{str(one.file): one.at for one in made.files}}
        _call(side, requested, *COMPILE, *files, *written.projects, str(wanted), names=names)
        lines = list(lines_of(resolved.read_text()))
    own += made.own_folders([one for one in lines if is_own(one)], made.folder, made.named)
    start = os.path.realpath(made.folder)
    places = dict.fromkeys(f"-e {os.path.relpath(one, start)}" for one in own)
    options = tuple(one for one in written.lines if OPTION.match(one))  # where the packages come from
    return [*options, *(one for one in lines if not is_own(one)), *places]


def _lock_of_uv(side: _Side, requested: Sequence[Requirement]) -> list[str]:
    """Lock in place by uv, and return the lines of the new lock."""
    _rewrite_projects(side.made, requested)
    _call(side, requested, "lock")
    return _exported(side)


def _rewrite_projects(made: Installation, requested: Sequence[Requirement]) -> None:
    """Let the user's projects require what is requested."""
    for folder in dict.fromkeys(
        (*made.own, *(Path(os.path.realpath(one.file.parent)) for one in made.files))
    ):
        file, stated = folder / "pyproject.toml", set(requirements_of(folder))
        if not stated:
            continue
        write_atomically(file, _rewritten(text_of(file), stated, requested).encode())


def _rewritten(text: str, stated: set[str], requested: Sequence[Requirement]) -> str:
    """Return a pyproject.toml with those of the *stated* requirements changed that are *requested*."""

    def literal(found: re.Match[str]) -> str:
        line = found[1] or found[2]
        other = with_requested(line, requested) if line in stated else line
        return found[0] if other == line else f"'{other}'"  # markers in it have double quotes

    return LITERAL.sub(literal, text)


def _call(
    side: _Side,
    requested: Sequence[Requirement],
    *arguments: str,
    names: Mapping[str, str] | None = None,
) -> None:
    failed = f"{side.made.named} cannot be resolved"
    options = (*(f"--upgrade-package={one}" for one in requested), "--python", side.python)
    try:
        call_uv(*arguments, *options, folder=side.made.folder, failed=failed, names=names)
    except CannotMeasure as error:
        why = str(error).removeprefix(f"{failed}: ")
        if UNREACHED.search(why):
            raise CannotMeasure(
                f"{failed}, and nothing was started: uv does not reach its index of packages: {why}"
            ) from error
        wants = " ".join(f"--upgrade {str(one)!r}" for one in requested) or failed
        if newer := needed_python(why):
            base = side.made.contender.base
            raise UsageError(
                f"{wants} needs Python {newer}, and {base} has {side.made.python}: `--python {newer}` "
                f"changes the head's, `--contender {base}:python={newer}` that of both sides"
            ) from error
        raise UsageError(f"{wants}: {failed}: {why}" if requested else str(error)) from error


def _write(file: Path, lines: Iterable[str]) -> None:
    write_atomically(file, "".join(f"{line}\n" for line in lines).encode())
