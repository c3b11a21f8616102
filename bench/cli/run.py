"""The command `bench run`."""

from pathlib import Path

import click
from rich.console import Console

from bench.analysis import analyse
from bench.analysis.rows import Row
from bench.analysis.wrong import wrong_answers
from bench.cli import wiring
from bench.cli.options import RUNTIMES, machines_turn, say_runtime, wait_option
from bench.errors import CannotMeasure, UsageError
from bench.project import contenders, plans
from bench.report.report_files import write_report
from bench.report.terminal import print_run
from bench.run import execution
from bench.run.preview import preview
from bench.run.store import Journal
from bench.run.verification import by_reason
from bench.runtime import external


@click.command()
@click.argument("plan_name", metavar="[PLAN]", required=False)
@click.option("--contender", "only", multiple=True, metavar="NAME", help="only this one, or all of this base")
@click.option("--scenario", "only_scenarios", multiple=True, metavar="NAME", help="only this scenario")
@click.option("--rounds", type=click.IntRange(min=1), help="instead of the plan's")
@click.option("--runtime", type=RUNTIMES, default=wiring.AUTO, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="the run's folder, instead of one in results/")
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="DIR", help="go on with the run kept there"
)
@click.option(
    "--dry-run", is_flag=True, help="show what would be measured, how long, and how wide the intervals"
)
@click.option("--load-bind", metavar="HOST:PORT", help="wait there for load workers of other machines")
@click.option("--load-expect", type=click.IntRange(min=1), metavar="N", help="so many of them")
@click.option("--target", metavar="URL", help="measure this server, which is not ours, instead of contenders")
@wait_option
def run(
    plan_name: str | None,
    only: tuple[str, ...],
    only_scenarios: tuple[str, ...],
    rounds: int | None,
    runtime: str,
    out: Path | None,
    resume: Path | None,
    dry_run: bool,
    load_bind: str | None,
    load_expect: int | None,
    target: str | None,
    wait: float | None,
) -> None:
    """Carry out a plan (quick by default): the table, and a folder with run.json and the report."""
    root = contenders.find_project(Path.cwd())
    away = execution.elsewhere(load_bind, load_expect, target)
    if resume:
        if any((plan_name, only, only_scenarios, rounds, out, dry_run, target)):
            raise UsageError("--resume goes on with a run as it was begun: leave plan and options out")
        with machines_turn(wait):
            _carry_out(root, execution.take_up(root, resume), away)
        return
    if target and only:
        raise UsageError("--target takes the place of all contenders: leave --contender out")
    chosen = plans.narrowed(plans.read(root, plan_name or "quick"), only, only_scenarios, rounds)
    name, why = (external.ExternalRuntime.name, "") if target else wiring.chosen(runtime, root)
    begun = execution.begin(root, chosen, away, name)
    if dry_run:
        click.echo(preview(begun, root / "results"))
        if refused := execution.refusal(begun, away):
            click.echo(f"it cannot be measured here: {refused}")
        return
    with machines_turn(wait):
        journal = execution.open_journal(begun, root / "results", out)
        if refused := begun.fingerprint["project"].get("refused"):
            click.echo(f"commit and age of locks are not known: {refused}", err=True)
        say_runtime(begun.runtime, why)
        _carry_out(root, journal, away)


def _carry_out(root: Path, journal: Journal, away: execution.Elsewhere) -> None:
    """Measure, and show the results even after a failure. Raises CannotMeasure if they are not usable."""
    try:
        execution.measure(root, journal, wiring.opened, away)
    finally:
        if journal.run.records:
            print_run(journal.run, Console())
            _write_report(journal)
        if journal.run.records and execution.may_go_on(journal.run):
            click.echo(f"to go on where it stopped: bench run --resume {journal.folder}", err=True)
    analysis = analyse(journal.run)
    reasons = [f"no speed: {_no_speed(row)}" for row in analysis.rows if row.withheld]
    reasons += [f"not valid: {analysis.invalid}"] if analysis.invalid else []
    if reasons:
        raise CannotMeasure(f"{'; '.join(reasons)}: see {journal.folder}")
    if unequal := by_reason(journal.run.verifications):
        raise CannotMeasure(f"not timed, {unequal}; `bench verify` shows the differences")


def _no_speed(row: Row) -> str:
    what = wrong_answers(row) if row.is_wrong else f"no right answer in round {row.silent}"
    return f"{row.cell.contender}, {row.cell.scenario}, {row.cell.load.title}: {what}"


def _write_report(journal: Journal) -> None:
    try:
        click.echo(f"report: {write_report(journal.run, journal.folder)}", err=True)
    except OSError as error:
        click.echo(
            f"no report ({error.strerror}): make room, then `bench report {journal.folder}` draws it",
            err=True,
        )
