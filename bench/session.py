"""One run, from the plan that was asked for to the folder it leaves: begin, measure, end."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from bench import contenders, experiment, lab, narrowing, plan, progress, scenarios, store
from bench.addresses import address_of, is_loopback
from bench.errors import BenchError, UsageError
from bench.likeness import differences, facts_of
from bench.load.driver import Workers
from bench.model import Contender, Plan, Scenario
from bench.observe import hyperthreads
from bench.observe.fingerprint import fingerprint
from bench.records import SCHEMA, Event, Run
from bench.runtime import external
from bench.runtime.placement import available_cores
from bench.runtime.process import ProcessRuntime
from bench.store import Journal, folder_name, make_folder

TOLD = 3  # differences, in a line that refuses


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What a run has to do with that it does not start itself."""

    bind: tuple[str, int] | None = None  # where load workers come to
    expect: int | None = None  # so many of them
    target: Contender | None = None  # asked in place of all contenders


def elsewhere(bind: str | None, expect: int | None, target: str | None) -> Elsewhere:
    """Return what was said on the command line about other machines; raises UsageError."""
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
    """Return the run that is about to be: every name is resolved, nothing is started.

    Raises UsageError where a name or a file of the project at *root* is wrong.
    """
    chosen = replace(chosen, load_workers=away.expect or chosen.load_workers)
    if away.target:
        chosen = narrowing.aimed(chosen, away.target.name)
        served = {away.target.name: away.target}
    else:
        served = plan.contenders(chosen, contenders.declared(root))
    where = external.ExternalRuntime.name if away.target else runtime
    asked = plan.scenarios(chosen, scenarios.declared(root))
    return begin_with(root, chosen, where, tuple(served.values()), tuple(asked.values()))


def begin_with(
    root: Path,
    chosen: Plan,
    runtime: str,
    served: tuple[Contender, ...],
    asked: tuple[Scenario, ...],
) -> Run:
    """Return the run that is about to be, of contenders and scenarios that are resolved already."""
    return Run(
        schema=SCHEMA,
        plan=chosen,
        runtime=runtime,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=fingerprint(root),
        contenders=served,
        scenarios=asked,
    )


def open_journal(begun: Run, results: Path, out: Path | None = None) -> Journal:
    """Return the journal of a new run, in *out* or in a folder of its own below *results*.

    Raises UsageError where that cannot be written.
    """
    name = folder_name(
        datetime.fromisoformat(begun.started_at),
        begun.plan.name,
        begun.fingerprint["project"]["commit"],
        begun.fingerprint["project"]["dirty"],
    )
    return Journal(begun, make_folder(out or results / name))


def take_up(root: Path, folder: Path) -> Journal:
    """Return the journal of the run in *folder*, to go on where it stopped: nothing kept is measured again.

    Raises UsageError where it is complete or damaged, and where code, versions or the machine have changed:
    what comes would not be of the same experiment.
    """
    kept = store.load(folder)
    if kept.ended == "complete":
        raise UsageError(f"{folder} is complete: there is nothing to resume")
    if kept.plan.baseline:
        raise UsageError(f"{folder} compares revisions, which are laid out anew: start `bench diff` again")
    if kept.runtime == external.ExternalRuntime.name:
        raise UsageError(f"{folder} asked a --target: start a new run, nothing tells whether it is the same")
    now = {**fingerprint(root), "runtime": kept.runtime}
    if changed := differences(facts_of(kept), now):
        what = "; ".join(f"{one.fact} was {one.here}, is {one.there}" for one in changed[:TOLD])
        raise UsageError(f"{folder} cannot be resumed, start a new run: {what}")
    # These are made again, or remembered; a run of yore must not speak for today's.
    again = replace(kept, ended=None, tries=(), verifications=(), queries=(), evidence=())
    served = tuple(replace(one, root=str(root)) for one in kept.contenders)
    journal = Journal(replace(again, contenders=served), folder)
    journal.happened(Event(at_s=journal.elapsed_s(), what="taken up again"))
    return journal


def measure(root: Path, journal: Journal, away: Elsewhere = Elsewhere()) -> None:
    """Carry the journal's plan out; however that ends, the journal says so and is saved.

    Raises what stopped it: CannotMeasure, or KeyboardInterrupt.
    """
    logs = _unused(journal.folder / "logs")
    workers = Workers(count=journal.run.plan.load_workers, bind=away.bind)
    try:
        with progress.shown() as shown:
            if not away.target:
                shown.phase("timing a core with its neighbour idle, then busy")
                journal.learned({"hyperthreads": hyperthreads.evidence(available_cores())})
            runtime = journal.run.runtime
            with lab.opened(root, logs, shown, workers=workers, runtime=runtime) as opened:
                experiment.carry_out(journal, opened)
    except KeyboardInterrupt:
        journal.ended("interrupted")
        raise
    except BenchError as error:
        journal.happened(Event(at_s=journal.elapsed_s(), what=str(error), log=error.log))
        journal.ended("failed")
        raise
    journal.ended("complete")


def _unused(folder: Path) -> Path:
    """Return *folder*, with a number behind its name where there is one already: a run taken up again."""
    names = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(name for name in chain([folder], names) if not name.exists())
