"""`bench diff --base-url URL --head-url URL`: two servers that run already."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from bench.cli import judge
from bench.cli.judge import Judge
from bench.compare import running_servers
from bench.compare.diff import Selection
from bench.compare.running_servers import Servers
from bench.compare.verdict import Conclusion
from bench.errors import UsageError
from bench.project import plans, scenarios
from bench.project.addresses import address_of_url, is_loopback
from bench.project.waivers import Waiver, read_waivers
from bench.records import Run
from bench.run import execution
from bench.run.execution import Elsewhere
from bench.runtime import external
from bench.runtime.external import ExternalRuntime


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line requested."""

    base_url: str | None
    head_url: str | None
    scenarios: Path | None
    wanted: Selection
    out: Path | None
    as_json: bool
    unsettled_code: int


def check_alone(others: Mapping[str, object]) -> None:
    """Raise UsageError if one of the *others*, by what people write, is used: they are of revisions."""
    if used := [name for name, value in others.items() if value]:
        raise UsageError(
            f"{', '.join(used)}: of revisions that bench starts, but --base-url and --head-url compare "
            "servers that run already: leave one or the other out"
        )


def carried_out(options: Options) -> tuple[Judge, Conclusion, int]:
    """Compare the two servers, and print the verdict.

    Raises UsageError, or CannotMeasure if one of them is not there.
    """
    if not (options.base_url and options.head_url):
        raise UsageError("--base-url and --head-url go together: two servers are compared")
    compared = running_servers.servers(options.base_url, options.head_url)
    root = scenarios.find(Path.cwd())
    requested = running_servers.requests(root, options.scenarios)
    made = running_servers.planned(requested, compared, options.wanted)
    served = tuple(plans.scenarios(made, requested.scenarios).values())
    waivers = read_waivers(root or Path.cwd())
    external.check_listens(compared.base, "--base-url")
    external.check_listens(compared.head, "--head-url")
    away = _away(compared)
    with tempfile.TemporaryDirectory(prefix="bench-no-project-") as nowhere:
        # Without a project there is no content to identify: the folder may be anybody's home.
        begun = execution.begin_with(
            root or Path(nowhere), made, ExternalRuntime.name, compared.all, served, away=away
        )
    notes = tuple(running_servers.notes(compared, served, external.listeners(compared.all)))
    for note in notes:
        click.echo(note, err=True)
    return _measured(options, root or Path.cwd(), begun, away, notes, waivers=waivers)


def _measured(
    options: Options,
    root: Path,
    begun: Run,
    away: Elsewhere,
    notes: tuple[str, ...],
    *,
    waivers: tuple[Waiver, ...],
) -> tuple[Judge, Conclusion, int]:
    made = Judge(
        journal=execution.open_journal(begun, root / "results", options.out),
        waivers=waivers,
        notes=notes,
        as_json=options.as_json,
        unsettled_code=options.unsettled_code,
        plain=str,
    )
    return made, *judge.carried_out(root, made, away)


def _away(compared: Servers) -> Elsewhere:
    """Return that the servers are elsewhere if one of them is: then this machine only sends."""
    here = all(is_loopback(address_of_url(one.stack)) for one in compared.all)
    return Elsewhere() if here else Elsewhere(target=compared.base)
