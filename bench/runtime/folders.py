"""A separate folder for every server: its project's files as they were when the run began (docs/adr/0012)."""

import fcntl
import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import CannotMeasure
from bench.model import Contender
from bench.project.sources import within
from bench.runtime.leftovers import FOLDER_PREFIX, Ledger
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
PROJECT, HOME, DATA, KEPT = "project", "home", "data", "kept"  # what is in the folder of a server


Stamp = tuple[int, int, int, int]  # inode, bytes, times of change of content and of metadata, in ns


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFolder:
    """The folder that one server may write to."""

    pristine: Pristine
    place: Path
    laid: dict[str, Stamp] = field(default_factory=dict)  # files as they were laid out

    @property
    def project(self) -> Path:
        return self.place / PROJECT / self.pristine.below

    def at(self, folder: str) -> Path:
        """Return the working directory of its server, with links resolved."""
        return (self.project / folder).resolve()

    @property
    def home(self) -> Path:
        return self.place / HOME

    @property
    def data(self) -> Path:
        """The folder that {data_dir} stands for."""
        return self.place / DATA

    @property
    def kept(self) -> Path:
        """The folder where the harness keeps what the server's data are reset to."""
        return self.place / KEPT

    def own(self, text: str) -> str:
        """Return *text* with paths into the user's project replaced by paths into the copy."""
        ours = "|".join(map(re.escape, (*OURS, ".venv")))
        inside = re.compile(rf"{re.escape(str(self.pristine.root))}/(?!(?:{ours})(?:/|$))")
        return inside.sub(lambda _: f"{self.project}/", text)


class Folders:
    """Gives each server its folder. Leaving its context removes them all."""

    def __init__(self, scratch: Path, ledger: Ledger) -> None:
        self._scratch = scratch
        self._ledger = ledger
        self._pristine: dict[str, Pristine] = {}
        self._compiled: set[tuple[str, str, Path]] = set()
        self._numbers = itertools.count(1)
        self._free: dict[str, list[OwnFolder]] = {}

    def __enter__(self) -> Self:
        # Resolved: if this run is killed, a later run recognises a server by its working directory.
        self._place = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}servers-", dir=self._scratch)).resolve()
        self._ledger.note_folder(self._place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        self._ledger.forget_folder(self._place)

    def prepare(self, contender: Contender, python: Path) -> None:
        """Copy its project, once per run, and compile its app with *python*. Raises CannotMeasure."""
        with _failures_named(contender.root):
            if contender.root not in self._pristine:
                place = self._place / f"{next(self._numbers):05}"
                self._pristine[contender.root] = _pristine(Path(contender.root), place, self._place)
            pristine = self._pristine[contender.root]
            if (key := (contender.root, contender.at, python)) not in self._compiled:
                _compile(pristine, contender.at, python)
                self._compiled.add(key)

    @contextmanager
    def given(self, contender: Contender) -> Iterator[OwnFolder]:
        """Copy its project for one server. Raises CannotMeasure.

        A copy that a server has left is tidied and used again. Making and removing thousands of files in a
        minute is slow, because ext4 looks at every recently freed inode. Paths of all servers are equally
        long, and files lie in the same order. So base, head and twin differ in nothing but content.
        """
        pristine = self._pristine[contender.root]
        free = self._free.setdefault(contender.root, [])
        with _failures_named(contender.root):
            if free:
                folder = free.pop()
                _tidy(folder)
            else:
                folder = OwnFolder(pristine=pristine, place=self._place / f"{next(self._numbers):05}")
                _lay_out(folder)
        try:
            yield folder
            _keep_bytecode(folder)
        finally:
            free.append(folder)


@contextmanager
def _failures_named(root: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotMeasure(f"{root} cannot be copied for its servers: {error}: make room") from error


def _pristine(root: Path, place: Path, ours: Path) -> Pristine:
    root = root.absolute()
    top = _top(root)
    made = Pristine(root=root, place=place, below=str(root.relative_to(top)) if root != top else "")
    made.project.mkdir(parents=True)
    for above in (top, *reversed([one for one in root.parents if top in one.parents])):
        if above != root:
            made.above.update(_beside(above, top, root))
    for path in _found(made, "", ours):
        with suppress(FileNotFoundError, PermissionError):  # removed meanwhile, or not readable
            _copy(root / path, made.project / path)
            _note(made, path)
    return made


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
            if entry.name in LINKED or Path(entry.path, "pyvenv.cfg").exists():
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


def _compile(made: Pristine, at: str, python: Path) -> None:
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
            _note_bytecode(made, f"{folder}/{BYTECODE}")


def _note_bytecode(made: Pristine, folder: str) -> None:
    files = sorted(os.listdir(made.project / folder))
    if folder not in made.folders:
        made.folders.append(folder)
    for name in files:
        if f"{folder}/{name}" not in made.files:
            _note(made, f"{folder}/{name}")


def _keep_bytecode(folder: OwnFolder) -> None:
    """Keep the bytecode that a server has compiled, so that later servers start with it."""
    made = folder.pristine
    for path in ["", *made.folders]:
        new = folder.project / path / BYTECODE
        if not path.endswith(BYTECODE) and new.is_dir():
            kept = made.project / path / BYTECODE
            kept.mkdir(exist_ok=True)
            for file in new.glob("*.pyc"):
                if not (kept / file.name).exists():
                    with suppress(OSError):
                        file.replace(kept / file.name)
            _note_bytecode(made, str(kept.relative_to(made.project)))


def _tidy(folder: OwnFolder) -> None:
    made = folder.pristine
    files, links, folders = _present(folder.project)
    beside = set(folder.place.iterdir()) - {folder.place / PROJECT}
    if made.below or not folder.project.is_dir() or not folders >= set(made.folders) - _bytecode(made):
        shutil.rmtree(folder.place)
        folder.laid.clear()
        _lay_out(folder)
        return
    for place in beside:
        _remove(place)
    for place in (folder.home, folder.data, folder.kept):
        place.mkdir()
    for path in [path for path, target in links.items() if _links(made).get(path) != target]:
        _remove(folder.project / path)
    for path in [path for path, stamp in files.items() if folder.laid.get(path) != stamp]:
        _remove(folder.project / path)
    for path in sorted(folders - set(made.folders), reverse=True):
        _remove(folder.project / path)
    _fill(folder)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _bytecode(made: Pristine) -> set[str]:
    return {path for path in made.folders if path.endswith(BYTECODE)}


def _links(made: Pristine) -> dict[str, str]:
    return made.links | {path: str(made.project / path) for path in made.shared}


def _present(place: Path, at: str = "") -> tuple[dict[str, Stamp], dict[str, str], set[str]]:
    """Return files, links and folders below *at*. Anything else counts as a file."""
    files: dict[str, Stamp] = {}
    links: dict[str, str] = {}
    folders: set[str] = set()
    for entry in os.scandir(place / at):
        path = f"{at}{entry.name}"
        if entry.is_symlink():
            links[path] = os.readlink(entry.path)
        elif entry.is_dir():
            folders.add(path)
            below = _present(place, f"{path}/")
            files |= below[0]
            links |= below[1]
            folders |= below[2]
        else:
            status = entry.stat(follow_symlinks=False)
            files[path] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return files, links, folders


def _lay_out(folder: OwnFolder) -> None:
    made = folder.pristine
    for place in (folder.project, folder.home, folder.data, folder.kept):
        place.mkdir(parents=True)
    for path, target in made.above.items():
        (folder.place / PROJECT / path).symlink_to(target)
    _fill(folder)


def _fill(folder: OwnFolder) -> None:
    made = folder.pristine
    source, copy = str(made.project), str(folder.project)
    files, links, folders = _present(folder.project)
    for path in made.folders:
        if path not in folders:
            os.mkdir(f"{copy}/{path}")
    for path in made.files:
        if path not in files and path not in made.shared:
            _copy(f"{source}/{path}", f"{copy}/{path}")
    for path, target in _links(made).items():
        if path not in links:
            os.symlink(target, f"{copy}/{path}")
    folder.laid.clear()
    folder.laid.update(_present(folder.project)[0])


def _copy(source: str | Path, target: str | Path) -> None:
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
