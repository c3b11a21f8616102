"""The command `bench serve`."""

from contextlib import suppress
from pathlib import Path

import click

from bench.cli import wiring
from bench.project import contenders
from bench.run import serving


@click.command()
@click.argument("name", metavar="CONTENDER")
@click.option("--locust", is_flag=True, help="open Locust's web interface as well")
def serve(name: str, locust: bool) -> None:
    """Serve one contender, with a copy of the files and a database of its own; Ctrl-C stops it."""
    root = contenders.find_project(Path.cwd())
    contender = contenders.resolve(name, contenders.declared(root))
    logs = root / ".bench" / "logs"
    with suppress(KeyboardInterrupt), wiring.runtime_of(root, logs) as runtime:
        click.echo(f"logs: {logs}", err=True)
        serving.serve(contender, runtime, click.echo, locust_log=logs / "locust.log" if locust else None)
