"""The command `bench init`."""

from pathlib import Path

import click

from bench.cli import try_
from bench.cli.wiring import AUTO
from bench.errors import CannotMeasure, UsageError
from bench.init import bench_toml, found_service, remedies, source
from bench.init.checkout import checkout
from bench.init.scenarios_file import table, written
from bench.project import contenders, scenarios
from bench.project.bench_file import NAME, declares
from bench.records import Try


@click.command()
@click.option(
    "--from",
    "given",
    metavar="FILE|URL",
    help="an OpenAPI document, a HAR, an access log or a locustfile, whose requests become scenarios",
)
@click.option("--host", metavar="HOST", help="of a HAR: the host to take; the most frequent by default")
@click.option(
    "--url",
    metavar="URL",
    help="where the app runs now: scenarios come from its /openapi.json, not its source",
)
@click.option("--check", is_flag=True, help="start what bench.toml has, and request each exchange once")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="write there, not to bench.toml or stdout"
)
def init(given: str | None, host: str | None, url: str | None, check: bool, out: Path | None) -> None:
    """Look at the checkout in this folder and write bench.toml with first scenarios.

    Nothing of the project is executed before --check. What was found, guessed and not found goes to stderr.
    With --from, turn what you already have into scenarios, which go to stdout or to --out.
    """
    if given is not None:
        if check or url:
            raise UsageError(f"--from makes scenarios only: leave {'--check' if check else '--url'} out")
        write_scenarios(given, host, out)
        return
    if host is not None:
        raise UsageError("--host belongs to --from: leave it out")
    if check and out:
        raise UsageError(f"--check is of {NAME}: leave --out out")
    root = Path.cwd()
    if not (check and declares(root)):
        write_bench_file(root, url, out or root / NAME)
    if check:
        _check(root)


def write_bench_file(root: Path, url: str | None, out: Path) -> None:
    """Write what the files of *root* show. Raises UsageError if *out* is there already."""
    if out.exists():
        raise UsageError(
            f"{out}: it is there already and stays as it is: use --out FILE, or --check to try it"
        )
    if out.name == NAME and declares(root):
        raise UsageError(f"{root / 'pyproject.toml'} has [tool.bench] with contenders: use --out FILE")
    services = found_service.found(checkout(root))
    proposal = source.proposal(f"{url.rstrip('/')}/openapi.json") if url else None
    text = bench_toml.written(services, proposal)
    for one in services:
        for line in found_service.summary(one):
            click.echo(line, err=True)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}: name another file with --out") from error
    click.echo(f"written: {out}; `bench init --check` requests each exchange once", err=True)


def _check(root: Path) -> None:
    tables = contenders.declared(root)
    everyone = [contenders.resolve(name, tables) for name in tables]
    found = try_.of_contenders(root, everyone, list(scenarios.declared(root).values()), AUTO, _show)
    wrong = [one for one in found if one.wrong]
    if wrong:
        raise CannotMeasure(f"{len(wrong)} of {len(found)} answers are not what is expected: change {NAME}")
    if not found:
        raise CannotMeasure("nothing was requested: no contender that can be served serves these scenarios")
    click.echo(f"all {len(found)} answers are as expected: `bench run quick` measures", err=True)


def _show(one: Try) -> None:
    click.echo(remedies.line(one))
    if one.wrong and (remedy := remedies.remedy(one)):
        click.echo(f"       {remedy}")


def write_scenarios(given: str, host: str | None, out: Path | None) -> None:
    if out and out.exists():
        raise UsageError(f"--out {out}: it is there already: name a new file")
    proposal = source.proposal(given, host)
    for line in table(proposal):
        click.echo(line, err=True)
    if out is None:
        click.echo(written(proposal), nl=False)
        return
    try:
        out.write_text(written(proposal), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}: name another file") from error
    click.echo(f"written: {out}; `bench try` requests each exchange once", err=True)
