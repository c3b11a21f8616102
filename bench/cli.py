"""The command line: words in, one call, an exit code out. stdout carries results, stderr the rest."""

import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from rich.console import Console

from bench import (
    clinic,
    contenders,
    lab,
    plan,
    progress,
    scenarios,
    serving,
    session,
    store,
    verification,
)
from bench.addresses import address_of
from bench.doctor import examine
from bench.doctor.tables import print_diagnosis
from bench.documents import to_json
from bench.errors import BenchError, CannotMeasure, UsageError
from bench.load.driver import become_worker
from bench.report.page import write_report
from bench.report.tables import print_run

CRASHED = 2
INTERRUPTED = 130
SHOWN = 10  # differences of a contender; whoever wants more wants them in a file
# `compose` joins when containers do; `auto` then asks whether an engine answers.
RUNTIMES = click.Choice(["auto", "process"])


class Commands(click.Group):
    """The one place where a failure becomes a line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a BenchError is told in one line, Ctrl-C by its exit code."""
        try:
            return super().invoke(ctx)
        except BenchError as error:
            click.echo(f"bench: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine · 2 usage error or crash · 3 could not measure · 130 interrupted.",
)
@click.version_option(package_name="webframework-bench")
def commands() -> None:
    """Measure web frameworks side by side on this machine, honestly."""


def main() -> None:
    """Run the command line, stopping in good order at Ctrl-C and at `kill`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    try:
        commands(prog_name="bench")
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means a regression
        traceback.print_exc()
        sys.exit(CRASHED)


@commands.command()
@click.argument("plan_name", metavar="[PLAN]", default="quick")
@click.option("--contender", "only", multiple=True, metavar="NAME", help="only this one, or all of this base")
@click.option("--scenario", "asked", multiple=True, metavar="NAME", help="only this scenario")
@click.option("--rounds", type=click.IntRange(min=1), help="instead of the plan's")
@click.option("--runtime", type=RUNTIMES, default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="the run's folder, instead of one in results/")
@click.option("--dry-run", is_flag=True, help="say what would be measured, and how long it would take")
@click.option("--load-bind", metavar="HOST:PORT", help="wait there for load workers of other machines")
@click.option("--load-expect", type=click.IntRange(min=1), metavar="N", help="so many of them")
@click.option("--target", metavar="URL", help="ask this server, which is not ours, in place of contenders")
def run(
    plan_name: str,
    only: tuple[str, ...],
    asked: tuple[str, ...],
    rounds: int | None,
    runtime: str,
    out: Path | None,
    dry_run: bool,
    load_bind: str | None,
    load_expect: int | None,
    target: str | None,
) -> None:
    """Carry out a plan (quick by default): the table, and a folder with run.json and the report."""
    root = contenders.find_project(Path.cwd())
    away = session.elsewhere(load_bind, load_expect, target)
    if target and only:
        raise UsageError("--target takes the place of all contenders: leave --contender out")
    chosen = plan.narrowed(plan.read(root, plan_name), only, asked, rounds)
    begun = session.begin(root, chosen, away)
    if dry_run:
        click.echo(session.preview(begun))
        return
    journal = session.open_journal(begun, root / "results", out)
    click.echo(f"runtime: {begun.runtime}{' (asked for: auto)' if runtime == 'auto' else ''}", err=True)
    try:
        session.measure(root, journal, away)
    finally:
        if journal.run.records:
            print_run(journal.run, Console())
            click.echo(f"report: {write_report(journal.run, journal.folder)}", err=True)
    unequal = [known.contender for known in journal.run.verifications if known.outcome == "failed"]
    if unequal:
        raise CannotMeasure(f"not timed, unlike the contract: {', '.join(unequal)}; `bench verify` says how")


@commands.command()
@click.argument("names", metavar="[CONTENDER]…", nargs=-1)
@click.option("--thorough", is_flag=True, help="thousands of generated requests as well")
@click.option("--json", "as_json", is_flag=True, help="for machines")
def verify(names: tuple[str, ...], thorough: bool, as_json: bool) -> None:
    """Hold contenders (all by default) against the contract in apps/checks."""
    root = contenders.find_project(Path.cwd())
    tables = contenders.declared(root)
    chosen = [contenders.resolve(name, tables) for name in names or tables]
    outcomes = []
    with progress.shown() as shown, lab.runtime_of(root, root / ".bench" / "logs") as runtime:
        shown.phase("preparing environments and services")
        runtime.prepare(chosen)
        memory = lab.memory_of(root)
        for outcome in verification.verify(chosen, runtime, memory, fresh=True, thorough=thorough):
            generated = f", {outcome.generated:,} generated requests" if thorough else ""
            shown.note(f"{outcome.contender}: {outcome.outcome}, {outcome.checks} checks{generated}")
            outcomes.append(outcome)
    if as_json:
        click.echo(to_json(outcomes))
    else:
        for outcome in outcomes:
            for difference in outcome.differences[:SHOWN]:
                click.echo(f"{outcome.contender}: {difference}")
            if (more := len(outcome.differences) - SHOWN) > 0:
                click.echo(f"{outcome.contender}: … and {more} more; --json has all")
    failed = [outcome.contender for outcome in outcomes if outcome.outcome == "failed"]
    if failed:
        raise CannotMeasure(f"{', '.join(failed)}: unlike the contract; the differences are above")


@commands.command()
@click.argument("name", metavar="CONTENDER")
@click.option("--locust", is_flag=True, help="open Locust's web interface as well")
def serve(name: str, locust: bool) -> None:
    """Serve one contender with a database of its own, to poke by hand; Ctrl-C stops it."""
    root = contenders.find_project(Path.cwd())
    contender = contenders.resolve(name, contenders.declared(root))
    logs = root / ".bench" / "logs"
    with suppress(KeyboardInterrupt), lab.runtime_of(root, logs) as runtime:
        click.echo(f"logs: {logs}", err=True)
        serving.serve(contender, runtime, click.echo, locust_log=logs / "locust.log" if locust else None)


@commands.command("load-worker")
@click.option("--master", required=True, metavar="HOST:PORT", help="where `bench run --load-bind` listens")
@click.option("--cores", default="", metavar="N,…", help="cores to stay on, as in 0,2")
def load_worker(master: str, cores: str) -> None:
    """Ask as a part of a run that was started elsewhere; ends with it, or at Ctrl-C."""
    become_worker(address_of(master, option="--master"), cores)


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="for machines")
def doctor(as_json: bool) -> None:
    """Say whether this machine is fit to measure, and what load generators reach on it: half a minute."""
    root = contenders.find_project(Path.cwd())
    asked = scenarios.declared(root).values()
    with progress.shown() as shown:
        diagnosis = examine(clinic.instruments(root), asked, shown)
    if as_json:
        click.echo(to_json(diagnosis.document()))
    else:
        print_diagnosis(diagnosis, Console())
    if not diagnosis.fit:
        failed = [check.name for check in diagnosis.checks if check.status == "failed"]
        raise CannotMeasure(
            f"this machine is not fit to measure ({', '.join(failed)}): the remedies are above"
        )


@commands.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--open", "show", is_flag=True, help="open it in a browser")
def report(folder: Path, show: bool) -> None:
    """Draw the report of the run in folder RUN again."""
    kept = store.load(folder)
    print_run(kept, Console())
    page = write_report(kept, folder)
    click.echo(f"report: {page}", err=True)
    if show:
        click.launch(str(page))


@commands.command("list")
@click.option("--json", "as_json", is_flag=True, help="for machines")
def list_(as_json: bool) -> None:
    """List contenders, scenarios and plans of the project."""
    root = contenders.find_project(Path.cwd())
    tables = contenders.declared(root)
    known = scenarios.declared(root)
    everyone = [contenders.resolve(name, tables) for name in tables]
    if as_json:
        listing = {
            "contenders": [
                {
                    "name": one.name,
                    "app": one.app,
                    "interface": one.interface,
                    "server": one.server,
                    "scenarios": list(one.scenarios or known),
                }
                for one in everyone
            ],
            "scenarios": [{"name": name} for name in known],
            "plans": [{"name": name} for name in plan.names(root)],
        }
        click.echo(to_json(listing))
        return
    for one in everyone:
        click.echo(f"contender  {one.name:14} {one.stack}")
    for name, scenario in known.items():
        click.echo(f"scenario   {name:14} {', '.join(exchange.name for exchange in scenario.exchanges)}")
    for name in plan.names(root):
        click.echo(f"plan       {name:14} {plan.read(root, name).about}")


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Stop what is going on, once: a second Ctrl-C must not cut short the stopping of servers."""
    for later in (signal.SIGINT, signal.SIGTERM):
        signal.signal(later, lambda *_: os.write(2, b"bench: stopping, a moment\n"))
    raise KeyboardInterrupt
