"""The command `bench null-cells`."""

from collections.abc import Sequence
from pathlib import Path

import click

from bench.compare.null_cells import (
    LEDGER,
    NullCell,
    added,
    append,
    false_alarms,
    null_cells,
    read_ledger,
)
from bench.errors import UsageError
from bench.project import contenders
from bench.report.wording import plural
from bench.run import store


@click.command("null-cells")
@click.argument("runs", metavar="[RUN]…", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"the ledger, instead of results/{LEDGER}",
)
def null_cells_(runs: tuple[Path, ...], ledger: Path | None) -> None:
    """Add what RUNs showed of equal code beside itself to a ledger, and show the rate of false alarms.

    These are A/A twins, and diffs of a commit with itself. Each run is added once. A ledger has no path and
    no name of a machine.
    """
    file = ledger or contenders.find_project(Path.cwd()) / "results" / LEDGER
    known = read_ledger(file)
    found, left_out = read(runs)
    for why in left_out:
        click.echo(f"left out: {why}", err=True)
    if runs and len(left_out) == len(runs):
        raise UsageError("none of these runs can be used: name folders of complete and valid runs")
    if new := added(known, found):
        append(file, new)
    if runs:
        click.echo(f"{plural(len(new), 'null cell')} added: {file}", err=True)
    click.echo(false_alarms((*known, *new)))


def read(runs: Sequence[Path]) -> tuple[list[NullCell], list[str]]:
    """Return the null cells of *runs*, those of a run that is named twice once, and why others have none."""
    found: dict[str, tuple[NullCell, ...]] = {}
    left_out: list[str] = []
    for folder in runs:
        try:
            cells = null_cells(store.load(folder))
        except UsageError as error:
            left_out.append(f"{folder}: {error}" if str(folder) not in str(error) else str(error))
            continue
        if cells:
            found.setdefault(cells[0].run, cells)
    return [cell for cells in found.values() for cell in cells], left_out
