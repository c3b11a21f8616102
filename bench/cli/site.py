"""The command `bench site`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bench.errors import BenchError, UsageError
from bench.site.check import Unfit, read

REFUSED = 1


@click.command()
@click.argument("runs", metavar="RUN…", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="where the site goes")
@click.option("--check", is_flag=True, help="only hold submissions to their form and their books")
@click.option(
    "--code", default="", metavar="URL", help="a link to code, with {commit} and {folder} to be filled in"
)
@click.pass_context
def site(ctx: click.Context, runs: tuple[Path, ...], out: Path | None, check: bool, code: str) -> None:
    """Make one static site of any number of runs: folders of runs, submissions, or folders of these.

    The site needs no server, and opens from a file. With --check nothing is written: every file is held to
    the format, and what it states is computed again from its rounds. Exit code 1 where one is refused.
    """
    now = datetime.now(UTC)
    if check:
        if out or code:
            raise UsageError("--check only checks: leave out --out and --code")
        if not runs:
            raise UsageError("no file to check: name submissions")
        if not _all_fit(runs, now):
            ctx.exit(REFUSED)
        return
    if not out:
        raise UsageError("name a folder for the site with --out")
    _build(runs, out, now, code)


def _build(runs: tuple[Path, ...], out: Path, now: datetime, code: str) -> None:
    # Imported here: the page's colours are those of charts, whose library takes a second to import.
    from bench.site.gathering import gather
    from bench.site.page import site_html
    from bench.site.publishing import publish

    gathering = gather(runs, Path.cwd(), now)
    for why in gathering.left_out:
        click.echo(f"left out: {why}", err=True)
    made = publish(gathering, out, site_html, now, code=code)
    click.echo(f"{len(made.runs)} runs, {len(made.machine_kinds)} kinds of machines", err=True)
    click.echo(out / "index.html")


def _all_fit(files: tuple[Path, ...], now: datetime) -> bool:
    """Report each of *files* in a line, or in one for each reason against it. Whether all fit."""
    known: dict[str, Path] = {}
    fit = True
    for file in files:
        try:
            one = read(file, now)
            if one.id in known:
                raise UsageError(f"{file}: {known[one.id]} has the same id")
            known[one.id] = file
            click.echo(f"{file}: fits: {len(one.cells)} cells, {one.plan.name}, {one.started_at[:10]}")
        except Unfit as error:
            fit = False
            for reason in error.reasons:
                click.echo(f"{file}: {reason}", err=True)
        except BenchError as error:
            fit = False
            click.echo(str(error), err=True)
    return fit
