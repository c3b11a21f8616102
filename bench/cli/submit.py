"""The command `bench submit`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bench.run import store
from bench.site.origin import origin_of
from bench.site.outbox import write


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="or a folder; the folder here without it"
)
@click.option("--project", "name", default="", metavar="NAME", help="how the project is called")
def submit(folder: Path, out: Path | None, name: str) -> None:
    """Write the run in folder RUN as one small file that others may publish.

    It holds facts of the machine, versions and figures. It holds no path, no name of a host, and nothing of
    the environment but versions. Call it in the project's checkout, so that the project is known.
    """
    run = store.load(folder)
    file = write(run, origin_of(run, Path.cwd(), name), out or Path.cwd(), datetime.now(UTC))
    click.echo(file)
