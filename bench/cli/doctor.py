"""The command `bench doctor`."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from bench.cli import wiring
from bench.cli.options import machines_turn, wait_option
from bench.doctor import examine, latency, noise, outdated
from bench.doctor.diagnosis import Diagnosis, check, print_diagnosis
from bench.doctor.latency_table import print_readings
from bench.errors import CannotMeasure, UsageError
from bench.files import to_json
from bench.model.plan import Plan
from bench.model.scenario import Scenario
from bench.project import contenders, scenarios
from bench.run import execution, progress
from bench.runtime.leftovers import FOLDER_PREFIX
from bench.runtime.newest import newest


@click.command()
@click.option("--noise", "with_noise", is_flag=True, help="also measure what it resolves: three minutes more")
@click.option("--latency", "of_latency", is_flag=True, help="instead: is latency measured right? Two minutes")
@click.option("--outdated", "with_age", is_flag=True, help="measure nothing: list what locks are behind in")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@wait_option
def doctor(with_noise: bool, of_latency: bool, with_age: bool, as_json: bool, wait: float | None) -> None:
    """Say whether this machine is fit to measure, and what load generators reach on it: half a minute.

    With --outdated, say instead which packages of each lock are behind the index that uv's settings name.
    """
    if with_noise + of_latency + with_age > 1:
        raise UsageError("--noise, --latency and --outdated are examinations apart: request one at a time")
    if with_age:
        _say_age(as_json)
        return
    if of_latency:
        _examine_latency(as_json, wait)
        return
    with _place(with_noise) as (root, known):
        experiment = noise.planned(root) if with_noise else None
        with machines_turn(wait):
            with progress.shown() as shown:
                diagnosis = examine(wiring.instruments(root), known, shown)
            if experiment:
                diagnosis = _listened(root, experiment, diagnosis)
    if as_json:
        click.echo(to_json(diagnosis.document()))
    else:
        print_diagnosis(diagnosis, Console())
    if not diagnosis.fit:
        unfit = [check.name for check in diagnosis.checks if check.status == "not fit"]
        raise CannotMeasure(
            f"this machine is not fit to measure ({', '.join(unfit)}): the remedies are above"
        )


def _say_age(as_json: bool) -> None:
    root = contenders.find_project(Path.cwd())
    tables = contenders.declared(root)
    found = outdated.outdated(root, [contenders.resolve(name, tables) for name in tables], newest)
    click.echo(to_json(outdated.document(found)) if as_json else "\n".join(outdated.lines(found)))


def _examine_latency(as_json: bool, wait: float | None) -> None:
    with machines_turn(wait), progress.shown() as shown, wiring.latency_test() as (load, serve):
        found = latency.readings(load, serve, shown)
    if as_json:
        click.echo(to_json([reading.document() for reading in found]))
    else:
        print_readings(found, Console())
    if what := latency.verdict(found):
        raise CannotMeasure(what)


@contextmanager
def _place(with_noise: bool) -> Iterator[tuple[Path, Collection[Scenario]]]:
    """Yield the project with its scenarios; without one, an empty folder that is removed afterwards."""
    try:
        root = contenders.find_project(Path.cwd())
    except UsageError:
        if with_noise:
            raise
        root = None
    if root is not None:
        yield root, scenarios.declared(root).values()
        return
    with TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True) as away:
        yield Path(away), ()


def _listened(root: Path, experiment: Plan, diagnosis: Diagnosis) -> Diagnosis:
    """Return *diagnosis* with the result of a contender against itself. Its run is kept below results/."""
    try:
        journal = execution.open_journal(execution.begin(root, experiment), root / "results")
        execution.measure(root, journal, wiring.opened)
        return replace(diagnosis, noise=noise.noise_of(journal.run))
    except CannotMeasure as error:
        unmeasured = check(
            "noise", "not fit", str(error), "end what else runs; `bench verify` shows whether contenders work"
        )
        return replace(diagnosis, checks=(*diagnosis.checks, unmeasured))
