"""A project as it was when the run began: a copy that no server writes to (docs/adr/0012)."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.project.sources import within
from bench.runtime.sqlite_files import is_database

BYTECODE = "__pycache__"
LEFT_OUT = frozenset(
    {
        *(".git", ".hg", ".svn", BYTECODE, ".pytest_cache", ".mypy_cache", ".ruff_cache"),
        *(".tox", ".nox", ".hypothesis", ".import_linter_cache", ".scrapy", ".ipynb_checkpoints"),
    }
)
OURS = frozenset({".bench", ".venvs", "results"})  # in the project's own folder: what bench keeps there
LINKED = frozenset({"node_modules"})  # and environments: nothing writes there, and they are large
SHARED_FROM_BYTES = 64 * 2**20  # a file of this size that is no database is copied once, for all servers
REFLINK_FROM_BYTES = 2**20
PIECE_BYTES = 4 * 2**20
FICLONE = 0x40049409  # linux/fs.h
COMPILE_TIMEOUT_S = 60
PROJECT = "project"  # its place in the folder of the copy, and of each server


@dataclass(frozen=True, slots=True, kw_only=True)
class Pristine:
    """A project as it was when the run began, in a place where no server writes."""

    root: Path  # the user's, or a revision that is laid out
    place: Path
    below: str  # the project's path in its checkout: "" or "services/shop"
    folders: list[str] = field(default_factory=list)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)  # path → bytes, time of change in ns
    links: dict[str, str] = field(default_factory=dict)
    above: dict[str, str] = field(default_factory=dict)  # links to files and folders beside the project
    shared: set[str] = field(default_factory=set)  # files too large for a copy each
    databases: set[str] = field(default_factory=set)  # SQLite's

    @property
    def project(self) -> Path:
        return self.place / PROJECT / self.below


def pristine_of(root: Path, place: Path, ours: Path) -> Pristine:
    root = root.absolute()
    top = _top(root)
    made = Pristine(root=root, place=place, below=str(root.relative_to(top)) if root != top else "")
    made.project.mkdir(parents=True)
    for above in (top, *reversed([one for one in root.parents if top in one.parents])):
        if above != root:
            made.above.update(_beside(above, top, root))
    for path in _found(made, "", ours):
        with suppress(FileNotFoundError, PermissionError):  # removed meanwhile, or not readable
            copy_file(root / path, made.project / path)
            _note(made, path)
    return made


def taken_over(place: Path, former: Pristine) -> Pristine:
    """Return what commands of the project left at *place*, a copy of *former*, as a pristine copy."""
    made = Pristine(root=former.root, place=place, below=former.below, above=former.above)
    _take_note(made, "")
    return made


def _take_note(made: Pristine, at: str) -> None:
    for entry in sorted(os.scandir(made.project / at), key=lambda entry: entry.name):
        path = f"{at}{entry.name}"
        if entry.is_symlink():
            made.links[path] = os.readlink(entry.path)
        elif entry.is_dir() and _is_linked(entry):
            made.links[path] = entry.path
        elif entry.is_dir():
            made.folders.append(path)
            _take_note(made, f"{path}/")
        elif entry.is_file():
            _note(made, path)


def _is_linked(entry: os.DirEntry[str]) -> bool:
    return entry.name in LINKED or Path(entry.path, "pyvenv.cfg").exists()


def _top(root: Path) -> Path:
    """Return the checkout that *root* lies in: git's, or the folder that a revision is laid out in."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists() or folder.parent.parent.name == ".bench":
            return folder
    return root


def _beside(above: Path, top: Path, root: Path) -> Iterator[tuple[str, str]]:
    """Yield links to what lies in a folder *above* the project: an app of a monorepo may read it."""
    for entry in sorted(os.scandir(above), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name not in LEFT_OUT and path != root and path not in root.parents:
            yield str(path.relative_to(top)), entry.path


def _found(made: Pristine, at: str, ours: Path) -> Iterator[str]:
    for entry in sorted(os.scandir(made.root / at), key=lambda entry: entry.name):
        path = f"{at}{entry.name}"
        if entry.name in LEFT_OUT or (not at and entry.name in OURS) or ours.is_relative_to(entry.path):
            continue
        if entry.is_symlink():
            made.links[path] = _target(made.root, path)
        elif entry.is_dir():
            if _is_linked(entry):
                made.links[path] = entry.path
                continue
            made.folders.append(path)
            (made.project / path).mkdir()
            with suppress(PermissionError):
                yield from _found(made, f"{path}/", ours)
        elif entry.is_file():
            yield path


def _target(root: Path, path: str) -> str:
    """Return the target of a link's copy: in the project, that of the copy; outside, the same place."""
    text = os.readlink(root / path)
    place = os.path.normpath(root / os.path.dirname(path) / text)
    inside = os.path.relpath(place, root)
    outside = inside.partition("/")[0] in {"..", *OURS}
    if outside:
        return place
    return os.path.relpath(inside, os.path.dirname(path) or ".") if os.path.isabs(text) else text


def _note(made: Pristine, path: str) -> None:
    file = made.project / path
    status = file.stat()
    made.files[path] = (status.st_size, status.st_mtime_ns)
    if is_database(file):
        made.databases.add(path)
    elif status.st_size >= SHARED_FROM_BYTES:
        made.shared.add(path)


def compile_app(made: Pristine, at: str, python: Path) -> None:
    """Make the bytecode of an app, so that the first start is not slower. Errors show at the start."""
    place = made.project / at
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [str(python), "-I", "-m", "compileall", "-qq", "-r", "4", str(place)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMPILE_TIMEOUT_S,
            check=False,
        )
    for folder in [path for path in made.folders if within(path, at)]:
        with suppress(FileNotFoundError):
            note_bytecode(made, f"{folder}/{BYTECODE}")


def note_bytecode(made: Pristine, folder: str) -> None:
    files = sorted(os.listdir(made.project / folder))
    if folder not in made.folders:
        made.folders.append(folder)
    for name in files:
        if f"{folder}/{name}" not in made.files:
            _note(made, f"{folder}/{name}")


def copy_file(source: str | Path, target: str | Path) -> None:
    """Copy a file with its mode and time of change, as a clone if the file system supports that."""
    from_ = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(from_)
        to = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if status.st_size < REFLINK_FROM_BYTES or not _cloned(from_, to):
                # No longer than the file: a buffer of megabytes for each file costs more than all the rest.
                while piece := os.read(from_, min(status.st_size, PIECE_BYTES)):
                    os.write(to, piece)
            os.fchmod(to, status.st_mode & 0o777)
            os.utime(to, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(to)
    finally:
        os.close(from_)


def _cloned(from_: int, to: int) -> bool:
    try:
        fcntl.ioctl(to, FICLONE, from_)
    except OSError:
        return False
    return True
