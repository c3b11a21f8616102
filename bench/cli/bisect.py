"""The command `bench bisect`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from bench.cli import wiring
from bench.cli.judge import INCONCLUSIVE, RATE_HZ
from bench.cli.options import RUNTIMES, Duration, machines_turn, say_runtime, wait_option
from bench.compare import bisect_report, commits
from bench.compare.bisect import FILE, BisectOptions, BisectStep, Ended, Search, keep, searched, taken_up
from bench.compare.bisect_runs import Compared, Runs
from bench.compare.bisect_target import APART, FOLLOWED, Followed, chosen, metric_of
from bench.compare.bisection import BisectAnswer, Upcoming, steps_for
from bench.compare.changes import lacks_counts
from bench.compare.checkouts import commit_of
from bench.compare.explain import alone_in, explain_calls, explain_instructions, explain_time
from bench.compare.explained_report import Explanation
from bench.compare.verdict import AnyChange, place
from bench.errors import CannotMeasure, UsageError
from bench.files import to_json, working_folder, write_atomically
from bench.load.driver import Workers
from bench.profile.pyspy import PySpy
from bench.project import contenders
from bench.run import progress
from bench.run.store import folder_name

FOUND = 1
LOG, MARKDOWN, JSON = "bisect.log", "bisect.md", "result.json"


@click.command()
@click.argument("good", required=False)
@click.argument("bad", required=False)
@click.option("--contender", metavar="NAME", help="follow this one, changed or not")
@click.option("--scenario", metavar="NAME", help="follow it in this scenario")
@click.option(
    "--metric",
    type=click.Choice(FOLLOWED),
    help="what to follow: by default what counts show, else response bytes and time",
)
@click.option("--all-parents", is_flag=True, help="search commits that were merged too, as git does")
@click.option(
    "--budget",
    type=Duration(),
    default="10m",
    show_default=True,
    help="about how long to time GOOD and BAD, where counts do not tell them apart",
)
@click.option("--runtime", type=RUNTIMES, default=wiring.AUTO, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="the folder, instead of one in results/")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="go on with a bisect that was stopped",
)
@click.option("--explain", "explains", is_flag=True, help="say where the commit takes more: a minute or two")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@wait_option
@click.pass_context
def bisect(
    ctx: click.Context,
    good: str | None,
    bad: str | None,
    contender: str | None,
    scenario: str | None,
    metric: Followed | None,
    all_parents: bool,
    budget: float,
    runtime: str,
    out: Path | None,
    resume: Path | None,
    explains: bool,
    as_json: bool,
    wait: float | None,
) -> None:
    """Find the commit after GOOD, up to BAD, that made something slower.

    It begins with GOOD beside BAD. Where BAD is not slower it ends there. Commits that cannot be built,
    served or checked are skipped. Your checkout is only read.

    Exit code 1 where the commit was found, 4 where skipped commits hide it.
    """
    root = contenders.find_project(Path.cwd())
    if resume:
        requested = ctx.params.keys() - {"resume", "explains", "as_json", "wait"}
        if any(ctx.get_parameter_source(one) is ParameterSource.COMMANDLINE for one in requested):
            raise UsageError(
                "--resume goes on with what was requested: leave out all but --explain, --json and --wait"
            )
        folder, search = resume, taken_up(resume)
        known(root, search)
    else:
        if good is None or bad is None:
            raise click.UsageError("name GOOD and BAD: two revisions, the older one first", ctx)
        every = commits.between(root, good, bad, all_parents=all_parents)
        where, why = wiring.chosen(runtime, root)
        if metric == "instructions" and (lack := wiring.uncounted(where)):
            raise CannotMeasure(f"instructions cannot be counted: {lack}")
        say_runtime(where, why)
        wanted = BisectOptions(
            good=commit_of(root, good),
            bad=every[-1].sha,
            contender=contender,
            scenario=scenario,
            metric=metric,
            all_parents=all_parents,
            budget_s=budget,
            runtime=where,
        )
        search = Search(wanted=wanted, commits=every)
        folder = new_folder(root, search, out)
        keep(search, folder)
    runs = Runs(root=root, folder=folder, opened_by=wiring.opened, turn=lambda: machines_turn(wait))
    try:
        carried_out(ctx, runs, search, as_json, explains=explains)
    except (KeyboardInterrupt, CannotMeasure):
        click.echo(f"bench: what is known is kept: go on with `bench bisect --resume {folder}`", err=True)
        raise


def new_folder(root: Path, search: Search, out: Path | None) -> Path:
    """Make the folder of a search. Raises UsageError if it cannot be made, or holds one already."""
    name = folder_name(datetime.now(UTC), "bisect", search.wanted.bad, dirty=False)
    folder = (out or working_folder(root / "results") / name).resolve()
    if (folder / FILE).exists():
        raise UsageError(f"{folder} already holds a bisect: name another folder, or go on with --resume")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}: name another folder with --out") from error
    return folder


def known(root: Path, search: Search) -> None:
    """Raise UsageError if the history of *search* is not that of the project at *root*."""
    wanted = search.wanted
    now = commits.between(root, wanted.good, wanted.bad, all_parents=wanted.all_parents)
    if [one.sha for one in now] != [one.sha for one in search.commits]:
        raise UsageError("the history between GOOD and BAD is another one now: start `bench bisect` again")


def carried_out(ctx: click.Context, runs: Runs, search: Search, as_json: bool, *, explains: bool) -> None:
    if search.ended:
        ended(ctx, runs.folder, search, search.ended, as_json)
    if search.target is None:
        search = compared(ctx, runs, search, as_json)
        kept(runs.folder, search)
    assert search.target
    click.echo(f"following {bisect_report.followed(search.target)}", err=True)
    now = search.now
    if isinstance(now, Upcoming):
        click.echo(f"{now.suspects} commits, about {steps_for(now.suspects)} steps", err=True)
    search, answer = searched(search, partial(runs.measure, search), partial(kept, runs.folder), said)
    code = FOUND if answer.culprit else INCONCLUSIVE
    kept(runs.folder, search)
    click.echo(f"log: {runs.folder / LOG}", err=True)
    why = explained(runs, search, answer) if explains else None
    document = bisect_report.document(search, answer, code, why)
    told(ctx, runs.folder, bisect_report.text(search, answer, why), document, as_json)


def explained(runs: Runs, search: Search, answer: BisectAnswer) -> tuple[Explanation, ...]:
    """Return where the culprit takes more than the commit before it. A failure is named: the answer stays."""
    target, logs = search.target, runs.folder / "logs-explained"
    assert target
    found: list[Explanation] = []
    try:
        with (
            runs.culprit(search, answer) as run,
            progress.shown() as shown,
            wiring.opened(runs.root, logs, shown, workers=Workers(), runtime=run.runtime) as lab,
        ):
            (scenario,) = run.scenarios
            if target.metric == "time" and target.load:
                profiler = PySpy(rate_hz=RATE_HZ)
                found.append(explain_time(run, target.contender, scenario, target.load, lab, profiler))
            if target.metric == "instructions":
                found.append(explain_instructions(run, target.contender, scenario, lab))
            called = alone_in(run.scenarios)[target.of] if target.metric == "statements" else scenario
            found.append(explain_calls(run, target.contender, called, lab))
    except (CannotMeasure, UsageError) as error:
        click.echo(f"not explained: {error}", err=True)
    return tuple(found)


def told(ctx: click.Context, folder: Path, text: str, document: Mapping[str, Any], as_json: bool) -> NoReturn:
    """Show the result, also in files of *folder*, and end with its exit code."""
    found = to_json(document)
    write_atomically(folder / MARKDOWN, text.encode())
    write_atomically(folder / JSON, found)
    click.echo(found if as_json else text.rstrip())
    ctx.exit(document["exit_code"])


def kept(folder: Path, search: Search) -> None:
    keep(search, folder)
    write_atomically(folder / LOG, bisect_report.log(search).encode())


def said(search: Search, step: BisectStep) -> None:
    click.echo(bisect_report.step_line(search, step), err=True)


def compared(ctx: click.Context, runs: Runs, search: Search, as_json: bool) -> Search:
    """Compare GOOD with BAD, by counts first. Return the search with its target.

    Without one the command ends here: with the reason, and the exit code of a diff.
    """
    wanted = search.wanted
    stages: list[tuple[Followed, ...]] = (
        [(wanted.metric,)] if wanted.metric else [APART, ("response_bytes", "time")]
    )
    for number, metrics in enumerate(stages):
        if number:
            click.echo("counts do not tell GOOD from BAD: both are timed", err=True)
        found = runs.compared(wanted, metrics)
        for note in found.notes if not number else ():
            click.echo(note, err=True)
        if found.run is None or found.conclusion is None:
            word, why = found.nothing
            code = 0 if word == "EQUIVALENT" else INCONCLUSIVE
            ended(ctx, runs.folder, search, Ended(word=word, why=why, exit_code=code), as_json)
        if found.conclusion.overall in ("INVALID", "BROKEN"):
            raise CannotMeasure(f"GOOD and BAD could not be compared: {_why(found)}")
        target, others = chosen(found.run, found.conclusion, metrics)
        if target:
            return replace(search, target=target, others=others, compared_in=found.folder)
    ended(ctx, runs.folder, search, unregressed(found, metrics), as_json)


def unregressed(found: Compared, metrics: tuple[Followed, ...]) -> Ended:
    """Return the end where BAD is not proven worse in *metrics*."""
    assert found.conclusion
    changes: tuple[AnyChange, ...] = (*found.conclusion.times, *found.conclusion.counts)
    judged = [one for one in changes if metric_of(one) in metrics]
    doubts = [one for one in judged if one.verdict in ("inconclusive", "invalid")]
    assert found.run
    if not judged or doubts or ("instructions" in metrics and lacks_counts(found.run)):
        whys = [f"{', '.join(place(one))}: {one.why or 'neither slower nor equivalent'}" for one in doubts]
        notes = "; ".join([*whys, *(found.conclusion.notes if not doubts else ())]) or "nothing was counted"
        why = f"BAD is not proven slower than GOOD: {notes}"
        return Ended(word="INCONCLUSIVE", why=why, exit_code=INCONCLUSIVE)
    beside = [", ".join(place(one)) for one in found.conclusion.regressed]
    more = f". What did grow is not followed here: {'; '.join(beside)}" if beside else ""
    word = "IMPROVED" if any(one.verdict == "faster" for one in judged) else "EQUIVALENT"
    why = f"BAD is not slower than GOOD: there is nothing to search for{more}"
    return Ended(word=word, why=why, exit_code=0)


def ended(ctx: click.Context, folder: Path, search: Search, end: Ended, as_json: bool) -> NoReturn:
    kept(folder, replace(search, ended=end))
    document = bisect_report.ended_document(search, end)
    told(ctx, folder, bisect_report.ended_text(end), document, as_json)


def _why(found: Compared) -> str:
    assert found.conclusion
    return "; ".join([*map(str, found.conclusion.broken), *found.conclusion.invalid]) or "no verdict"
