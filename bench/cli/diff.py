"""The command `bench diff`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from bench.cli import diff_servers, wiring
from bench.cli.judge import INCONCLUSIVE, Judge, carried_out, finish
from bench.cli.options import RUNTIMES, Duration, Percent, machines_turn, say_runtime, wait_option
from bench.compare import diff as revisions
from bench.compare import upgrade, verdict_report
from bench.compare.sides import Sides, laid_out
from bench.errors import CannotMeasure, UsageError
from bench.files import to_json
from bench.project import contenders
from bench.project.waivers import read_waivers
from bench.run import execution
from bench.runtime.compose import ComposeRuntime
from bench.runtime.process import ProcessRuntime

NOT_COUNTED = (
    "instructions are not counted in containers unless --count says so: images with valgrind are built for it"
)


@click.command()
@click.argument("base", required=False)
@click.argument("head", required=False)
@click.option("--contender", "only", multiple=True, metavar="NAME", help="only this one, changed or not")
@click.option(
    "--upgrade",
    "packages",
    multiple=True,
    metavar="PACKAGE",
    help="head is the base with this one upgraded: django==6.1.*",
)
@click.option("--python", metavar="VERSION", help="head is the base on this Python: 3.14")
@click.option("--base-url", metavar="URL", help="a server that runs already, in place of BASE")
@click.option("--head-url", metavar="URL", help="the server to compare with it, in place of HEAD")
@click.option(
    "--scenarios",
    "scenarios_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="what to request of these two, instead of the project's scenarios",
)
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
@click.option(
    "--count/--no-count",
    "counts",
    default=None,
    help="count instructions too: by default where it can be done",
)
@click.option("--only-count", is_flag=True, help="measure no time: a verdict by counts, in a minute")
@click.option(
    "--margin",
    type=Percent(),
    metavar="PERCENT",
    help="of instructions  [default: 0.5]",
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
    base: str | None,
    head: str | None,
    base_url: str | None,
    head_url: str | None,
    scenarios_file: Path | None,
    only: tuple[str, ...],
    packages: tuple[str, ...],
    python: str | None,
    only_scenarios: tuple[str, ...],
    budget: float,
    aa: revisions.Twins,
    explains: bool,
    counts: bool | None,
    only_count: bool,
    margin: float | None,
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

    With --upgrade or --python, HEAD is BASE (the working tree by default) with that one thing changed.

    With --base-url and --head-url it compares two servers that run already.
    """
    unsettled = INCONCLUSIVE if fail_on_inconclusive else 0
    if any(one is not None for one in (base_url, head_url, scenarios_file)):
        diff_servers.check_alone(
            {
                "BASE": base,
                "--contender": only,
                "--upgrade": packages,
                "--python": python,
                "--runtime": runtime != wiring.AUTO,
                "--all": unchanged,
                "--explain": explains,
                "--count": counts,
                "--only-count": only_count,
                "--margin": margin,
            }
        )
        options = diff_servers.Options(
            base_url=base_url,
            head_url=head_url,
            scenarios=scenarios_file,
            wanted=revisions.Selection(scenarios=only_scenarios, twins=aa, budget_s=budget),
            out=out,
            as_json=as_json,
            unsettled_code=unsettled,
        )
        with machines_turn(wait):
            judge, conclusion, code = diff_servers.carried_out(options)
        finish(ctx, judge, conclusion, code)
    asked = upgrade.change(packages, python) if packages or python else None
    if base is None and asked is None:
        raise click.UsageError("Missing argument 'BASE', or --upgrade, or --base-url and --head-url", ctx)
    if head is not None and asked is not None:
        raise click.UsageError("--upgrade and --python make the head of the base: leave HEAD out", ctx)
    root = contenders.find_project(Path.cwd())
    if only_count and counts is False:
        raise click.UsageError(
            "--only-count without counting measures nothing: leave one of the two out", ctx
        )
    where, why = _runtime(runtime, root, asked, only_count=only_count)
    is_left_out = where == ComposeRuntime.name and counts is None and not only_count
    wanted = revisions.Selection(
        contenders=only,
        scenarios=only_scenarios,
        unchanged=unchanged,
        twins=aa,
        budget_s=budget,
        count=counts is not False and not is_left_out,
        timed=not only_count,
        margins={} if margin is None else {"instructions": margin / 100},
    )
    waivers = read_waivers(root)
    with machines_turn(wait), _sides(root, base, head, wanted, asked) as (sides, wanted):
        if asked is not None and not wanted.contenders:
            _say_nothing(sides, ("EQUIVALENT", upgrade.why_nothing(asked)), {}, sides.notes, out, as_json)
            return
        made, notes = revisions.planned(sides, wanted)
        notes = (*notes, *([NOT_COUNTED] if is_left_out else ()))
        for note in notes:
            click.echo(note, err=True)
        if not made.blocks:
            reason, left_out = revisions.why_nothing(sides, made), revisions.left_out(sides, made)
            _say_nothing(sides, reason, left_out, notes, out, as_json)
            return
        say_runtime(where, why)
        if (counts or only_count) and (lack := wiring.uncounted(where)):
            raise CannotMeasure(f"instructions cannot be counted: {lack}")
        run = execution.begin_with(
            root, made, where, revisions.served(sides, made), revisions.requested_scenarios(sides, made)
        )
        journal = execution.open_journal(run, root / "results", out)
        judge = Judge(
            journal=journal,
            waivers=waivers,
            notes=notes,
            as_json=as_json,
            unsettled_code=unsettled,
            plain=sides.plain,
            moved=sides.moved,
            insists=bool(counts) or only_count,
        )
        conclusion, code = carried_out(root, judge, execution.Elsewhere(), explains=explains)
    finish(ctx, judge, conclusion, code)


@contextmanager
def _sides(
    root: Path,
    base: str | None,
    head: str | None,
    wanted: revisions.Selection,
    asked: upgrade.HeadChange | None,
) -> Iterator[tuple[Sides, revisions.Selection]]:
    if asked is not None:
        with upgrade.upgraded(root, base, wanted, asked) as found:
            yield found
    elif base is not None:
        with laid_out(root, base, head) as sides:
            yield sides, wanted


def _runtime(
    requested: str, root: Path, asked: upgrade.HeadChange | None, *, only_count: bool
) -> tuple[str, str]:
    """Return the runtime and why. Packages are resolved for a Python of this machine, not for an image's."""
    if asked is None and only_count and requested == wiring.AUTO:
        return ProcessRuntime.name, "instructions are counted of processes"
    if asked is None:
        return wiring.chosen(requested, root)
    if requested not in (wiring.AUTO, ProcessRuntime.name):
        raise UsageError("--upgrade and --python are for processes of this machine: use --runtime process")
    return ProcessRuntime.name, "an upgrade is resolved for a Python of this machine"


def _say_nothing(
    sides: Sides,
    reason: tuple[verdict_report.Word, str],
    left_out: Mapping[str, str],
    notes: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    word, why = reason
    document = verdict_report.uncompared_document(word, sides.base.label, why, left_out, notes)
    text = verdict_report.uncompared_text(word, why, left_out, notes)
    if out:
        verdict_report.write_uncompared(out, text, document)
    click.echo(to_json(document) if as_json else text)
