"""One run, from the requested plan to its finished folder: begin, measure, end."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Protocol

from bench.errors import BenchError, CannotMeasure, UsageError
from bench.files import working_folder
from bench.load.driver import Workers
from bench.model.contender import Contender
from bench.model.plan import Plan
from bench.model.scenario import Scenario
from bench.observe import hyperthreads, system
from bench.observe.comparable import differences, facts_of
from bench.observe.fingerprint import fingerprint
from bench.project import contenders, plans, scenarios
from bench.project.addresses import address_of, is_loopback
from bench.project.content_hash import stamp
from bench.project.heats import groups
from bench.records import SCHEMA, Event, Run
from bench.run import experiment, headroom, progress, store
from bench.run.headroom import Client, Room
from bench.run.lab import Lab
from bench.run.progress import Progress
from bench.run.store import Journal, folder_name, make_folder
from bench.runtime import external
from bench.runtime.placement import available_cores
from bench.runtime.process import ProcessRuntime

LISTED = 3  # how many differences the refusal lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The parts of a run that the run does not start itself."""

    bind: tuple[str, int] | None = None  # the address that load workers connect to
    expect: int | None = None  # the number of those workers
    target: Contender | None = None  # requested in place of all contenders

    def client(self, workers: int) -> Client:
        return Client(is_here=self.bind is None, serves_here=self.target is None, processes=workers)


def elsewhere(bind: str | None, expect: int | None, target: str | None) -> Elsewhere:
    """Return the command line's options about other machines. Raises UsageError."""
    if (bind is None) != (expect is None):
        raise UsageError("--load-bind and --load-expect go together: where workers come to, and how many")
    where = None if bind is None else address_of(bind, option="--load-bind")
    if where and not is_loopback(where) and target is None:
        raise UsageError(
            f"--load-bind {bind}: contenders listen on loopback, out of reach for workers elsewhere: bind to "
            "127.0.0.1, or name a server that they can reach with --target"
        )
    return Elsewhere(
        bind=where,
        expect=expect,
        target=None if target is None else external.target(target),
    )


def begin(root: Path, chosen: Plan, away: Elsewhere = Elsewhere(), runtime: str = ProcessRuntime.name) -> Run:
    """Return the run that is about to begin. Every name is resolved, nothing is started.

    Raises UsageError if a name or a file of the project at *root* is wrong.
    """
    chosen = replace(chosen, load_workers=away.expect or chosen.load_workers)
    if away.target:
        chosen = plans.aimed(chosen, away.target.name)
        served = {away.target.name: away.target}
    else:
        served = plans.contenders(chosen, contenders.declared(root))
    where = external.ExternalRuntime.name if away.target else runtime
    requested = plans.scenarios(chosen, scenarios.declared(root))
    return begin_with(root, chosen, where, tuple(served.values()), tuple(requested.values()), away=away)


def begin_with(
    root: Path,
    chosen: Plan,
    runtime: str,
    served: tuple[Contender, ...],
    requested: tuple[Scenario, ...],
    *,
    away: Elsewhere = Elsewhere(),
    room: Room | None = None,
) -> Run:
    """Return the run that is about to begin, for contenders and scenarios that are already resolved.

    Loads that need more than this machine has *room* for are left out, each with an event.
    """
    by_name = {one.name: one for one in served}
    room = room or headroom.look()
    fits, left_out = headroom.fitting(chosen, by_name, room, away.client(chosen.load_workers))
    scarce = headroom.warnings(fits, by_name, room)
    return Run(
        schema=SCHEMA,
        plan=fits,
        events=tuple(Event(at_s=0.0, what=what) for what in (*left_out, *scarce)),
        runtime=runtime,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint={**fingerprint(root), "plan": stamp(fits)},
        contenders=served,
        scenarios=requested,
    )


def open_journal(begun: Run, results: Path, out: Path | None = None) -> Journal:
    """Return the journal of a new run, in *out* or in its own folder below *results*.

    Raises UsageError if the folder cannot be written.
    """
    name = folder_name(
        datetime.fromisoformat(begun.started_at),
        begun.plan.name,
        begun.fingerprint["project"]["commit"],
        begun.fingerprint["project"]["dirty"],
    )
    return Journal(begun, make_folder(out or working_folder(results) / name))


def take_up(root: Path, folder: Path) -> Journal:
    """Return the journal of the run in *folder*, to continue where it stopped. Nothing is measured twice.

    Raises UsageError if the run is complete or damaged, or if code, versions or the machine have changed: new
    measurements would not belong to the same experiment.
    """
    kept = store.load(folder)
    if kept.ended == "complete":
        raise UsageError(f"{folder} is complete: there is nothing to resume")
    if kept.plan.baseline:
        raise UsageError(
            f"{folder} compares revisions, which are laid out again each time: start `bench diff` again"
        )
    if kept.runtime == external.ExternalRuntime.name:
        raise UsageError(f"{folder} measured a --target, which may have changed since: start a new run")
    now = {**fingerprint(root), "runtime": kept.runtime}
    if changed := differences(facts_of(kept), now):
        what = "; ".join(f"{one.fact} was {one.here}, is {one.there}" for one in changed[:LISTED])
        raise UsageError(f"{folder} cannot be resumed, start a new run: {what}")
    # Repeat these, or take them from the cache: old results must not stand for today's code.
    again = replace(kept, ended=None, tries=(), verifications=(), queries=(), evidence=())
    served = tuple(replace(one, root=str(root)) for one in kept.contenders)
    journal = Journal(replace(again, contenders=served, scenarios=_again(root, folder, kept)), folder)
    journal.happened(Event(at_s=journal.elapsed_s(), what="taken up again"))
    return journal


def _again(root: Path, folder: Path, kept: Run) -> tuple[Scenario, ...]:
    """Return the scenarios of *kept* with their locustfiles. Raises UsageError if one has changed."""
    now = scenarios.declared(root) if any(one.locustfile for one in kept.scenarios) else {}
    found = tuple(store.placed(one, str(root)) for one in kept.scenarios)
    for one in found:
        if one.locustfile and now.get(one.name) != one:
            what = f"{one.locustfile.path} has changed"
            raise UsageError(f"{folder} cannot be resumed, start a new run: {what}")
    return found


class Opening(Protocol):
    """Opens the laboratory of a project: `bench.cli.wiring.opened`."""

    def __call__(
        self, root: Path, logs: Path, progress: Progress, *, workers: Workers, runtime: str
    ) -> AbstractContextManager[Lab]: ...


def measure(
    root: Path,
    journal: Journal,
    opened_by: Opening,
    away: Elsewhere = Elsewhere(),
    *,
    room: Room | None = None,
    plain: Callable[[str], str] = str,
) -> None:
    """Carry out the journal's plan. However it ends, the journal records the ending and is saved.

    *plain* rewrites a message for the run's file: it renames folders that do not outlive the run. Raises what
    stopped it: KeyboardInterrupt, or CannotMeasure, also if this machine has no *room* for the plan.
    """
    logs = _unused(journal.folder / "logs")
    workers = Workers(count=journal.run.plan.load_workers, bind=away.bind)
    room = room or headroom.look()
    held = headroom.held_cores(room, available_cores())
    try:
        with progress.shown() as shown, headroom.kept_to(held):
            _make_room(journal, room, away, shown)
            if journal.run.plan.timed and not away.target:
                shown.phase("timing a core with its neighbour idle, then busy")
                journal.learned({"hyperthreads": hyperthreads.evidence(available_cores())})
            runtime = journal.run.runtime
            with opened_by(root, logs, shown, workers=workers, runtime=runtime) as opened:
                experiment.carry_out(journal, opened)
    except KeyboardInterrupt:
        journal.ended("interrupted")
        raise
    except BenchError as error:
        journal.happened(Event(at_s=journal.elapsed_s(), what=plain(str(error)), log=error.log))
        journal.ended("failed")
        raise
    journal.ended("complete")


def refusal(run: Run, away: Elsewhere = Elsewhere(), room: Room | None = None) -> str | None:
    served = {one.name: one for one in run.contenders}
    return headroom.refusal(run.plan, served, room or headroom.look(), away.client(run.plan.load_workers))


def may_go_on(run: Run) -> bool:
    """Return whether a resumed *run* may get further than before.

    An interrupted run may. A failed run may only if a whole round succeeded before: what fails in the first
    round fails again.
    """
    if run.plan.baseline or run.runtime == external.ExternalRuntime.name or run.ended == "complete":
        return False
    return run.ended != "failed" or run.rounds > 1


def _make_room(journal: Journal, room: Room, away: Elsewhere, shown: Progress) -> None:
    """Raise the limits that can be raised and report those that stay.

    Raises CannotMeasure if they are too low.
    """
    if why := refusal(journal.run, away, room):
        raise CannotMeasure(why)
    for event in journal.run.events:
        if event.at_s == 0.0:
            shown.note(event.what)
    by_name = {one.name: one for one in journal.run.contenders}
    client = away.client(journal.run.plan.load_workers)
    needed = [headroom.files_needed(group, client) for group in groups(journal.run.plan, by_name)]
    system.raise_open_files(max([system.ENOUGH_FILES, *needed]))
    caveats = []
    usable = available_cores()
    if usable is not None and room.cores is not None and len(usable) < room.cores:
        caveats.append(headroom.held_caveat(room, len(usable), room.cores))
        shown.note(caveats[-1])
        journal.happened(Event(at_s=journal.elapsed_s(), what=caveats[-1]))
    journal.learned(
        {"limits": {"open_files": system.open_files(), "cpu_quota": room.cpu_quota, "caveats": caveats}}
    )


def _unused(folder: Path) -> Path:
    """Return *folder*, with a number after its name if it exists already, as in a resumed run."""
    names = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(name for name in chain([folder], names) if not name.exists())
