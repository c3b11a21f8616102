"""`bench diff`."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from bench import contenders, diffing, lab, session
from bench.analysis import Analysis, analyse
from bench.documents import to_json
from bench.errors import CannotMeasure
from bench.report.page import write_report
from bench.report.verdict import MARKDOWN, document, write_verdict
from bench.revised import EXIT_CODES, Conclusion, concluded
from bench.runtime.turns import turn
from bench.sides import laid_out
from bench.store import Journal
from bench.waivers import Waiver, read_waivers

RUNTIMES = click.Choice([lab.AUTO, "process", "compose"])
INCONCLUSIVE = 4
SECONDS = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """ "90s", "10m", "1h": seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; fails with what would do."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", str(value))
        if not found or not float(found[1]):
            self.fail(f"{value!r} is no duration: 90s, 10m, 1h", param, ctx)
        return float(found[1]) * SECONDS[found[2]]


@click.command()
@click.argument("base")
@click.argument("head", required=False)
@click.option("--contender", "only", multiple=True, metavar="NAME", help="only this one, changed or not")
@click.option("--scenario", "asked", multiple=True, metavar="NAME", help="only this scenario")
@click.option(
    "--budget", type=Duration(), default="10m", show_default=True, help="how long to measure at most"
)
@click.option(
    "--aa", type=click.Choice(["one", "all"]), default="one", show_default=True, help="base against itself"
)
@click.option("--all", "unchanged", is_flag=True, help="compare contenders that did not change as well")
@click.option("--runtime", type=RUNTIMES, default=lab.AUTO, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="the run's folder, instead of one in results/")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option(
    "--fail-on-inconclusive", is_flag=True, help=f"exit code {INCONCLUSIVE} where not all is settled"
)
@click.pass_context
def diff(
    ctx: click.Context,
    base: str,
    head: str | None,
    only: tuple[str, ...],
    asked: tuple[str, ...],
    budget: float,
    aa: diffing.Twins,
    unchanged: bool,
    runtime: str,
    out: Path | None,
    as_json: bool,
    fail_on_inconclusive: bool,
) -> None:
    """Say what HEAD (the working tree by default) made slower or faster than BASE, both measured in one run.

    Exit code 1 where something regressed: got slower by more than its margin, or does more for a request.
    """
    root = contenders.find_project(Path.cwd())
    wanted = diffing.Wanted(contenders=only, scenarios=asked, unchanged=unchanged, twins=aa, budget_s=budget)
    waivers = read_waivers(root)
    with turn(), laid_out(root, base, head) as sides:
        made, notes = diffing.planned(sides, wanted)
        for note in notes:
            click.echo(note, err=True)
        if not made.blocks:
            click.echo(
                f"nothing to compare: no app, schema or lock differs from {sides.base.label}; see --all"
            )
            return
        where, _ = lab.chosen(runtime, root)
        run = session.begin_with(root, made, where, diffing.served(sides, made), diffing.asked(sides, made))
        journal = session.open_journal(run, root / "results", out)
        told = _carried_out(root, journal, partial(_concluded, journal, waivers, notes), as_json)
    if told.overall == "INVALID":
        raise CannotMeasure(f"not valid: {'; '.join(told.invalid)}: see {journal.folder}")
    unsettled = fail_on_inconclusive and told.overall == "INCONCLUSIVE"
    ctx.exit(INCONCLUSIVE if unsettled else EXIT_CODES[told.overall])


def _carried_out(
    root: Path, journal: Journal, conclude: Callable[[], tuple[Analysis, Conclusion]], as_json: bool
) -> Conclusion:
    """Measure, and conclude from what there is however that ends.

    A verdict is there from the beginning: whoever kills this finds that nothing is settled.
    """
    analysis, told = conclude()
    write_verdict(analysis, replace(told, overall="INCONCLUSIVE", invalid=()), journal.folder)
    try:
        session.measure(root, journal)
    finally:
        analysis, told = conclude()
        write_verdict(analysis, told, journal.folder)
        if journal.run.records:
            click.echo(f"report: {write_report(journal.run, journal.folder)}", err=True)
        said = to_json(document(analysis, told)) if as_json else (journal.folder / MARKDOWN).read_bytes()
        click.echo(said)
    return told


def _concluded(
    journal: Journal, waivers: tuple[Waiver, ...], notes: tuple[str, ...]
) -> tuple[Analysis, Conclusion]:
    analysis = analyse(journal.run)
    events = tuple(event.what for event in journal.run.events)
    return analysis, concluded(analysis, waivers, (*events, *notes), today=datetime.now(UTC).date())
