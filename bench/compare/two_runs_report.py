"""What changed between two runs: on the terminal, and for machines."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.analysis.comparisons import Comparison
from bench.analysis.rows import Row
from bench.compare.counts_report import lines as lines_of
from bench.compare.counts_report import plain_move
from bench.compare.run_changes import Change
from bench.compare.two_runs import TwoRuns
from bench.loads import Load
from bench.model.cell import Cell
from bench.report.terminal import WARNING, in_two_lines, say, table_of
from bench.report.wording import (
    changed,
    levels,
    measured,
    plain_cell,
    plain_estimate,
    plural,
    point,
    rounded,
    throughput,
)

WORDS = {
    "slower": "REGRESSED",
    "faster": "IMPROVED",
    "equivalent": "EQUIVALENT",
    "inconclusive": "INCONCLUSIVE",
    "invalid": "INVALID",
}
STYLES = {
    "slower": "bold red",
    "faster": "green",
    "equivalent": "",
    "inconclusive": WARNING,
    "invalid": WARNING,
}
METRICS = {"throughput_rps": "req/s", "service_demand_us": "CPU µs/req"}
SHOWN = 12  # warnings; more of them are in the file


def print_changes(two: TwoRuns, console: Console) -> None:
    for name, analysis in (("baseline", two.baseline), ("candidate", two.candidate)):
        run = analysis.run
        say(console, f"{name:9}  {run.plan.name}, runtime {run.runtime}, {run.started_at}", style="bold")
    for scenario, load in dict.fromkeys((one.cell.scenario, one.cell.load) for one in two.changes):
        here = [one for one in two.changes if (one.cell.scenario, one.cell.load) == (scenario, load)]
        console.print()
        console.print(_table(two.reference, scenario, load, here))
        for one in here:
            if one.why:
                say(console, f"{_named(one)}: {WORDS[one.verdict]}, {one.why}.", style="dim")
        for before, after in two.references:
            if (before.cell.scenario, before.cell.load) == (scenario, load):
                say(console, _of_the_reference(before, after), style="dim")
    console.print()
    for line in lines_of(two.moves):
        say(console, f"Instructions: {line}")
    for note in _notes(two):
        say(console, note)
    for warning in two.warnings[:SHOWN]:
        say(console, f"! {warning}", style=WARNING)
    if len(two.warnings) > SHOWN:
        say(console, f"! … and {len(two.warnings) - SHOWN} more differences; --json has all", style=WARNING)


def _table(reference: str, scenario: str, load: Load, changes: Sequence[Change]) -> Table:
    table = table_of(Text.assemble((scenario, "bold"), f" · {load.title} · ratios to {reference}"))
    table.add_column("contender", overflow="fold")
    table.add_column("")
    for heading in ("baseline", "candidate", "change"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    named = ""
    for one in changes:
        name = one.cell.contender
        table.add_row(
            Text("" if name == named else name, style="bold"),
            Text.assemble(METRICS[one.metric], "\n", (f"margin {one.margin * 100:g} %", "dim")),
            in_two_lines(measured(one.baseline.ratio, of_ratio=True)),
            in_two_lines(measured(one.candidate.ratio, of_ratio=True)),
            in_two_lines(changed(one.change)),
            Text(WORDS[one.verdict], style=STYLES[one.verdict]),
        )
        named = name
    return table


def _named(one: Change) -> str:
    return f"{one.cell.contender}, {METRICS[one.metric]}"


def _of_the_reference(before: Row, after: Row) -> str:
    rates = (throughput(row.throughput_rps, row.client_limit) for row in (before, after))
    figures = [f"{' → '.join(rates)} req/s"]
    if before.service_demand_us and after.service_demand_us:
        figures.append(f"{point(before.service_demand_us)} → {point(after.service_demand_us)} CPU µs/req")
    name = before.cell.contender
    return f"{name}, the reference: {', '.join(figures)}; the machine's mood is in it, so no verdict."


def _notes(two: TwoRuns) -> Iterator[str]:
    judged = [one for one in two.changes if one.change]
    if judged:
        level = levels(one.change for one in judged)
        yield (
            f"{plural(len(judged), 'change')}, one interval each ({level}). REGRESSED holds for all of them "
            "together, with a chance of 5 % at most of any false alarm, and so does IMPROVED: exact "
            "Mann–Whitney tests against the margin, Holm's correction."
        )
    for before, after in two.rows:
        if before.failed or after.failed:
            name = f"{after.cell.contender}, {_place(after.cell)}"
            yield f"Failed of {name}: {_failures(before)} → {_failures(after)}."
    for where, cells in (("baseline", two.only_in_baseline), ("candidate", two.only_in_candidate)):
        for place in dict.fromkeys(map(_place, cells)):
            names = ", ".join(cell.contender for cell in cells if _place(cell) == place)
            yield f"Only in the {where}: {place}: {names}."


def _failures(row: Row) -> str:
    return f"{row.failed:,} of {row.requests + row.failed:,}"


def _place(cell: Cell) -> str:
    return f"{cell.scenario}, {cell.load.title}"


# Format history
# 1  first
SCHEMA = 1


def changes_document(two: TwoRuns) -> dict[str, Any]:
    """Return the content of *two* as a JSON document; null where nothing is known."""
    return {
        "schema": SCHEMA,
        "reference": two.reference,
        **{
            name: {"plan": run.plan.name, "runtime": run.runtime, "started_at": run.started_at}
            for name, run in (("baseline", two.baseline.run), ("candidate", two.candidate.run))
        },
        "changes": [_change(one) for one in two.changes],
        "references": [
            {**plain_cell(before.cell), "baseline": _row(before), "candidate": _row(after)}
            for before, after in two.references
        ],
        "only_in_baseline": [plain_cell(cell) for cell in two.only_in_baseline],
        "only_in_candidate": [plain_cell(cell) for cell in two.only_in_candidate],
        **({"instructions": list(map(plain_move, two.moves))} if two.moves else {}),
        "broken": list(two.broken),
        "warnings": list(two.warnings),
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        **plain_cell(one.cell),
        "metric": one.metric,
        "margin": one.margin,
        "baseline": _side(one.baseline),
        "candidate": _side(one.candidate),
        "change": plain_estimate(one.change),
        "adjusted_p": rounded(one.adjusted_p),
        "verdict": WORDS[one.verdict],
        "why": one.why or None,
    }


def _side(comparison: Comparison) -> dict[str, Any]:
    return {"ratio": plain_estimate(comparison.ratio), "rounds": comparison.rounds}


def _row(row: Row) -> dict[str, Any]:
    return {
        "throughput_rps": plain_estimate(row.throughput_rps),
        "service_demand_us": plain_estimate(row.service_demand_us),
    }
