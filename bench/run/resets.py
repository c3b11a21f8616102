"""Resets of data between slices, so that all contenders start a sweep with the same data (docs/adr/0012)."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bench.analysis.written_data import WRITTEN_S
from bench.loads import Load
from bench.model.cell import Slice
from bench.records import Record, Written
from bench.run.schedule import WARM_UP_SWEEP
from bench.run.store import Journal
from bench.runtime import Server


class Resets:
    """The data of *servers* in one round, and what was written to them.

    Data are reset before other requests than those that wrote, before the first counted sweep, and after each
    half second of load that wrote. The decision is made when a sweep begins, for all its contenders alike. It
    does not rely on what scenarios declare: changed data have been written to.
    """

    def __init__(
        self, journal: Journal, servers: Mapping[str, Server], forget: Callable[[str], None]
    ) -> None:
        """*forget* sets up connections to a server again: a session may be lost with its data."""
        self._journal = journal
        self._servers = servers
        self._forget = forget
        self._declared = {scenario.name for scenario in journal.run.scenarios if scenario.writes}
        self._versions = {name: server.data_version() for name, server in servers.items()}
        self._written: dict[str, float] = {}  # contender → seconds of load that wrote since the last reset
        self._since: dict[str, Written] = {}  # contender → the first write since the last reset
        self._due: set[str] = set()
        self._given_up: set[str] = set()
        self._tried: set[str] = set()  # contenders whose data were reset at least once, or where that failed
        self._last: Slice | None = None

    def before(self, step: Slice) -> None:
        last, self._last = self._last, step
        if last is None or _sweep(last) != _sweep(step):
            all_again = last is None or last.sweep == WARM_UP_SWEEP or _group(last) != _group(step)
            if all_again or max(self._written.values(), default=0.0) >= WRITTEN_S:
                self._due |= self._written.keys()
        name = step.cell.contender
        if name in self._due and name in self._written:
            self._put_back(name)
        self._due.discard(name)

    def after(self, record: Record) -> None:
        step = record.slice
        name, scenario = step.cell.contender, step.cell.scenario
        if scenario not in self._declared:
            version = self._servers[name].data_version()
            if version == self._versions[name]:
                return
            self._versions[name] = version
        self._written[name] = self._written.get(name, 0.0) + step.lead_in_s + step.window_s
        written = Written(contender=name, round=step.round, scenario=scenario, at_s=record.started_s)
        self._since.setdefault(name, written)
        known = {(one.contender, one.round, one.scenario) for one in self._journal.run.written}
        if (name, step.round, scenario) not in known:
            self._journal.wrote(written)

    def finish(self) -> None:
        for name in [one for one in self._written if one not in self._tried]:
            if self._servers[name].ended() is None:
                self._put_back(name)

    def _put_back(self, name: str) -> None:
        del self._written[name]
        since = self._since.pop(name)
        if name in self._given_up:
            return
        self._tried.add(name)
        if left := self._servers[name].reset_data():
            self._given_up.add(name)  # another reset would wait for the same lock each time
            self._journal.wrote(replace(since, left=left))
        self._forget(name)
        self._versions[name] = self._servers[name].data_version()


def _group(step: Slice) -> tuple[str, Load, bool]:
    return step.cell.scenario, step.cell.load, step.role == "capacity"


def _sweep(step: Slice) -> tuple[tuple[str, Load, bool], int]:
    return _group(step), step.sweep
