"""The command `bench count`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console

from bench.cli import wiring
from bench.cli.options import RUNTIMES, Percent, say_runtime
from bench.compare import kept_counts
from bench.compare.counts_report import LayerShares, document, print_counts
from bench.errors import CannotMeasure, UsageError
from bench.files import check_known, to_json
from bench.model.contender import Contender
from bench.model.plan import MARGINS
from bench.model.scenario import Scenario
from bench.profile.callgrind_profile import by_layer, read_costs
from bench.profile.layers import declared
from bench.project import contenders, scenarios
from bench.records import Instructions
from bench.run import progress
from bench.run.instruction_counts import Wanted, count, profile_name, without
from bench.run.statement_counts import OF_USERS
from bench.runtime.process import ProcessRuntime

MOVED = 1  # the exit code where a count is no longer what was kept


@click.command("count")
@click.argument("words", metavar="[CONTENDER]… [SCENARIO]…", nargs=-1)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="write the counts to this file, to check; with names, what else it holds stays",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="compare with a file that --keep wrote",
)
@click.option(
    "--margin",
    type=Percent(),
    default=MARGINS["instructions"] * 100,
    show_default=True,
    help="of --check, in percent",
)
@click.option("--runtime", type=RUNTIMES, default="process", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="keep callgrind's files here, for KCachegrind",
)
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.pass_context
def count_(
    ctx: click.Context,
    words: tuple[str, ...],
    keep: Path | None,
    check: Path | None,
    margin: float,
    runtime: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Count the instructions that a request takes: of each CONTENDER in each SCENARIO, all by default.

    A count does not depend on time, so it needs no quiet machine. With --check the exit code is 1 where one
    moved by more than the margin.
    """
    root = contenders.find_project(Path.cwd())
    known = kept_counts.read(check) if check else None
    held = kept_counts.read(keep) if keep and words and keep.exists() else None
    if keep and not keep.absolute().parent.is_dir():
        raise UsageError(f"--keep {keep}: there is no folder {keep.parent}")
    wanted = chosen(words, root, known)
    name, why = wiring.chosen(runtime, root)
    say_runtime(name, why)
    with nullcontext(out) if out else TemporaryDirectory(prefix="bench-callgrind-") as folder:
        found, facts = counted(root, name, wanted, Path(folder), known)
        libc = kept_counts.LIBC if name == ProcessRuntime.name else ""
        kept = partial(kept_counts.of, facts=facts, scenarios=requested(wanted), libc=libc)
        moved = partial(judged, known, margin=margin / 100, whole=not words)
        moves = moved(kept(found), found)
        unsteady = (one for one in found if one.windows and kept_counts.why_not_kept(one))
        doubts = (*(one for one in moves if one.doubtful), *(unsteady if keep or known else ()))
        places = {(one.contender, one.scenario) for one in doubts}
        if again := [one for one in wanted if (one[0].name, one[1].name) in places]:
            repeated, _ = counted(root, name, again, Path(folder), known)
            found = [*{(one.contender, one.scenario): one for one in (*found, *repeated)}.values()]
            moves = moved(kept(found), found)
        shares = [one for contender, scenario in wanted if (one := spent(contender, scenario, Path(folder)))]
    if as_json:
        click.echo(to_json(document(found, moves, shares)))
    else:
        print_counts(found, moves, shares, Console())
    uncounted = [one for one in found if not one.windows]
    if len(uncounted) == len(found):
        raise CannotMeasure(f"nothing was counted: {found[0].why}")
    gaps = wrote(keep, held, kept, found) if keep else []
    for gap in gaps:
        click.echo(f"not written to {keep}: {gap}", err=True)
    if any(one.moved for one in moves):
        ctx.exit(MOVED)
    if refused := [one for one in moves if one.why]:
        raise CannotMeasure(
            f"{len(refused)} of {len(moves)} counts could not be compared; the reasons are above"
        )
    if gaps:
        raise CannotMeasure(
            f"{len(gaps)} of {len(found)} counts were not written to {keep}; the reasons are above"
        )


def wrote(
    file: Path,
    held: kept_counts.Kept | None,
    kept: Callable[[Sequence[Instructions]], kept_counts.Kept],
    found: Sequence[Instructions],
) -> list[str]:
    """Write what of *found* can be kept, beside what *file* held. Return what was not written, and why.

    A locustfile's users are never counted, so they are no gap.
    """
    kept_ones = [one for one in found if not kept_counts.why_not_kept(one)]
    if kept_ones:
        now = kept(kept_ones)
        kept_counts.write(file, kept_counts.added(held, now) if held else now)
    return [
        f"{one.contender}, {one.scenario}: {why}"
        for one in found
        if (why := kept_counts.why_not_kept(one)) and why != OF_USERS
    ]


def judged(
    known: kept_counts.Kept | None,
    now: kept_counts.Kept,
    found: Sequence[Instructions],
    *,
    margin: float,
    whole: bool,
) -> tuple[kept_counts.CountMove, ...]:
    """Return what moved. If not the *whole* file was requested, the rest is not missed."""
    if known is None:
        return ()
    moves = kept_counts.moves(known, now, margin)
    return (*moves, *kept_counts.not_kept(known, now), *kept_counts.lost(known, found, whole=whole))


def requested(wanted: Sequence[Wanted]) -> dict[str, Scenario]:
    return {scenario.name: scenario for _, scenario in wanted}


def chosen(words: Sequence[str], root: Path, known: kept_counts.Kept | None) -> list[Wanted]:
    """Return what *words* name, else what is *known*, else everything. Raises UsageError."""
    tables, every = contenders.declared(root), scenarios.declared(root)
    named = [word for word in dict.fromkeys(words) if word in every]
    others = [word for word in dict.fromkeys(words) if word not in every]
    for word in others:
        base = word.partition(":")[0]
        check_known(base, [*tables, *every], f"unknown contender or scenario {base}")
    of_known = dict.fromkeys(contender for contender, _ in known.counts) if known else {}
    plain = [name for name, table in tables.items() if "of" not in table.overlay]
    if others or not known:
        served = [contenders.resolve(one, tables) for one in others or plain]
    else:
        served = [*_still_there(of_known, tables)]
    wanted = [
        (one, every[name])
        for name in named or every
        for one in served
        if (one.scenarios is None or name in one.scenarios)
        and (known is None or words or (one.name, name) in known.counts)
    ]
    if not wanted and known and not words:
        raise UsageError(f"nothing of what the file holds is declared any more: {kept_counts.ANEW}")
    if not wanted:
        served_by = ", ".join(one.name for one in served)
        raise UsageError(f"nothing to count: none of {served_by} serves {', '.join(named or every)}")
    return wanted


def _still_there(names: Iterable[str], tables: Mapping[str, contenders.Declared]) -> Iterator[Contender]:
    """Yield those of a file that are declared. The others are named as lost."""
    for name in names:
        with suppress(UsageError):
            yield contenders.resolve(name, tables)


def spent(contender: Contender, scenario: Scenario, folder: Path) -> LayerShares | None:
    """Return the layers of what was counted, from the profiles in *folder*; None without one."""
    name = profile_name(contender.name, scenario.name)
    files = sorted(folder.glob(f"callgrind.out.{name}.*"))
    if not files:
        return None
    layers = by_layer(read_costs(files), declared(contender.place))
    total = sum(layers.values()) or 1
    shares = {layer: own / total for layer, own in layers.items() if own}
    return LayerShares(contender=contender.name, scenario=scenario.name, shares=shares)


def counted(
    root: Path, runtime: str, wanted: Sequence[Wanted], profiles: Path, known: kept_counts.Kept | None
) -> tuple[list[Instructions], dict[str, Any]]:
    """Count what compares with what is *known*. Return the counts, and facts of the runtime."""
    logs = root / ".bench" / "logs"
    with progress.shown() as shown, wiring.runtime_of(root, logs, runtime) as opened:
        if why := opened.uncounted():
            raise CannotMeasure(why)
        shown.phase("preparing environments and services")
        lacks = {one.name: opened.lacks(one) for one, _ in wanted}
        there = [one for one in wanted if not lacks[one[0].name]]
        opened.prepare(list({one.name: one for one, _ in there}.values()))
        facts = dict(opened.facts())
        reasons = [(one, _unlike(one, known, facts)) for one in there]
        for one, scenario in wanted:
            for old in profiles.glob(f"callgrind.out.{profile_name(one.name, scenario.name)}.*"):
                old.unlink()  # of an earlier count
        found = [
            *(without(one, why) for one in wanted if (why := lacks[one[0].name])),
            *(without(one, why) for one, why in reasons if why),
            *count([one for one, why in reasons if not why], opened, shown, profiles=profiles),
        ]
        return found, facts


def _unlike(one: Wanted, known: kept_counts.Kept | None, facts: Mapping[str, Any]) -> str:
    """Return why a count would not compare with the one *known*, before it is made; empty if it would."""
    kept = known and known.counts.get((one[0].name, one[1].name))
    if not known or not kept:
        return ""
    name = facts.get("environment_of", {}).get(one[0].name, "")
    return kept_counts.unlike(known.environment_of(kept), kept_counts.KeptEnvironment.of(facts, name))
