"""The command `bench compare`."""

from pathlib import Path

import click
from rich.console import Console

from bench.compare.two_runs import compare as compare_runs
from bench.compare.two_runs_report import changes_document, print_changes
from bench.errors import Broken, CannotMeasure
from bench.files import to_json
from bench.run import store

REGRESSION = 1


@click.command()
@click.argument("baseline", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("candidate", metavar="RUN_B", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.pass_context
def compare(ctx: click.Context, baseline: Path, candidate: Path, as_json: bool) -> None:
    """Say what changed from the finished run in folder RUN_A to that in RUN_B, of one machine.

    Of runs on two machines only instructions per request are compared, if both counted them.

    Exit code 1 where something got slower by more than its margin, or now answers wrongly.
    """
    two = compare_runs(store.load(baseline), store.load(candidate))
    if as_json:
        click.echo(to_json(changes_document(two)))
    else:
        print_changes(two, Console())
    if two.broken:
        raise Broken(f"right in {baseline}, wrong in {candidate}: {', '.join(two.broken)}")
    if two.regressed or two.takes_more:
        ctx.exit(REGRESSION)
    if not any(one.change for one in two.changes) and not any(one.ratio for one in two.moves):
        raise CannotMeasure("nothing of the two runs compares: the reasons are above")
