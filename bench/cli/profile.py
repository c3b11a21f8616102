"""The command `bench profile`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from bench.cli import wiring
from bench.cli.options import RUNTIMES, machines_turn, say_runtime, wait_option
from bench.errors import UsageError
from bench.files import near_miss, to_json
from bench.load.driver import Workers
from bench.loads import Closed
from bench.model.contender import Contender
from bench.model.scenario import Scenario
from bench.observe.fingerprint import fingerprint
from bench.profile import record, take
from bench.profile.cprofile import CProfile
from bench.profile.profiler import Profiler
from bench.profile.pyspy import PySpy
from bench.profile.record import Profiling
from bench.profile.words import document, print_profiling
from bench.project import contenders, scenarios
from bench.project.contenders import Declared
from bench.run import progress
from bench.run.store import folder_name, make_folder
from bench.runtime.process import ProcessRuntime

CONNECTIONS = 32  # as in the plans


@click.command()
@click.argument("words", metavar="CONTENDER… SCENARIO…", nargs=-1, required=True)
@click.option("--with", "how", type=click.Choice(["py-spy", "cprofile"]), default="py-spy", show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1, max=600), default=10, show_default=True)
@click.option("--connections", type=click.IntRange(min=1), default=CONNECTIONS, show_default=True)
@click.option(
    "--rate", type=click.IntRange(10, 1000), default=100, show_default=True, help="samples a second"
)
@click.option("--runtime", type=RUNTIMES, default=wiring.AUTO, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="the folder, instead of one in results/")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@wait_option
def profile(
    words: tuple[str, ...],
    how: str,
    seconds: float,
    connections: int,
    rate: int,
    runtime: str,
    out: Path | None,
    as_json: bool,
    wait: float | None,
) -> None:
    """Say where the CPU time of a request goes, by layer: each CONTENDER under the load of each SCENARIO.

    They take turns of three windows, the profiler in the second; so many seconds of each kind in all. No
    timed table has them in it.
    """
    root = contenders.find_project(Path.cwd())
    chosen, named_scenarios = split(words, contenders.declared(root), scenarios.declared(root))
    wanted = take.ProfilePlan(
        contenders=chosen,
        scenarios=named_scenarios,
        load=Closed(connections=connections),
        window_s=seconds,
    )
    where, why = wiring.chosen(runtime, root)
    profiler = _profiler(how, rate, root, where)
    with machines_turn(wait):
        begun = _begun(root, wanted, profiler, where)
        folder = make_folder(out or root / "results" / _name(begun))
        say_runtime(where, why)
        done = _carried_out(root, folder, begun, wanted, profiler)
    if as_json:
        click.echo(to_json(document(done)))
    else:
        print_profiling(done, Console())


def split(
    words: Sequence[str], tables: dict[str, Declared], known: dict[str, Scenario]
) -> tuple[tuple[Contender, ...], tuple[Scenario, ...]]:
    """Return the contenders and the scenarios among *words*. Raises UsageError if either is missing."""
    named_scenarios = tuple(known[word] for word in dict.fromkeys(words) if word in known)
    others = [word for word in dict.fromkeys(words) if word not in known]
    if not named_scenarios:
        raise UsageError(f"unknown scenario {words[-1]}{near_miss(words[-1], sorted(known))}")
    if not others:
        raise UsageError(f"name a contender before {words[0]}: there is {', '.join(sorted(tables))}")
    chosen = tuple(contenders.resolve(name, tables) for name in others)
    names = {scenario.name for scenario in named_scenarios}
    for one in chosen:
        if one.scenarios is not None and not names & set(one.scenarios):
            raise UsageError(f"{one.name} serves {', '.join(one.scenarios)} only")
    return chosen, named_scenarios


def _profiler(how: str, rate: int, root: Path, runtime: str) -> Profiler:
    if how == CProfile.name:
        if runtime != ProcessRuntime.name:
            raise UsageError(f"--with cprofile reaches no container: add --runtime {ProcessRuntime.name}")
        return CProfile(root / ".bench" / "cprofile")
    return PySpy(rate_hz=rate)


def _begun(root: Path, wanted: take.ProfilePlan, profiler: Profiler, runtime: str) -> Profiling:
    return Profiling(
        schema=record.SCHEMA,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        profiler=profiler.name,
        version=profiler.version,
        runtime=runtime,
        load=wanted.load,
        fingerprint=fingerprint(root),
        contenders=wanted.contenders,
    )


def _name(begun: Profiling) -> str:
    project = begun.fingerprint["project"]
    started = datetime.fromisoformat(begun.started_at)
    return folder_name(started, "profile", project["commit"], project["dirty"])


def _carried_out(
    root: Path, folder: Path, begun: Profiling, wanted: take.ProfilePlan, profiler: Profiler
) -> Profiling:
    """Profile, and save each profile at once. The report is drawn even if this fails or is interrupted."""
    done = begun
    try:
        with (
            progress.shown() as shown,
            wiring.opened(root, folder / "logs", shown, workers=Workers(), runtime=begun.runtime) as opened,
        ):
            for one in take.profile(wanted, opened, profiler):
                facts = {**done.fingerprint, **opened.runtime.facts()}
                done = replace(done, profiles=(*done.profiles, one), fingerprint=facts)
                record.save(done, folder)
    finally:
        if done.profiles:
            # Imported here: Matplotlib takes a second, and no other command should wait for it.
            from bench.profile.profile_page import write_profile_report

            click.echo(f"report: {write_profile_report(done, folder)}", err=True)
    return done
