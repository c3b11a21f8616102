"""The command `bench verify`."""

from collections.abc import Sequence
from pathlib import Path

import click

from bench.analysis.faults import sentence
from bench.cli import wiring
from bench.cli.options import RUNTIMES, say_runtime
from bench.errors import CannotMeasure
from bench.files import to_json
from bench.load.once import requested
from bench.model.contender import Contender
from bench.project import contenders, scenarios
from bench.run import experiment, progress, tries, verification
from bench.run.verification import by_reason
from bench.runtime import Runtime

SHOWN = 10  # differences shown of a contender; a longer list belongs in a file


@click.command()
@click.argument("names", metavar="[CONTENDER]…", nargs=-1)
@click.option("--runtime", type=RUNTIMES, default=wiring.AUTO, show_default=True)
@click.option("--thorough", is_flag=True, help="thousands of generated requests as well")
@click.option("--json", "as_json", is_flag=True, help="for machines")
def verify(names: tuple[str, ...], runtime: str, thorough: bool, as_json: bool) -> None:
    """Hold contenders (all by default) against the contract in apps/checks."""
    root = contenders.find_project(Path.cwd())
    tables = contenders.declared(root)
    chosen = [contenders.resolve(name, tables) for name in names or tables]
    outcomes = []
    name, why = wiring.chosen(runtime, root)
    say_runtime(name, why)
    with progress.shown() as shown, wiring.runtime_of(root, root / ".bench" / "logs", name) as opened:
        shown.phase("preparing environments and services")
        opened.prepare(verification.servable(chosen, opened))
        try_first(root, chosen, opened, shown)
        memory = wiring.memory_of(root, name)
        for outcome in verification.verify(chosen, opened, memory, fresh=True, thorough=thorough):
            generated = f", {outcome.generated:,} generated requests" if thorough else ""
            held = f", {outcome.checks} checks{generated}" if outcome.checks else ""
            starts = "starts, " if outcome.outcome == "no checks" else ""
            shown.note(f"{outcome.contender}: {starts}{outcome.outcome}{held}")
            outcomes.append(outcome)
    if as_json:
        click.echo(to_json(outcomes))
    else:
        for outcome in outcomes:
            skipped = "skipped: " if outcome.outcome == "skipped" else ""
            for difference in outcome.differences[:SHOWN]:
                click.echo(f"{outcome.contender}: {skipped}{difference}")
            if (more := len(outcome.differences) - SHOWN) > 0:
                click.echo(f"{outcome.contender}: … and {more} more; --json has all")
    if failed := by_reason(outcomes):
        raise CannotMeasure(f"{failed}; what was found is above")
    if all(outcome.outcome == "skipped" for outcome in outcomes):
        raise CannotMeasure("no contender was checked against the contract; the remedies are above")


def try_first(root: Path, chosen: Sequence[Contender], runtime: Runtime, shown: progress.Progress) -> None:
    """Request each exchange once, if the project has scenarios. Raises CannotMeasure at a wrong answer."""
    if not (root / "apps" / "scenarios.toml").is_file():
        return
    shown.phase("requesting each exchange once")
    known = scenarios.declared(root)
    able = verification.servable(chosen, runtime)
    served = [(one, [known[name] for name in one.scenarios or known if name in known]) for one in able]
    for one in tries.tries(served, runtime, requested):
        if one.wrong and one.sent:
            raise CannotMeasure(f"{one.contender} answers wrongly, {sentence(one)}{experiment.SEE}")
