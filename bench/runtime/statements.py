"""Statements that drivers counted in a server, by a hook in its Python: `counted/bench_statements.py`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.records import CountedBy
from bench.runtime.hooks import Hook

DRIVERS = "sqlite3, PyMySQL, mysqlclient, MySQL Connector, aiomysql, asyncmy"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementSource:
    """What counts the statements of a server. If *by* is None, nothing does, for the reason *why*."""

    by: CountedBy | None
    drivers: tuple[str, ...] = ()  # those of which a statement was counted
    why: str = ""


@dataclass(slots=True)
class _CountedFile:
    """The state of one process: its statements by number."""

    texts: dict[int, str] = field(default_factory=dict)
    calls: Counter[int] = field(default_factory=Counter)


class DriverStatements:
    """Reads what the processes of one server have counted."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._files: dict[str, _CountedFile] = {}
        self._drivers: set[str] = set()
        self._uncounted: set[str] = set()

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        return self._hook.environment(env)

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
        if self._uncounted:
            used = ", ".join(sorted(self._uncounted))
            return StatementSource(by=None, why=f"it loads {used}, whose statements are not counted")
        if not self._drivers and not self._hook.listens(pids, port):
            why = "what listens on its port is no Python that reads PYTHONPATH, so no driver can be counted"
            return StatementSource(by=None, why=why)
        return StatementSource(by="driver", drivers=tuple(sorted(self._drivers)))

    def _read(self) -> None:
        for name, lines in self._hook.lines():
            self._enter(self._files.setdefault(name, _CountedFile()), lines)

    def _enter(self, known: _CountedFile, lines: Iterable[str]) -> None:
        for line in lines:
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
