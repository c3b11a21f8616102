"""Statements that drivers counted in a server, by a hook in its Python: `counted/sitecustomize.py`."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.records import CountedBy
from bench.runtime.ports import listens

HOOK = Path(__file__).with_name("counted")
DRIVERS = "sqlite3, PyMySQL, mysqlclient, MySQL Connector, aiomysql, asyncmy"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementSource:
    """What counts the statements of a server. If *by* is None, nothing does, for the reason *why*."""

    by: CountedBy | None
    drivers: tuple[str, ...] = ()  # those of which a statement was counted
    why: str = ""


@dataclass(slots=True)
class _CountedFile:
    """The state of one process: how far its file was read, and its statements by number."""

    read: int = 0
    texts: dict[int, str] = field(default_factory=dict)
    calls: Counter[int] = field(default_factory=Counter)


class DriverStatements:
    """Reads what the processes of one server write into *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _CountedFile] = {}
        self._drivers: set[str] = set()
        self._uncounted: set[str] = set()

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return *env* with the hook in it, before all else on PYTHONPATH."""
        path = os.pathsep.join(filter(None, (str(HOOK), env.get("PYTHONPATH"))))
        return {**env, "PYTHONPATH": path, "BENCH_COUNTED": str(self._folder)}

    def statements(self) -> dict[str, int]:
        """Return how often each statement ran so far, without its constants."""
        self._read()
        ran: Counter[str] = Counter()
        for one in self._files.values():
            for number, calls in one.calls.items():
                ran[one.texts.get(number, "?")] += calls
        return dict(ran)

    def source(self, pids: Sequence[int], port: int) -> StatementSource:
        self._read()
        hooked = {int(name.partition(".")[0]) for name in self._files}
        if self._uncounted:
            used = ", ".join(sorted(self._uncounted))
            return StatementSource(by=None, why=f"it loads {used}, whose statements are not counted")
        if not self._drivers and not listens(hooked.intersection(pids), port):
            why = "what listens on its port is no Python that reads PYTHONPATH, so no driver can be counted"
            return StatementSource(by=None, why=why)
        return StatementSource(by="driver", drivers=tuple(sorted(self._drivers)))

    def _read(self) -> None:
        for name in os.listdir(self._folder):
            known = self._files.setdefault(name, _CountedFile())
            with (self._folder / name).open("rb") as file:
                file.seek(known.read)
                whole, newline, _ = file.read().rpartition(b"\n")
            known.read += len(whole) + len(newline)
            self._enter(known, whole.decode(errors="replace").split("\n"))

    def _enter(self, known: _CountedFile, lines: Iterable[str]) -> None:
        for line in filter(None, lines):
            kind, rest = line[0], line[1:]
            if kind == "+":
                self._drivers.add(rest)
            elif kind == "-":
                self._uncounted.add(rest)
            elif kind == "=":
                number, _, text = rest.partition(" ")
                known.texts[int(number)] = text
            else:
                known.calls[int(line)] += 1


@contextmanager
def driver_statements(scratch: Path) -> Iterator[DriverStatements]:
    with TemporaryDirectory(prefix="bench-counted-", dir=scratch, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o777)  # a server may become another user
        yield DriverStatements(Path(folder))
