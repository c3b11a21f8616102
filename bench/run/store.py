"""Run folders: where they are, how a run is saved while it goes on, and how it is loaded."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bench.errors import CannotMeasure, UsageError
from bench.files import check_schema, read_json, to_json, write_atomically
from bench.model.plan import Plan
from bench.model.scenario import Scenario
from bench.records import (
    SCHEMA,
    Ending,
    Event,
    Evidence,
    Instructions,
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
    """A run in the making, and its file. kill -9 loses only what is not saved yet."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self._began = time.monotonic() - _reached_s(run)
        self._idle_since_s = _reached_s(run)

    def elapsed_s(self) -> float:
        """Return the seconds that the run has lasted.

        Time between the parts of a resumed run does not count.
        """
        return time.monotonic() - self._began

    def learned(self, facts: Mapping[str, object]) -> None:
        self.run = replace(self.run, fingerprint={**self.run.fingerprint, **facts})

    def tried(self, one: Try) -> None:
        self.run = replace(self.run, tries=(*self.run.tries, one))

    def narrowed(self, plan: Plan, scenarios: tuple[Scenario, ...]) -> None:
        self.run = replace(self.run, plan=plan, scenarios=scenarios)

    def verified(self, verification: Verification) -> None:
        self.run = replace(self.run, verifications=(*self.run.verifications, verification))

    def counted(self, queries: Queries) -> None:
        self.run = replace(self.run, queries=(*self.run.queries, queries))

    def executed(self, instructions: Instructions) -> None:
        """Add a count, in place of an earlier one of the same contender and scenario."""
        place = instructions.contender, instructions.scenario
        others = [one for one in self.run.instructions if (one.contender, one.scenario) != place]
        self.run = replace(self.run, instructions=(*others, instructions))

    def saw(self, evidence: Evidence) -> None:
        self.run = replace(self.run, evidence=(*self.run.evidence, evidence))

    def started(self, start: Start) -> None:
        self.run = replace(self.run, starts=(*self.run.starts, start))

    def measuring_begins(self) -> None:
        self._idle_since_s = self.elapsed_s()

    def measured(self, record: Record) -> None:
        """Add a measured slice, with the time since the last one in which nothing was measured."""
        waited = replace(record, waited_s=max(0.0, record.started_s - self._idle_since_s))
        self._idle_since_s = record.started_s + record.slice.lead_in_s + record.slice.window_s
        self.run = replace(self.run, records=(*self.run.records, waited))

    def happened(self, event: Event) -> None:
        self.run = replace(self.run, events=(*self.run.events, event))

    def wrote(self, written: Written) -> None:
        self.run = replace(self.run, written=(*self.run.written, written))

    def ended(self, how: Ending) -> None:
        self.run = replace(self.run, ended=how)
        self.save()

    def save(self) -> None:
        """Write the run in its present state. A reader finds this state or the one before.

        Raises CannotMeasure if that is not possible. What was saved before stays.
        """
        try:
            write_atomically(self.folder / FILE, to_json(_portable(self.run)))
        except OSError as error:
            # Sides of a diff are laid out again, and nothing shows whether a target is the same.
            alone = self.run.plan.baseline or self.run.runtime == "external"
            then = "start again" if alone else f"go on with --resume {self.folder}"
            raise CannotMeasure(f"{self.folder / FILE}: {error.strerror}: make room, then {then}") from error


def _portable(run: Run) -> Run:
    """Return *run* without the paths of its checkout: run.json is shared and read on other machines."""
    return replace(
        run,
        contenders=tuple(replace(one, root="") for one in run.contenders),
        scenarios=tuple(placed(one, "") for one in run.scenarios),
    )


def placed(scenario: Scenario, root: str) -> Scenario:
    """Return *scenario* with its locustfile, if it has one, in the checkout at *root*."""
    if scenario.locustfile is None:
        return scenario
    return replace(scenario, locustfile=replace(scenario.locustfile, root=root))


def _reached_s(run: Run) -> float:
    ends = [record.started_s + record.slice.lead_in_s + record.slice.window_s for record in run.records]
    return max([*ends, *(event.at_s for event in run.events)], default=0.0)


def folder_name(started: datetime, plan: str, commit: str | None, dirty: bool) -> str:
    """Return `<UTC>-<plan>-<commit8>[-dirty]`."""
    parts = [started.strftime("%Y%m%dT%H%M%SZ"), plan, (commit or "nocommit")[:8]]
    return "-".join([*parts, "dirty"] if dirty else parts)


def make_folder(folder: Path) -> Path:
    """Create *folder* for a new run. Raises UsageError if it cannot be written or holds a run."""
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
    """Return the run in *folder*. Raises UsageError if it is absent, damaged or of another schema."""
    file = folder if folder.is_file() else folder / FILE
    run = read_json(file, Run)
    check_schema(file, run.schema, SCHEMA)
    return run
