"""`bench serve`, `bench load-worker` and `bench doctor`."""

from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

from bench import clinic, contenders, lab, progress, scenarios, serving
from bench.addresses import address_of
from bench.doctor import examine
from bench.doctor.tables import print_diagnosis
from bench.documents import to_json
from bench.errors import CannotMeasure
from bench.load.driver import become_worker


@click.command()
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


@click.command("load-worker")
@click.option("--master", required=True, metavar="HOST:PORT", help="where `bench run --load-bind` listens")
@click.option("--cores", default="", metavar="N,…", help="cores to stay on, as in 0,2")
def load_worker(master: str, cores: str) -> None:
    """Ask as a part of a run that was started elsewhere; ends with it, or at Ctrl-C."""
    become_worker(address_of(master, option="--master"), cores)


@click.command()
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
        unfit = [check.name for check in diagnosis.checks if check.status == "not fit"]
        raise CannotMeasure(
            f"this machine is not fit to measure ({', '.join(unfit)}): the remedies are above"
        )
