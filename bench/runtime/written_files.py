"""Files that a server writes in its folder: changes are detected, and reset (docs/adr/0012)."""

import filecmp
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.runtime import sqlite_files
from bench.runtime.folders import OwnFolder
from bench.runtime.pristine import BYTECODE, SHARED_FROM_BYTES
from bench.runtime.sqlite_files import COMPANIONS, NotPutBack, is_database

Stamp = tuple[int, int, int]  # inode, bytes, time of change in ns
NOBODY: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of one look at the files of a server."""

    known: bool = False  # data were found: files that it wrote, except logs, or a database
    left: tuple[str, ...] = ()  # what is not reset, and why


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFiles:
    """The files of one server. Nothing is known of them before `keep`."""

    folder: OwnFolder
    at: str  # the working directory of its server, below the project
    pids: Callable[[], tuple[int, ...]] = field(default=lambda: NOBODY, repr=False)
    _stamps: dict[str, Stamp] = field(default_factory=dict)  # their state after a reset
    _sources: dict[str, Path] = field(default_factory=dict)  # where the content of a file is kept
    _databases: dict[str, str] = field(default_factory=dict)  # path → why it cannot be reset, usually ""
    _logs: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)

    def keep(self) -> None:
        """Keep the files as they are now, with what the server wrote at its start."""
        pristine = self.folder.pristine
        stamps, folders = self._look()
        self._folders.update(folders)
        new = {path for path, (_, *rest) in stamps.items() if pristine.files.get(path) != tuple(rest)}
        databases = pristine.databases | {path for path in new if is_database(self._file(path))}
        for path in databases & stamps.keys():
            self._databases[path] = self._kept_database(path)
        held = self._held() if new - databases else {}
        for path in stamps.keys() - databases:
            if path not in new:
                self._sources[path] = pristine.project / path
            elif not _companion(path, databases):
                self._keep_file(path, stamps[path][1], appended=held.get(path, False))
        self._stamps.update(stamps)
        self._restamp(self._databases)

    def databases(self) -> list[Path]:
        """Return its SQLite databases: those below {data_dir}, if there are any."""
        known = [self._file(path) for path in sorted(self._databases)]
        return [file for file in known if file.is_relative_to(self.folder.data)] or known

    def version(self) -> object:
        """Return the state of the data, to compare with another one.

        Files that no app writes to are left out.
        """
        found, _ = self._look(os.path.relpath(self.folder.at(self.at), self.folder.project))
        databases = self._databases.keys()
        left_out = {*self._logs, *databases, *(path for path in found if _companion(path, databases))}
        found = {path: stamp for path, stamp in found.items() if path not in left_out}
        return frozenset((found | self._stamps_of(databases)).items())

    def put_back(self) -> Found:
        """Reset every file to what was kept, while the server runs. Return what cannot be reset.

        Files that the server holds open are not replaced. Logs, to which it appends, are cut to their former
        length. Any other file that is held open stays as it is.
        """
        stamps, folders = self._look()
        differ = [path for path in {*stamps, *self._stamps} if self._stamps.get(path) != stamps.get(path)]
        databases = {*self._databases, *(path for path in differ if is_database(self._file(path)))}
        held = self._held()
        left = [
            f"{Path(path).name} lies outside of its project's files"
            for path in held
            if path.startswith("/") and is_database(Path(path))
        ]
        wrote = False
        for path in sorted({*differ, *databases}):
            if not _companion(path, databases):
                try:
                    wrote = self._one_put_back(path, path in stamps, held) or wrote
                except NotPutBack as error:
                    left.append(str(error))
        for path in sorted(folders - self._folders, reverse=True):
            with suppress(OSError):  # a folder that is not empty holds what could not be reset
                self._file(path).rmdir()
        return Found(known=wrote or bool(left) or bool(databases), left=tuple(left))

    def _one_put_back(self, path: str, is_there: bool, held: Mapping[str, bool]) -> bool:
        """Reset a file, and return whether data were written to it. Raises NotPutBack."""
        file = self._file(path)
        if path in self.folder.pristine.shared:
            raise NotPutBack(f"{file.name} is larger than {SHARED_FROM_BYTES // 2**20} MiB")
        try:
            if is_there and (path in self._databases or is_database(file)):
                return self._database_put_back(path)
            if is_there and path in self._sources and _same(file, self._sources[path]):
                self._stamps[path] = _stamp(file)
                return False
            if is_there and path in held:
                self._cut(path, appended=held[path])
                return False
            if path in self._stamps:
                self._rewrite(path)
            else:
                file.unlink()
        except OSError as error:
            raise NotPutBack(f"{file.name}: {error.strerror}") from error
        return True

    def _cut(self, path: str, *, appended: bool) -> None:
        """Cut a log to its former length: appending goes on at the new end.

        Raises NotPutBack for other files.
        """
        file, (_, size, _) = self._file(path), self._stamps.get(path, (0, 0, 0))
        if not appended:
            raise NotPutBack(f"{file.name} is held open by its server")
        self._logs.add(path)
        if file.stat().st_size > size:
            os.truncate(file, size)
        self._stamps[path] = _stamp(file)

    def _rewrite(self, path: str) -> None:
        """Replace the file by the kept content, with a new time: programs that check it read it again."""
        file = self._file(path)
        source = self._new_place(path) if path in self._databases else self._sources.get(path)
        if source is None:
            raise NotPutBack(f"{file.name} is larger than {SHARED_FROM_BYTES // 2**20} MiB")
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.bench")
        shutil.copyfile(source, draft)
        shutil.copymode(source, draft)
        draft.replace(file)
        self._stamps[path] = _stamp(file)

    def _kept_database(self, path: str) -> str:
        try:
            sqlite_files.keep(self._file(path), self._new_place(path))
        except NotPutBack as error:
            return str(error)
        return ""

    def _keep_file(self, path: str, size: int, *, appended: bool) -> None:
        if appended:
            self._logs.add(path)
        if size < SHARED_FROM_BYTES:
            with suppress(OSError):
                self._sources[path] = Path(shutil.copy2(self._file(path), self._new_place(path)))

    def _new_place(self, path: str) -> Path:
        return self.folder.kept / path.replace("/", "%")

    def _database_put_back(self, path: str) -> bool:
        if path in self._databases and all(
            self._stamps.get(one) == stamp for one, stamp in self._stamps_of([path]).items()
        ):
            return False
        if why := self._databases.get(path):
            raise NotPutBack(why)
        sqlite_files.put_back(self._file(path), self._new_place(path))
        if path not in self._databases:
            self._databases[path] = self._kept_database(path)  # from now on: with its tables, empty
        self._restamp([path])
        return True

    def _restamp(self, databases: Iterable[str]) -> None:
        for path in databases:
            for end in COMPANIONS:
                self._stamps.pop(f"{path}{end}", None)
        self._stamps.update(self._stamps_of(databases))

    def _stamps_of(self, databases: Iterable[str]) -> dict[str, Stamp]:
        """Return stamps of databases and of their logs: a write changes either."""
        found = {}
        for path in (f"{path}{end}" for path in databases for end in ("", "-wal", "-journal")):
            with suppress(OSError):
                found[path] = _stamp(self._file(path))
        return {path: stamp for path, stamp in found.items() if stamp[1]}  # an empty log counts as none

    def _file(self, path: str) -> Path:
        for before, place in self._beside.items():
            if path.startswith(before):
                return place / path.removeprefix(before)
        return self.folder.project / path

    @property
    def _beside(self) -> dict[str, Path]:
        """The folders beside its project that it may write to, by what their files' paths begin with."""
        return {"~/": self.folder.home, "{data_dir}/": self.folder.data}

    def _look(self, place: str = "") -> tuple[dict[str, Stamp], set[str]]:
        """Return stamps of the files in a *place* of the project and of those beside it, and folders."""
        stamps: dict[str, Stamp] = {}
        folders: set[str] = set()
        _walk(f"{self.folder.project}/{place}", f"{place}/" if place else "", stamps, folders)
        for before, beside in self._beside.items():
            _walk(str(beside), before, stamps, folders)
        for path in self.folder.pristine.shared:
            with suppress(OSError):
                stamps[path] = _stamp(self.folder.pristine.project / path)
        return stamps, folders

    def _held(self) -> dict[str, bool]:
        """Return the files that its processes have open to write, and whether they append.

        Outside: whole paths.
        """
        found: dict[str, bool] = {}
        for pid in self.pids():
            for number, path in _open_files(pid):
                flags = _flags(pid, number)
                if flags is not None and flags & os.O_ACCMODE != os.O_RDONLY:
                    name = self._name(path)
                    append = bool(flags & os.O_APPEND)
                    found[name] = found.get(name, True) and append
        return found

    def _name(self, path: str) -> str:
        for before, above in {"": self.folder.project, **self._beside}.items():
            if path.startswith(f"{above}/"):
                return before + path.removeprefix(f"{above}/")
        return path


def _stamp(file: Path) -> Stamp:
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _walk(place: str, before: str, stamps: dict[str, Stamp], folders: set[str]) -> None:
    try:
        entries = list(os.scandir(place))
    except OSError:
        return
    for entry in entries:
        with suppress(OSError):  # removed meanwhile
            if entry.is_dir(follow_symlinks=False):
                if entry.name != BYTECODE:
                    folders.add(before + entry.name)
                    _walk(entry.path, f"{before}{entry.name}/", stamps, folders)
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                stamps[before + entry.name] = (status.st_ino, status.st_size, status.st_mtime_ns)


def _same(one: Path, other: Path) -> bool:
    return filecmp.cmp(one, other, shallow=False)


def _companion(path: str, databases: Collection[str]) -> bool:
    return any(path.endswith(end) and path.removesuffix(end) in databases for end in COMPANIONS)


def _open_files(pid: int) -> Iterator[tuple[str, str]]:
    """Yield number and path of the files that a process has open; none if the system does not report them."""
    with suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                path = os.readlink(f"/proc/{pid}/fd/{number}")
                if path.startswith("/") and not path.startswith(("/dev/", "/proc/", "/sys/")):
                    yield number, path


def open_databases(pids: Iterable[int]) -> list[str]:
    """Return the names of SQLite databases that processes have open, also those in a container."""
    return sorted(
        {
            Path(path).name
            for pid in pids
            for number, path in _open_files(pid)
            if is_database(Path(f"/proc/{pid}/fd/{number}"))
        }
    )


def _flags(pid: int, number: str) -> int | None:
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/fdinfo/{number}").read_text().splitlines():
            if line.startswith("flags:"):
                return int(line.split()[1], 8)
    return None
