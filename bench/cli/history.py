"""The command `bench history`."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from bench.compare import commits
from bench.compare.bisection import Commit
from bench.compare.change_issue import Issue, issue_of, read_known
from bench.compare.change_points import ChangePoint, Changes, changes_in, since
from bench.compare.change_points_report import changes_document, print_changes
from bench.compare.entries import Entries, entries, keep
from bench.compare.history import Trend, trends
from bench.errors import UsageError
from bench.files import to_json, write_atomically
from bench.project import contenders

WORSE = 1
SHORTEST_COMMIT = 4


@click.command()
@click.argument("runs", metavar="RUNS…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--keep", "history_folder", type=click.Path(path_type=Path), metavar="DIR", help="keep these runs there"
)
@click.option("--out", type=click.Path(path_type=Path), help="for the charts, instead of results/history")
@click.option("--json", "as_json", is_flag=True, help="for machines; draws nothing")
@click.option(
    "--since",
    "run",
    metavar="RUN",
    help="a run, its entry or its commit: exit code 1 where a later run showed that something got worse",
)
@click.option(
    "--issue",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="write there, as JSON, what to do with the issue about what got worse: action, title, body",
)
@click.option(
    "--known",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="issues that are there: what `gh issue list --json number,state,body` prints",
)
@click.pass_context
def history(
    ctx: click.Context,
    runs: tuple[Path, ...],
    history_folder: Path | None,
    out: Path | None,
    as_json: bool,
    run: str | None,
    issue: Path | None,
    known: Path | None,
) -> None:
    """Draw what became of every contender over RUNS, and where it changed.

    RUNS are folders of runs, or of what --keep left.
    """
    if history_folder:
        if run or as_json or issue:
            raise UsageError(
                "--keep only keeps: leave out --since, --json and --issue, or call it again without --keep"
            )
        for one in runs:
            click.echo(keep(one, history_folder))
        return
    if known and not issue:
        raise UsageError("--known is for --issue: name the file to write with it")
    now = datetime.now(UTC)
    read = entries(runs, now)
    for why in read.left_out:
        click.echo(f"left out: {why}", err=True)
    begun = _begun(run, read, now) if run else None
    there = read_known(known) if known else ()
    found = trends(read.runs)
    changes = changes_in(found)
    if as_json:
        click.echo(json.dumps(changes_document(read, found, changes), indent=1, allow_nan=False))
    else:
        _show(found, changes, out)
    if issue:
        _write(issue, issue_of(changes.points, there, _between))
    if begun and (worse := [point for point in since(changes.points, begun) if point.worse]):
        click.echo(_told(worse, run), err=True)
        ctx.exit(WORSE)


def _show(found: tuple[Trend, ...], changes: Changes, out: Path | None) -> None:
    # Imported here: Matplotlib takes a second, and no other command should wait for it.
    from bench.compare.history_report import print_trends, write_trend_charts

    console = Console()
    print_trends(found, console)
    print_changes(changes, found, console)
    try:
        folder = out or contenders.find_project(Path.cwd()) / "results" / "history"
    except UsageError as error:
        raise UsageError(f"{error}; or name a folder for the charts with --out") from error
    for file in write_trend_charts(found, changes.points, folder):
        click.echo(f"chart: {file}", err=True)


def _write(file: Path, issue: Issue) -> None:
    try:
        write_atomically(file, to_json(issue))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}: name another file with --issue") from error
    number = f" {issue.number}" if issue.number else ""
    click.echo(f"issue: {issue.action}{number}: {file}", err=True)


def _between(after: str, by: str) -> tuple[Commit, ...]:
    return commits.between(contenders.find_project(Path.cwd()), after, by, all_parents=False)


def _begun(run: str, read: Entries, now: datetime) -> datetime:
    """Return when *run* began: a folder of a run, an entry, or the last run of a commit."""
    if Path(run).exists():
        named = entries([Path(run)], now).runs
        known = {one.identity for one in read.runs}
        begun = [one.started_at for one in named if one.identity in known]
        missing = f"{run} is not among the runs"
    else:
        long_enough = len(run) >= SHORTEST_COMMIT
        begun = [one.started_at for one in read.runs if long_enough and one.commit.startswith(run)]
        missing = f"{run} is no file, and no run is of such a commit"
    if not begun:
        raise UsageError(
            f"--since: {missing}: name one of RUNS, its entry, or {SHORTEST_COMMIT} letters of its commit"
        )
    return max(begun)


def _told(worse: list[ChangePoint], run: str | None) -> str:
    names = sorted({f"{point.track.contender} in {point.track.scenario}" for point in worse})
    return f"worse since {run}: {', '.join(names)}"
