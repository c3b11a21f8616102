"""One contender's server: how it is started, and what can be learned of it."""

import os
import shlex
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import CannotMeasure, UsageError
from bench.model.contender import Contender
from bench.runtime import env_file, sqlite_files
from bench.runtime.callgrind import Callgrind
from bench.runtime.children import Running
from bench.runtime.contender_placeholders import OWN, Values, filled
from bench.runtime.folders import OwnFolder
from bench.runtime.gil import GilWatch
from bench.runtime.packages.own_code import SOURCES
from bench.runtime.ports import HOST
from bench.runtime.python_calls import PythonCalls
from bench.runtime.services.own import PLACEHOLDERS, OwnServices
from bench.runtime.statements import DriverStatements, StatementSource
from bench.runtime.written_files import Found, OwnFiles, open_databases

LOG_LINES = 500  # that may have why a GIL is on
UNKNOWN = "bench knows none of them: no service of ours, no file that it wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessServer:
    """A contender's server as a tree of processes; implements `bench.runtime.Server`."""

    contender: Contender
    address: tuple[str, int]
    child: Running
    ready_s: float = float("nan")
    services: OwnServices = field(default_factory=OwnServices)
    environment: str = ""  # the name of its environment in the facts of its runtime
    path: str = ""  # the project's folder, as its processes have it
    packages: Path | None = None
    drivers: DriverStatements | None = None  # count its statements
    instructions: Callgrind | None = None  # counts what it executes
    calls: PythonCalls | None = None  # counts its calls of Python functions
    gil: GilWatch | None = None  # of a free-threaded Python
    uncounted: str = "nothing is counted on servers that are timed"  # if neither a service nor drivers count
    files: OwnFiles | None = None  # None: in a container, whose file system is usually read-only

    def pids(self) -> tuple[int, ...]:
        return self.child.pids()

    def keep_data(self) -> None:
        """Keep its data as they are once it is ready. A reset also restores what it wrote at its start."""
        self.services.keep()
        if self.files:
            self.files.keep()

    def reset_data(self) -> str | None:
        left = [self.services.reset()]
        if self.files:
            found = self.files.put_back()
        else:
            inside = [f"{name} lies in its container" for name in open_databases(self.pids())]
            found = Found(known=bool(inside), left=tuple(inside))
        left += found.left
        if not (self.services.parts or found.known):
            left.append(UNKNOWN)
        return next(filter(None, left), None)

    def data_version(self) -> object:
        return self.services.data_version(), self.files.version() if self.files else None

    def query(self, sql: str, most: int) -> Sequence[Sequence[object]]:
        if database := self.services.database:
            return database.query(sql, most)
        found = [] if self.files is None else self.files.databases()
        if len(found) != 1:
            names = ", ".join(file.name for file in found)
            raise CannotMeasure(
                f"which database is queried is not clear: its server has {names}, keep one below {{data_dir}}"
                if found
                else "it has no database that can be queried: no postgres, no mysql, and no SQLite file that "
                "bench knows"
            )
        try:
            return sqlite_files.query(found[0], sql, most)
        except (sqlite3.Error, OSError) as error:
            raise CannotMeasure(f"{found[0].name}: {error}") from error

    def statements(self) -> Mapping[str, int]:
        if counter := self.services.counting_part:
            return counter.statements()
        return self.drivers.statements() if self.drivers else {}

    def statement_source(self) -> StatementSource:
        if counter := self.services.counting_part:
            return StatementSource(by=counter.counted_by)
        if self.drivers:
            return self.drivers.source(self.pids(), self.address[1])
        return StatementSource(by=None, why=self.uncounted)

    def ended(self) -> str | None:
        return self.child.ended()

    def log_tail(self) -> str:
        return self.child.log_tail()

    def gil_on(self) -> str | None:
        return self.gil.why_on(self.pids(), self.child.log_tail(LOG_LINES)) if self.gil else None


def values(
    contender: Contender, *, port: int, services: OwnServices, folder: Path, data_dir: Path
) -> dict[str, object]:
    """Return what the placeholders of one server stand for. *folder*: its working directory."""
    own = HOST, port, contender.workers, contender.threads, folder, data_dir
    return {**dict(zip(OWN, own, strict=True)), **services.placeholders()}


def command(contender: Contender, values: Values) -> list[str]:
    """Return the argv of a contender's server. Raises UsageError for an unknown placeholder."""
    try:
        words = shlex.split(contender.command)
    except ValueError as error:
        raise UsageError(f"{contender.name}: its command cannot be split into words: {error}") from error
    where = f"{contender.name}: its command"
    return [filled(word, values, where=where, services=PLACEHOLDERS) for word in words]


def commands(contender: Contender, key: str, values: Values) -> list[str]:
    """Return the commands under *key*, for a shell. Raises UsageError for an unknown placeholder."""
    written: tuple[str, ...] = {"build": contender.build, "prepare": contender.prepare}[key]
    where = f"{contender.name}: {key}"
    return [filled(one, values, where=where, services=PLACEHOLDERS) for one in written]


def environment(
    contender: Contender,
    values: Values,
    *,
    programs: Path,
    home: Path,
    hash_seed: int,
    services: OwnServices,
    folder: OwnFolder | None = None,
    sources: Iterable[str] = (),
) -> dict[str, str]:
    """Return the whole environment of a server: nothing of the user's shell reaches it.

    *sources*: folders of the project that it imports from, beside its working directory.
    """
    ours = {
        "PATH": f"{programs}{os.pathsep}{os.defpath}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOST": HOST,
        "PORT": str(values["port"]),
        "WORKERS": str(contender.workers),
        "THREADS": str(contender.threads),
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONUNBUFFERED": "1",
    }
    ours |= services.environment()
    if folder and (own := [os.path.normpath(folder.project / one) for one in sources]):
        ours[SOURCES] = os.pathsep.join(own)
    written = {**env_file.read(contender), **contender.env}
    theirs = {
        name: filled(value, values, where=f"{contender.name}: env {name}", services=PLACEHOLDERS)
        for name, value in written.items()
    }
    theirs |= env_file.passed(contender)
    return ours | {name: folder.own(value) if folder else value for name, value in theirs.items()}
