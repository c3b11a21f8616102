"""The command `bench init`."""

from pathlib import Path

import click

from bench.errors import UsageError
from bench.init import source
from bench.init.scenarios_file import table, written


@click.command()
@click.option(
    "--from",
    "given",
    metavar="FILE|URL",
    help="an OpenAPI document, a HAR, an access log or a locustfile, whose requests become scenarios",
)
@click.option("--host", metavar="HOST", help="of a HAR: the host to take; the most frequent by default")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="write there, not to stdout")
def init(given: str | None, host: str | None, out: Path | None) -> None:
    """Turn what you already have into scenarios: exchanges, and a mix by their frequency.

    The scenarios go to stdout or to --out. What was guessed or left out goes to stderr.
    """
    if given is None:
        raise UsageError(f"bench init needs --from: give {source.KNOWN}")
    write_scenarios(given, host, out)


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
