"""One run, from the plan that was asked for to the folder it leaves: begin, measure, end."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import contenders, experiment, lab, plan, progress, scenarios, schedule
from bench.addresses import address_of, is_loopback
from bench.errors import BenchError, UsageError
from bench.load.driver import Workers
from bench.loads import spoken
from bench.model import Contender, Plan
from bench.observe.fingerprint import fingerprint
from bench.records import SCHEMA, Event, Run
from bench.runtime import external
from bench.runtime.process import ProcessRuntime
from bench.store import Journal, folder_name, make_folder


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
        chosen = plan.aimed(chosen, away.target.name)
        served = {away.target.name: away.target}
    else:
        served = plan.contenders(chosen, contenders.declared(root))
    return Run(
        schema=SCHEMA,
        plan=chosen,
        runtime=external.ExternalRuntime.name if away.target else runtime,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=fingerprint(root),
        contenders=tuple(served.values()),
        scenarios=tuple(plan.scenarios(chosen, scenarios.declared(root)).values()),
    )


def preview(begun: Run) -> str:
    """Return what the run would measure and about how long that takes, in words."""
    swept = plan.groups(begun.plan, {contender.name: contender for contender in begun.contenders})
    steps = list(schedule.schedule(begun.plan, swept))
    minutes = schedule.duration_s(steps) * (1 + schedule.OVERHEAD) / 60
    lines = [f"{group.scenario}, {spoken(group.load)}: {', '.join(group.contenders)}" for group in swept]
    lines.append(
        f"{sum(len(group.contenders) for group in swept)} cells × {begun.plan.rounds} rounds "
        f"× {begun.plan.sweeps} sweeps = {len(steps)} slices with warm-ups, pilots and ceilings, "
        f"about {minutes:.1f} min"
    )
    return "\n".join(lines)


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


def measure(root: Path, journal: Journal, away: Elsewhere = Elsewhere()) -> None:
    """Carry the journal's plan out; however that ends, the journal says so and is saved.

    Raises what stopped it: CannotMeasure, or KeyboardInterrupt.
    """
    logs = journal.folder / "logs"
    workers = Workers(count=journal.run.plan.load_workers, bind=away.bind)
    try:
        with (
            progress.shown() as shown,
            lab.opened(root, logs, shown, workers=workers, runtime=journal.run.runtime) as opened,
        ):
            experiment.carry_out(journal, opened)
    except KeyboardInterrupt:
        journal.ended("interrupted")
        raise
    except BenchError as error:
        journal.happened(Event(at_s=journal.elapsed_s(), what=str(error)))
        journal.ended("failed")
        raise
    journal.ended("complete")
