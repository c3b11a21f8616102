"""The command `bench diff`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.analysis import Analysis, analyse
from bench.cli import wiring
from bench.cli.options import RUNTIMES, Duration, machines_turn, say_runtime, wait_option
from bench.compare import diff as revisions
from bench.compare import verdict_report
from bench.compare.checkouts import Sides, laid_out
from bench.compare.explain import explain, regressions
from bench.compare.verdict import Conclusion, concluded, is_empty
from bench.compare.verdict_report import MARKDOWN, Why, document, write_verdict
from bench.errors import BenchError, Broken, CannotMeasure
from bench.files import to_json
from bench.load.driver import Workers
from bench.model import Plan
from bench.profile.layers import Explained
from bench.profile.pyspy import PySpy
from bench.project import contenders
from bench.project.waivers import Waiver, read_waivers
from bench.records import Event
from bench.report.page import write_report
from bench.run import execution, progress
from bench.run.store import Journal

INCONCLUSIVE, INTERRUPTED = 4, 130
RATE_HZ = 200  # of --explain: nine seconds each of base and head must suffice


@click.command()
@click.argument("base")
@click.argument("head", required=False)
@click.option("--contender", "only", multiple=True, metavar="NAME", help="only this one, changed or not")
@click.option("--scenario", "only_scenarios", multiple=True, metavar="NAME", help="only this scenario")
@click.option(
    "--budget",
    type=Duration(),
    default="10m",
    show_default=True,
    help="about how long to measure: fewer sweeps, then six rounds where nine do not fit",
)
@click.option(
    "--aa", type=click.Choice(["one", "all"]), default="one", show_default=True, help="base against itself"
)
@click.option(
    "--explain", "explains", is_flag=True, help="profile what got slower: which layer and functions"
)
@click.option("--all", "unchanged", is_flag=True, help="compare contenders that did not change as well")
@click.option("--runtime", type=RUNTIMES, default=wiring.AUTO, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="the run's folder, instead of one in results/")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option(
    "--fail-on-inconclusive", is_flag=True, help=f"exit code {INCONCLUSIVE} where not all is settled"
)
@wait_option
@click.pass_context
def diff(
    ctx: click.Context,
    base: str,
    head: str | None,
    only: tuple[str, ...],
    only_scenarios: tuple[str, ...],
    budget: float,
    aa: revisions.Twins,
    explains: bool,
    unchanged: bool,
    runtime: str,
    out: Path | None,
    as_json: bool,
    fail_on_inconclusive: bool,
    wait: float | None,
) -> None:
    """Say what HEAD (the working tree by default) made slower or faster than BASE, both measured in one run.

    Exit code 1 where something regressed (got slower by more than its margin, or does more for a request), or
    broke: the head answers wrongly, or does not start, where the base does.
    """
    root = contenders.find_project(Path.cwd())
    wanted = revisions.Selection(
        contenders=only, scenarios=only_scenarios, unchanged=unchanged, twins=aa, budget_s=budget
    )
    waivers = read_waivers(root)
    with machines_turn(wait), laid_out(root, base, head) as sides:
        made, notes = revisions.planned(sides, wanted)
        for note in notes:
            click.echo(note, err=True)
        if not made.blocks:
            _nothing(sides, made, notes, out, as_json)
            return
        where, why = wiring.chosen(runtime, root)
        say_runtime(where, why)
        run = execution.begin_with(
            root, made, where, revisions.served(sides, made), revisions.requested_scenarios(sides, made)
        )
        journal = execution.open_journal(run, root / "results", out)
        unsettled = INCONCLUSIVE if fail_on_inconclusive else 0
        judge = _Judge(
            journal=journal,
            waivers=waivers,
            notes=notes,
            as_json=as_json,
            unsettled_code=unsettled,
            plain=sides.plain,
        )
        conclusion, code = _carried_out(root, judge, explains=explains)
    if conclusion.overall == "BROKEN":
        raise Broken(f"{'; '.join(one.in_contrast for one in conclusion.broken)}: see {journal.folder}")
    if conclusion.overall == "INVALID":
        raise CannotMeasure(f"not valid: {'; '.join(conclusion.invalid)}: see {journal.folder}")
    ctx.exit(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Draws conclusions from a journal, finished or not, and prints them."""

    journal: Journal
    waivers: tuple[Waiver, ...]
    notes: tuple[str, ...]
    as_json: bool
    unsettled_code: int  # the exit code if not all is settled
    plain: Callable[[str], str]  # names files of the trees as git does

    def conclude(self) -> tuple[Analysis, Conclusion]:
        analysis = analyse(self.journal.run)
        known = analysis.invalid or ""
        happened = (format_event(event) for event in self.journal.run.events if event.what not in known)
        events = tuple(map(self.plain, happened))
        today = datetime.now(UTC).date()
        return analysis, concluded(analysis, self.waivers, (*events, *self.notes), today=today)

    def write(self, stopped: int | None = None, explained: Why = None) -> tuple[Analysis, Conclusion, int]:
        """Write the verdict. Return it with the exit code, which is *stopped* if that is given."""
        analysis, conclusion = self.conclude()
        unsettled = conclusion.overall == "INCONCLUSIVE" and not is_empty(self.journal.run)
        settled = self.unsettled_code if unsettled else conclusion.exit_code
        code = settled if stopped is None else stopped
        write_verdict(analysis, conclusion, self.journal.folder, code, explained)
        return analysis, conclusion, code

    def say(self, stopped: int | None = None, explained: Why = None) -> tuple[Conclusion, int]:
        analysis, conclusion, code = self.write(stopped, explained)
        if self.journal.run.records:
            click.echo(f"report: {write_report(self.journal.run, self.journal.folder)}", err=True)
        text = (self.journal.folder / MARKDOWN).read_bytes()
        click.echo(to_json(document(analysis, conclusion, code, explained)) if self.as_json else text)
        return conclusion, code


def format_event(event: Event) -> str:
    return f"{event.contender}: {event.what}" if event.contender else event.what


def _carried_out(root: Path, judge: _Judge, *, explains: bool) -> tuple[Conclusion, int]:
    """Measure, and conclude from the records even if the run fails or is interrupted.

    A verdict is written at the beginning. If the process is killed, the file shows that nothing is settled.
    """
    analysis, conclusion = judge.conclude()
    begun = replace(conclusion, overall="INCONCLUSIVE", invalid=())
    write_verdict(analysis, begun, judge.journal.folder, judge.unsettled_code)
    try:
        execution.measure(root, judge.journal, wiring.opened, plain=judge.plain)
    except BenchError as error:
        judge.say(error.exit_code)
        raise
    except KeyboardInterrupt:
        judge.say(INTERRUPTED)
        raise
    return judge.say(explained=_explained(root, judge)) if explains else judge.say()


def _explained(root: Path, judge: _Judge) -> tuple[Explained, ...]:
    """Profile what got slower. A failure of the profiler is reported, and the verdict stays."""
    _, conclusion, _ = judge.write()  # it is there even if what follows is killed
    slower = regressions(conclusion)
    run, logs = judge.journal.run, judge.journal.folder / "logs-explained"
    found: list[Explained] = []
    try:
        if slower:
            with (
                progress.shown() as shown,
                wiring.opened(root, logs, shown, workers=Workers(), runtime=run.runtime) as opened,
            ):
                found.extend(explain(run, slower, opened, PySpy(rate_hz=RATE_HZ)))
    except CannotMeasure as error:
        click.echo(f"not explained: {error}", err=True)
    return tuple(found)


def _nothing(sides: Sides, made: Plan, notes: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    word, why = revisions.why_nothing(sides, made)
    left_out = revisions.left_out(sides, made)
    document = verdict_report.uncompared_document(word, sides.base.label, why, left_out, notes)
    text = verdict_report.uncompared_text(word, why, left_out, notes)
    if out:
        verdict_report.write_uncompared(out, text, document)
    click.echo(to_json(document) if as_json else text)
