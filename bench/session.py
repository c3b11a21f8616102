"""One run, from the plan that was asked for to the folder it leaves: begin, measure, end."""

from datetime import UTC, datetime
from pathlib import Path

from bench import contenders, experiment, lab, plan, progress, scenarios, schedule
from bench.errors import BenchError
from bench.model import Plan
from bench.observe.fingerprint import fingerprint
from bench.records import SCHEMA, Event, Run
from bench.store import Journal, folder_name, make_folder

# What lies between slices (resets, server starts) as a share of the slices; measured on plan quick.
OVERHEAD = 1 / 3


def begin(root: Path, chosen: Plan) -> Run:
    """Return the run that is about to be: every name is resolved, nothing is started.

    Raises UsageError where a name or a file of the project at *root* is wrong.
    """
    return Run(
        schema=SCHEMA,
        plan=chosen,
        runtime="process",
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=fingerprint(root),
        contenders=tuple(plan.contenders(chosen, contenders.declared(root)).values()),
        scenarios=tuple(plan.scenarios(chosen, scenarios.declared(root)).values()),
    )


def preview(begun: Run) -> str:
    """Return what the run would measure and about how long that takes, in words."""
    swept = plan.groups(begun.plan, {contender.name: contender for contender in begun.contenders})
    steps = list(schedule.schedule(begun.plan, swept))
    minutes = schedule.duration_s(steps) * (1 + OVERHEAD) / 60
    lines = [
        f"{group.scenario}, {group.load.connections} connections: {', '.join(group.contenders)}"
        for group in swept
    ]
    lines.append(
        f"{sum(len(group.contenders) for group in swept)} cells × {begun.plan.rounds} rounds "
        f"× {begun.plan.sweeps} sweeps = {len(steps)} slices with warm-ups, about {minutes:.1f} min"
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


def measure(root: Path, journal: Journal) -> None:
    """Carry the journal's plan out; however that ends, the journal says so and is saved.

    Raises what stopped it: CannotMeasure, or KeyboardInterrupt.
    """
    try:
        with progress.shown() as shown, lab.opened(root, journal.folder / "logs", shown) as opened:
            experiment.carry_out(journal, opened)
    except KeyboardInterrupt:
        journal.ended("interrupted")
        raise
    except BenchError as error:
        journal.happened(Event(at_s=journal.elapsed_s(), what=str(error)))
        journal.ended("failed")
        raise
    journal.ended("complete")
