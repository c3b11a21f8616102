"""`bench report` and `bench list`."""

from pathlib import Path

import click
from rich.console import Console

from bench.analysis import analyse
from bench.files import to_json
from bench.profile import record
from bench.profile.tables import print_profiling
from bench.project import contenders, plans, scenarios
from bench.report.formats import FORMATS, export
from bench.report.page import write_report
from bench.report.quoted import BEGIN, END, quote
from bench.report.tables import print_run
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
        for file in export(analyse(kept), folder, name):
            click.echo(f"{name}: {file}", err=True)
    if document:
        quote(kept, folder, document)
    if show:
        click.launch(str(page))


def _profile_page(folder: Path) -> Path:
    # Here because Matplotlib takes a second that no other command should wait for.
    from bench.profile.page import write_profile_report

    return write_profile_report(record.load(folder), folder)


@click.command("list")
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
            "plans": [{"name": name} for name in plans.names(root)],
        }
        click.echo(to_json(listing))
        return
    for one in everyone:
        click.echo(f"contender  {one.name:14} {one.stack}")
    for name, scenario in known.items():
        click.echo(f"scenario   {name:14} {', '.join(exchange.name for exchange in scenario.exchanges)}")
    for name in plans.names(root):
        click.echo(f"plan       {name:14} {plans.read(root, name).about}")
