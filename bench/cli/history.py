"""The command `bench history`."""

from pathlib import Path

import click
from rich.console import Console

from bench.compare.history import keep, trends
from bench.errors import UsageError
from bench.project import contenders


@click.command()
@click.argument("runs", metavar="RUNS…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--keep", "history_folder", type=click.Path(path_type=Path), metavar="DIR", help="keep these runs there"
)
@click.option("--out", type=click.Path(path_type=Path), help="for the charts, instead of results/history")
def history(runs: tuple[Path, ...], history_folder: Path | None, out: Path | None) -> None:
    """Draw what became of every contender over RUNS: folders of runs, or of what --keep left."""
    if history_folder:
        for run in runs:
            click.echo(keep(run, history_folder))
        return
    found = trends(runs)
    # Imported here: Matplotlib takes a second, and no other command should wait for it.
    from bench.compare.history_report import print_trends, write_trend_charts

    print_trends(found, Console())
    try:
        folder = out or contenders.find_project(Path.cwd()) / "results" / "history"
    except UsageError as error:
        raise UsageError(f"{error}; or name a folder for the charts with --out") from error
    for file in write_trend_charts(found, folder):
        click.echo(f"chart: {file}", err=True)
