"""A separate folder for every server: a copy of the pristine project, and an empty home (docs/adr/0012)."""

import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.runtime.leftovers import FOLDER_PREFIX, Ledger
from bench.runtime.pristine import (
    BYTECODE,
    OURS,
    PROJECT,
    Pristine,
    compile_app,
    copy_file,
    note_bytecode,
    pristine_of,
    taken_over,
)

HOME, DATA, KEPT = "home", "data", "kept"  # beside the project in the folder of a server

Stamp = tuple[int, int, int, int]  # inode, bytes, times of change of content and of metadata, in ns


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
        self._prepared: dict[str, Pristine] = {}  # by contender: after commands of its project ran
        self._free: dict[Path, list[OwnFolder]] = {}

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
                self._pristine[contender.root] = pristine_of(Path(contender.root), place, self._place)
            pristine = self._pristine[contender.root]
            if (key := (contender.root, contender.at, python)) not in self._compiled:
                compile_app(pristine, contender.at, python)
                self._compiled.add(key)

    @contextmanager
    def given(self, contender: Contender) -> Iterator[OwnFolder]:
        """Copy its project for one server. Raises CannotMeasure.

        A copy that a server has left is tidied and used again. Making and removing thousands of files in a
        minute is slow, because ext4 looks at every recently freed inode. Paths of all servers are equally
        long, and files lie in the same order. So base, head and twin differ in nothing but content.
        """
        pristine = self._prepared.get(contender.name) or self._pristine[contender.root]
        free = self._free.setdefault(pristine.place, [])
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
    def preparing(self, contender: Contender) -> Iterator[OwnFolder]:
        """Copy its project for commands that run before its servers. Raises CannotMeasure.

        What they leave is what its servers begin with. What is linked into the user's own project, such as
        installed packages of a front end, is left out: nothing may write there.
        """
        with _failures_named(contender.root):
            folder = OwnFolder(
                pristine=self._pristine[contender.root], place=self._place / f"{next(self._numbers):05}"
            )
            _lay_out(folder)
            for path, target in folder.pristine.links.items():
                if Path(target).is_absolute() and Path(target).is_relative_to(folder.pristine.root):
                    (folder.project / path).unlink()
        yield folder
        with _failures_named(contender.root):
            self._prepared[contender.name] = taken_over(folder.place, folder.pristine)


@contextmanager
def _failures_named(root: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotMeasure(f"{root} cannot be copied for its servers: {error}: make room") from error


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
            note_bytecode(made, str(kept.relative_to(made.project)))


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
    for place in (folder.home, folder.kept):
        place.mkdir()
    _fill_data(folder)
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
    for place in (folder.project, folder.home, folder.kept):
        place.mkdir(parents=True)
    _fill_data(folder)
    for path, target in made.above.items():
        (folder.place / PROJECT / path).symlink_to(target)
    _fill(folder)


def _fill_data(folder: OwnFolder) -> None:
    prepared = folder.pristine.place / DATA
    if prepared.is_dir():
        shutil.copytree(prepared, folder.data, symlinks=True)
    else:
        folder.data.mkdir()


def _fill(folder: OwnFolder) -> None:
    made = folder.pristine
    source, copy = str(made.project), str(folder.project)
    files, links, folders = _present(folder.project)
    for path in made.folders:
        if path not in folders:
            os.mkdir(f"{copy}/{path}")
    for path in made.files:
        if path not in files and path not in made.shared:
            copy_file(f"{source}/{path}", f"{copy}/{path}")
    for path, target in _links(made).items():
        if path not in links:
            os.symlink(target, f"{copy}/{path}")
    folder.laid.clear()
    folder.laid.update(_present(folder.project)[0])
