"""The command `bench try`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from bench.analysis.faults import answered
from bench.cli import wiring
from bench.cli.options import RUNTIMES, say_runtime
from bench.errors import CannotMeasure, UsageError
from bench.files import near_miss, to_json
from bench.load.once import requested
from bench.model.contender import Contender
from bench.model.scenario import Scenario
from bench.project import contenders, scenarios
from bench.records import Try
from bench.run import progress, tries, verification
from bench.runtime import external
from bench.runtime.external import ExternalRuntime
from bench.runtime.placement import Placement


@click.command("try")
@click.argument("names", metavar="[SCENARIO]…", nargs=-1)
@click.option("--contender", "only", multiple=True, metavar="NAME", help="only this one; all by default")
@click.option("--runtime", type=RUNTIMES, default=wiring.AUTO, show_default=True)
@click.option("--target", metavar="URL", help="request it of this server, which is not ours")
@click.option("--json", "as_json", is_flag=True, help="for machines")
def try_(
    names: tuple[str, ...], only: tuple[str, ...], runtime: str, target: str | None, as_json: bool
) -> None:
    """Request each exchange of each SCENARIO (all by default) once, and show request and answer.

    Exit code 3 where an answer is not what the scenario expects.
    """
    root = contenders.find_project(Path.cwd())
    known = scenarios.declared(root)
    for name in names:
        if name not in known:
            raise UsageError(f"unknown scenario {name}{near_miss(name, sorted(known))}")
    chosen = [known[name] for name in dict.fromkeys(names or known)]
    if target:
        if only:
            raise UsageError("--target takes the place of all contenders: leave --contender out")
        found = _of_target(target, chosen, as_json)
    else:
        tables = contenders.declared(root)
        everyone = [contenders.resolve(name, tables) for name in only or tables]
        found = of_contenders(root, everyone, chosen, runtime, partial(_show, as_json=as_json))
    if as_json:
        click.echo(to_json([asdict(one) for one in found]))
    if not any(one.sent for one in found):
        raise CannotMeasure("nothing was requested: no contender that can be served serves these scenarios")
    if wrong := [one for one in found if one.wrong]:
        where = ", ".join(f"{one.contender} {one.exchange}".strip() for one in wrong)
        raise CannotMeasure(f"{len(wrong)} of {len(found)} answers are not what is expected: {where}")


def of_contenders(
    root: Path,
    everyone: Sequence[Contender],
    chosen: Sequence[Scenario],
    runtime: str,
    show: Callable[[Try], None],
) -> list[Try]:
    """Request each exchange of *chosen* once of each contender that can be served; *show* each result."""
    name, why = wiring.chosen(runtime, root)
    say_runtime(name, why)
    found = []
    with progress.shown() as shown, wiring.runtime_of(root, root / ".bench" / "logs", name) as opened:
        shown.phase("preparing environments and services")
        able = verification.servable(everyone, opened)
        for one in everyone:
            if lacking := opened.lacks(one):
                click.echo(f"{one.name}: skipped: {lacking}", err=True)
        opened.prepare(able)
        served = [(one, [each for each in chosen if _serves(one, each)]) for one in able]
        for tried in tries.tries(served, opened, requested, apart=True):
            found.append(tried)
            show(tried)
    return found


def _of_target(url: str, chosen: Sequence[Scenario], as_json: bool) -> list[Try]:
    contender = external.target(url)
    runtime = ExternalRuntime(placement=Placement(server=None, client=None, database=None))
    runtime.prepare([contender])
    if written := _written(chosen):
        click.echo(f"it is written to, and nothing puts that back: {written}", err=True)
    found = []
    for tried in tries.tries([(contender, chosen)], runtime, requested):
        found.append(tried)
        _show(tried, as_json=as_json)
    return found


def _written(chosen: Sequence[Scenario]) -> str:
    return ", ".join(one.name for one in chosen if one.writes)


def _serves(contender: Contender, scenario: Scenario) -> bool:
    return contender.scenarios is None or scenario.name in contender.scenarios


def _show(one: Try, *, as_json: bool) -> None:
    if as_json:
        return
    for line in _lines(one):
        click.echo(line)


def _lines(one: Try) -> list[str]:
    if not one.exchange:
        return [f"{one.contender}: cannot be served: {one.wrong}", ""]
    sent = [f"  > {name}: {value}" for name, value in one.headers.items()]
    sent += [f"  > {one.body}"] if one.body else []
    came = [f"  < {answered(one)}"] if one.status is not None else []
    again = f"; right in {one.right_again} more requests" if one.right_again else ""
    verdict = f"  WRONG: {one.wrong}{again}" if one.wrong else "  right"
    return [f"{one.contender}  {one.exchange}  {one.request}", *sent, *came, verdict, ""]
