"""The command `bench report`."""

from pathlib import Path

import click
from rich.console import Console

from bench.analysis import analyse
from bench.profile import record
from bench.profile.words import print_profiling
from bench.report.exports import FORMATS, export
from bench.report.quoted import BEGIN, END, quote
from bench.report.report_files import write_report
from bench.report.terminal import print_run
from bench.run import store

QUOTING = f"also quote its tables in this Markdown file, between {BEGIN} and {END}"


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--open", "show", is_flag=True, help="open it in a browser")
@click.option("--quote-in", "document", type=click.Path(path_type=Path), metavar="FILE", help=QUOTING)
@click.option("--export", "formats", type=click.Choice([*FORMATS]), multiple=True, help="for another tool")
def report(folder: Path, show: bool, document: Path | None, formats: tuple[str, ...]) -> None:
    """Draw the report of the run (or of the profile) in folder RUN again."""
    if (folder / record.FILE).is_file():
        print_profiling(record.load(folder), Console())
        click.echo(f"report: {_profile_page(folder)}", err=True)
        return
    kept = store.load(folder)
    print_run(kept, Console())
    page = write_report(kept, folder)
    click.echo(f"report: {page}", err=True)
    for name in formats:
        files = export(analyse(kept), folder, name)
        for file in files:
            click.echo(f"{name}: {file}", err=True)
        if not files:
            click.echo(f"{name}: nothing to write: no row of this run has right answers", err=True)
    if document:
        quote(kept, folder, document)
    if show:
        click.launch(str(page))


def _profile_page(folder: Path) -> Path:
    # Imported here: Matplotlib takes a second, and no other command should wait for it.
    from bench.profile.profile_page import write_profile_report

    return write_profile_report(record.load(folder), folder)
