"""Run folders: where they are, how a run is kept while it goes on, how it is read again."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bench.errors import CannotMeasure, UsageError
from bench.files import read_json, to_json, write_atomically
from bench.model import Plan, Scenario
from bench.records import (
    SCHEMA,
    Ending,
    Event,
    Evidence,
    Queries,
    Record,
    Run,
    Start,
    Try,
    Verification,
    Written,
)

FILE = "run.json"


class Journal:
    """A run in the making, and its file. What is not saved yet is lost at kill -9, nothing else."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self._began = time.monotonic() - _reached_s(run)
        self._idle_since_s = _reached_s(run)

    def elapsed_s(self) -> float:
        """Return how long the run has gone on, without the time between its parts where it was taken up."""
        return time.monotonic() - self._began

    def learned(self, facts: Mapping[str, object]) -> None:
        """Add to the fingerprint what only the running system could tell."""
        self.run = replace(self.run, fingerprint={**self.run.fingerprint, **facts})

    def tried(self, one: Try) -> None:
        """Add what became of an exchange that was requested once."""
        self.run = replace(self.run, tries=(*self.run.tries, one))

    def narrowed(self, plan: Plan, scenarios: tuple[Scenario, ...]) -> None:
        """Measure less than planned."""
        self.run = replace(self.run, plan=plan, scenarios=scenarios)

    def verified(self, verification: Verification) -> None:
        """Add the outcome of holding a contender against the checks."""
        self.run = replace(self.run, verifications=(*self.run.verifications, verification))

    def counted(self, queries: Queries) -> None:
        """Add what an exchange asks of a contender's database."""
        self.run = replace(self.run, queries=(*self.run.queries, queries))

    def saw(self, evidence: Evidence) -> None:
        """Add what a probe saw of a contender."""
        self.run = replace(self.run, evidence=(*self.run.evidence, evidence))

    def started(self, start: Start) -> None:
        """Add the start of a server."""
        self.run = replace(self.run, starts=(*self.run.starts, start))

    def measuring_begins(self) -> None:
        """Note that what comes now counts as measuring, not as set-up."""
        self._idle_since_s = self.elapsed_s()

    def measured(self, record: Record) -> None:
        """Add a measured slice, with how long nothing was measured before it."""
        waited = replace(record, waited_s=max(0.0, record.started_s - self._idle_since_s))
        self._idle_since_s = record.started_s + record.slice.lead_in_s + record.slice.window_s
        self.run = replace(self.run, records=(*self.run.records, waited))

    def happened(self, event: Event) -> None:
        """Add something that the run's reader must know."""
        self.run = replace(self.run, events=(*self.run.events, event))

    def wrote(self, written: Written) -> None:
        """Add that a server's data were written to, and what became of them."""
        self.run = replace(self.run, written=(*self.run.written, written))

    def ended(self, how: Ending) -> None:
        """Say how the run ended, and save it."""
        self.run = replace(self.run, ended=how)
        self.save()

    def save(self) -> None:
        """Write the run as it is now; a reader sees this state or the one before.

        Raises CannotMeasure where that is not possible; what was saved before stays.
        """
        try:
            write_atomically(self.folder / FILE, to_json(_portable(self.run)))
        except OSError as error:
            # Sides of a diff are laid out anew, and nothing shows whether a target is the same.
            alone = self.run.plan.baseline or self.run.runtime == "external"
            then = "start again" if alone else f"go on with --resume {self.folder}"
            raise CannotMeasure(f"{self.folder / FILE}: {error.strerror}: make room, then {then}") from error


def _portable(run: Run) -> Run:
    """Return *run* without where its apps lie: run.json is passed on, and read elsewhere."""
    return replace(run, contenders=tuple(replace(one, root="") for one in run.contenders))


def _reached_s(run: Run) -> float:
    ends = [record.started_s + record.slice.lead_in_s + record.slice.window_s for record in run.records]
    return max([*ends, *(event.at_s for event in run.events)], default=0.0)


def folder_name(started: datetime, plan: str, commit: str | None, dirty: bool) -> str:
    """Return `<UTC>-<plan>-<commit8>[-dirty]`."""
    parts = [started.strftime("%Y%m%dT%H%M%SZ"), plan, (commit or "nocommit")[:8]]
    return "-".join([*parts, "dirty"] if dirty else parts)


def make_folder(folder: Path) -> Path:
    """Create *folder* for a new run; raises UsageError where it cannot be written or holds a run."""
    if (folder / FILE).exists():
        raise UsageError(f"{folder} already holds a run: name another folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}: name another folder with --out") from error
    return folder


def load(folder: Path) -> Run:
    """Return the run kept in *folder*; raises UsageError where it is absent, damaged or of another schema."""
    file = folder if folder.is_file() else folder / FILE
    run = read_json(file, Run)
    if run.schema != SCHEMA:
        raise UsageError(
            f"{file} has schema {run.schema}, this bench reads {SCHEMA}: use the bench that wrote it"
        )
    return run
