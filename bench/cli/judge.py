"""The verdict of a diff while it is measured: written at its beginning, printed at its end."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.analysis import Analysis, analyse
from bench.cli import wiring
from bench.compare.explain import (
    calls_wanted,
    explain,
    explain_calls,
    explain_instructions,
    grown,
    regressions,
)
from bench.compare.explained_report import Explanation, Why
from bench.compare.upgrade_move import UpgradeMove
from bench.compare.verdict import Conclusion, concluded, is_empty
from bench.compare.verdict_report import MARKDOWN, document, write_verdict
from bench.errors import BenchError, Broken, CannotMeasure
from bench.files import to_json
from bench.load.driver import Workers
from bench.profile.pyspy import PySpy
from bench.project.waivers import Waiver
from bench.records import Event
from bench.report.report_files import write_report
from bench.run import execution, progress
from bench.run.execution import Elsewhere
from bench.run.store import Journal

INCONCLUSIVE, INTERRUPTED = 4, 130
RATE_HZ = 200  # of --explain: nine seconds each of base and head must suffice


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Draws conclusions from a journal, finished or not, and prints them."""

    journal: Journal
    waivers: tuple[Waiver, ...]
    notes: tuple[str, ...]
    as_json: bool
    unsettled_code: int  # the exit code if not all is settled
    plain: Callable[[str], str]  # names files of the trees as git does
    moved: tuple[UpgradeMove, ...] = ()  # by an upgrade
    insists: bool = False  # on a count of instructions

    def conclude(self) -> tuple[Analysis, Conclusion]:
        analysis = analyse(self.journal.run)
        known = analysis.invalid or ""
        happened = (format_event(event) for event in self.journal.run.events if event.what not in known)
        events = tuple(map(self.plain, happened))
        today = datetime.now(UTC).date()
        conclusion = concluded(analysis, self.waivers, (*events, *self.notes), today=today)
        return analysis, replace(conclusion, moved=self.moved)

    def write(self, stopped: int | None = None, explained: Why = None) -> tuple[Analysis, Conclusion, int]:
        """Write the verdict. Return it with the exit code, which is *stopped* if that is given."""
        analysis, conclusion = self.conclude()
        unsettled = conclusion.overall == "INCONCLUSIVE" and not is_empty(self.journal.run)
        settled = self.unsettled_code if unsettled else conclusion.exit_code
        if self.is_uncounted and not settled:
            settled = CannotMeasure.exit_code
        code = settled if stopped is None else stopped
        write_verdict(analysis, conclusion, self.journal.folder, code, explained)
        return analysis, conclusion, code

    @property
    def is_uncounted(self) -> bool:
        """Whether a count was insisted on, and there is none."""
        run = self.journal.run
        return self.insists and not is_empty(run) and not any(one.windows for one in run.instructions)

    def say(self, stopped: int | None = None, explained: Why = None) -> tuple[Conclusion, int]:
        analysis, conclusion, code = self.write(stopped, explained)
        if self.journal.run.records:
            click.echo(f"report: {write_report(self.journal.run, self.journal.folder)}", err=True)
        text = (self.journal.folder / MARKDOWN).read_bytes()
        click.echo(to_json(document(analysis, conclusion, code, explained)) if self.as_json else text)
        return conclusion, code


def format_event(event: Event) -> str:
    return f"{event.contender}: {event.what}" if event.contender else event.what


def carried_out(
    root: Path, judge: Judge, away: Elsewhere, *, explains: bool = False
) -> tuple[Conclusion, int]:
    """Measure, and conclude from the records even if the run fails or is interrupted.

    A verdict is written at the beginning. If the process is killed, the file shows that nothing is settled.
    """
    analysis, conclusion = judge.conclude()
    begun = replace(conclusion, overall="INCONCLUSIVE", invalid=())
    write_verdict(analysis, begun, judge.journal.folder, judge.unsettled_code)
    try:
        execution.measure(root, judge.journal, wiring.opened, away, plain=judge.plain)
    except BenchError as error:
        judge.say(error.exit_code)
        raise
    except KeyboardInterrupt:
        judge.say(INTERRUPTED)
        raise
    return judge.say(explained=_explained(root, judge)) if explains else judge.say()


def _explained(root: Path, judge: Judge) -> tuple[Explanation, ...]:
    """Profile what got slower, and count its calls. A failure is reported, and the verdict stays."""
    _, conclusion, _ = judge.write()  # it is there even if what follows is killed
    run, logs = judge.journal.run, judge.journal.folder / "logs-explained"
    slower, counted = regressions(conclusion), calls_wanted(run, conclusion)
    executed = grown(run, conclusion)
    found: list[Explanation] = []
    try:
        if slower or counted or executed:
            with (
                progress.shown() as shown,
                wiring.opened(root, logs, shown, workers=Workers(), runtime=run.runtime) as opened,
            ):
                try:
                    found.extend(explain(run, slower, opened, PySpy(rate_hz=RATE_HZ)))
                except CannotMeasure as error:
                    click.echo(f"not explained by profiles: {error}", err=True)
                found.extend(explain_instructions(run, *one, opened) for one in executed)
                found.extend(explain_calls(run, *one, opened) for one in counted)
    except CannotMeasure as error:
        click.echo(f"not explained: {error}", err=True)
    return tuple(found)


def finish(ctx: click.Context, judge: Judge, conclusion: Conclusion, code: int) -> None:
    """End the command with *code*. Raises Broken or CannotMeasure, with the reason, where that is it."""
    if conclusion.overall == "BROKEN":
        raise Broken(f"{'; '.join(one.in_contrast for one in conclusion.broken)}: see {judge.journal.folder}")
    if conclusion.overall == "INVALID":
        raise CannotMeasure(f"not valid: {'; '.join(conclusion.invalid)}: see {judge.journal.folder}")
    if judge.is_uncounted and code == CannotMeasure.exit_code:
        whys = "; ".join(dict.fromkeys(one.why for one in judge.journal.run.instructions if one.why))
        why = whys or "no contender and scenario had a basis"
        raise CannotMeasure(f"instructions were not counted: {why}: see {judge.journal.folder}")
    ctx.exit(code)
