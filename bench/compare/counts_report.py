"""Counts of instructions as a table, for people and for machines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.compare.kept_counts import CountMove
from bench.profile.callgrind_profile import OBJECT_LAYERS
from bench.records import CountedWindow, Instructions
from bench.report.instructions import limits
from bench.report.terminal import say, table_of
from bench.report.wording import NOTHING, ratio, rounded

WARNING = "yellow"


NAMED = 0.005  # of the instructions: a layer with less is not shown


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShares:
    """Where the instructions of a count were, by object file: Python's own code is the interpreter's."""

    contender: str
    scenario: str
    shares: Mapping[str, float]  # layer → share of all, garbage collections included


def print_counts(
    found: Sequence[Instructions],
    moves: Sequence[CountMove],
    shares: Sequence[LayerShares],
    console: Console,
) -> None:
    counted = [one for one in found if one.windows]
    for scenario in dict.fromkeys(one.scenario for one in counted):
        rows = [one for one in counted if one.scenario == scenario]
        first = rows[0]
        table = table_of(Text.assemble((scenario, "bold"), " · instructions per request, user space"))
        table.add_column("contender", overflow="fold")
        headings = ("instructions", f"× {first.contender}", "with garbage\ncollections", "windows\napart")
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for one in rows:
            table.add_row(Text(one.contender, style="bold"), *_cells(one, first))
        console.print(table)
    if shares:
        console.print(_where(shares))
    named = {(one.contender, one.scenario) for one in moves if one.why}
    for one in found:
        if one.why and (one.contender, one.scenario) not in named:
            say(console, f"! {one.contender}, {one.scenario}: not counted: {one.why}", style=WARNING)
    for line in limits(found):
        say(console, f"! {line}", style=WARNING)
    for line in lines(moves):
        say(console, line)


def _where(shares: Sequence[LayerShares]) -> Table:
    table = table_of(Text("where the instructions were, in % · by object file", style="bold"))
    table.add_column("contender", no_wrap=True)
    table.add_column("scenario", no_wrap=True)
    table.add_column("layers")
    for one in shares:
        named = sorted((share, layer) for layer, share in one.shares.items() if share >= NAMED)
        layers = ", ".join(f"{OBJECT_LAYERS[layer]} {share * 100:.1f}" for share, layer in reversed(named))
        table.add_row(Text(one.contender, style="bold"), one.scenario, layers)
    return table


def _cells(one: Instructions, first: Instructions) -> Iterator[str]:
    usual = one.per_request or 0.0
    yield f"{usual:,.0f}"
    yield ratio(usual / (first.per_request or usual))
    yield NOTHING if one.with_collections is None else f"{one.with_collections:,.0f}"
    yield f"{(one.spread or 0.0) * 100:.2f} %"


def lines(moves: Sequence[CountMove]) -> Iterator[str]:
    """Yield a sentence for each count that moved or cannot be compared, and one for all others."""
    same = 0
    for one in moves:
        where = f"{one.contender}, {one.scenario}"
        versions = f" ({', '.join(one.packages)})" if one.packages else ""
        if one.why:
            yield f"! {where}: not compared: {one.why}"
        elif one.moved and one.ratio:
            more = "more" if one.ratio > 1 else "fewer"
            yield f"{where}: {abs(one.ratio * 100 - 100):.2f} % {more} instructions{versions}"
        else:
            same += 1
    if moves:
        margin = max(one.margin for one in moves)
        within = f", within {margin * 100:g} %" if margin else ""
        yield f"{same} of {len(moves)} as they were{within}."


def document(
    found: Sequence[Instructions], moves: Sequence[CountMove], shares: Sequence[LayerShares] = ()
) -> dict[str, Any]:
    return {
        "layers": [
            {
                "contender": one.contender,
                "scenario": one.scenario,
                "shares": {layer: rounded(share) for layer, share in one.shares.items()},
            }
            for one in shares
        ],
        "counts": [
            {
                "contender": one.contender,
                "scenario": one.scenario,
                "counter": one.counter or None,
                "instructions": rounded(one.per_request),
                "with_collections": rounded(one.with_collections),
                "spread": rounded(one.spread),
                "windows": {str(seed): list(map(_window, each)) for seed, each in one.windows.items()},
                "why": one.why or None,
            }
            for one in found
        ],
        "moves": list(map(plain_move, moves)),
    }


def plain_move(one: CountMove) -> dict[str, Any]:
    return {
        "contender": one.contender,
        "scenario": one.scenario,
        "ratio": rounded(one.ratio),
        "moved": one.moved,
        "packages": list(one.packages),
        "why": one.why or None,
    }


def _window(one: CountedWindow) -> dict[str, float | None]:
    return {"usual": rounded(one.usual), "collections": rounded(one.collections)}
