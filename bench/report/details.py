"""How a run was measured, how far its numbers apply, and what else a reader must know."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any

from bench.analysis import Analysis
from bench.analysis.steadiness import first_answers
from bench.analysis.voids import REASONS
from bench.model.contender import Contender, name_of
from bench.model.scenario import Exchange
from bench.records import CountedBy, Queries, Run
from bench.report import versions
from bench.report.document import Column, Section, Table, TableCell, contender_cell, name_column
from bench.report.load_kinds import SHOWN
from bench.report.panels import Panel
from bench.report.wording import NOTHING, both, changed, figure, percent, plural

LISTED = ("packages", "settings", "harness", "environment_of")  # long facts, each shown on one line


def facts(fingerprint: Mapping[str, Any]) -> Mapping[str, str]:
    """Return a fingerprint as dotted names and plain text."""
    return dict(_flat(fingerprint))


def _flat(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if name in LISTED and isinstance(value, Mapping):
            yield f"{above}{name}", ", ".join(f"{key} {held}" for key, held in value.items())
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            listed = isinstance(value, list | tuple)
            yield f"{above}{name}", ", ".join(map(str, value)) if listed else str(value)


# What none of our runs shows: docs/methodology.md, "Threats to validity".
SCOPE = (
    "One machine: client, servers and database share its memory and caches; on two cores client and database "
    "share a core.",
    "Loopback: no TLS, no reverse proxy, no network; bodies are small.",
    "Absolute numbers travel badly to other machines. Ratios travel better, and not everywhere.",
    "A closed loop shows how much a stack can do, not how fast it answers below that.",
    "Medians do not see what is rare: a pause in fewer than half of the slices shows in p99 and the maximum.",
    "Idiom is a judgement: each choice is cited beside the apps. Where yours differs, add it as a contender.",
)


def warnings(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Yield pairs of a problem and its consequence. They come first in a report."""
    if analysis.partial:
        ended = analysis.run.ended or "still going, or killed"
        yield f"Partial run: {ended}.", "Not all that was planned was measured."
    if not analysis.valid:
        yield f"Not valid: {analysis.invalid}.", "There is no number here to use."


def method(run: Run, panels: Sequence[Panel]) -> Iterator[str]:
    plan = run.plan
    settled = f", {run.rounds} after their spread, nothing else, was known" if plan.budget_s else ""
    yield (
        f"{plural(plan.rounds, 'round')} planned{settled}: each starts every server afresh and is one value "
        "of the statistics."
    )
    yield (
        f"In a round {plural(plan.sweeps, 'sweep')} over the contenders, in random order (seed {plan.seed}); "
        f"a slice is a lead-in of {plan.lead_in_s:g} s and a counted window of {plan.window_s:g} s."
    )
    yield from _chosen_windows(run)
    yield f"Warm-up of {plan.warm_up_s:g} s per contender, scenario and round: not counted."
    yield (
        f"A slice is void for one of these reasons, which do not look at its result: {'; '.join(REASONS)}. "
        f"Up to {plural(plan.spare_sweeps, 'spare sweep')} a round make up for it."
    )
    there = {type(panel.load) for panel in panels}
    yield from (shown.method for kind, shown in SHOWN.items() if kind in there)
    yield (
        "Throughput counts verified responses. A value is the median over rounds of the median over sweeps; "
        "its interval is exact and assumes no distribution."
    )
    yield '"≥": the client may have been the limit; such rows have no place in the order and no ratio.'
    yield (
        "Ratios come from slices of the same sweep, moments apart, paired; not from the throughputs above."
    )
    yield (
        "Percentiles are of all counted windows together, shown where at least 20 requests lie beyond them. "
        "CPU is user and system time per verified response; memory is the highest measured."
    )
    yield f"Runtime {run.runtime}, started {run.started_at}."


def _chosen_windows(run: Run) -> Iterator[str]:
    """Yield the windows that the probe chose, if they differ from the plan's."""
    chosen = dict.fromkeys(
        (step.cell.scenario, step.cell.load.title, step.window_s)
        for record in run.records
        if (step := record.slice).role in ("measure", "control") and step.window_s != run.plan.window_s
    )
    if chosen and run.plan.longest_window_s is not None:
        each = "; ".join(f"{scenario}, {load}: {window_s:g} s" for scenario, load, window_s in chosen)
        yield f"Where answers take long, a probe before round 1 chose longer windows, and fewer: {each}."


BY_DATABASE: Mapping[CountedBy, str] = {
    "PostgreSQL": "by PostgreSQL itself (pg_stat_statements)",
    "MySQL": "by MySQL itself (performance_schema)",
}
UNCOUNTED = "Not counted: no contender has a database that can be counted, or the run did not come so far."
ON_OTHERS = "transaction statements included, on servers that were not timed."


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTable:
    """Counts by contender and exchange, without controls and contenders without a counted statement."""

    exchanges: tuple[str, ...]
    counts: dict[str, tuple[Queries | None, ...]]  # contender → one per exchange
    notes: tuple[str, ...]
    how: str  # what counted them


def statement_table(run: Run) -> StatementTable:
    every = [queries for queries in run.queries if not name_of(queries.contender).is_twin]
    shown = [queries for queries in every if queries.counted_by and not queries.unseen]
    uncounted = {queries.contender: queries.why for queries in every if not queries.counted_by}
    counted = {(queries.contender, queries.exchange): queries for queries in shown}
    by_name = {exchange.name: exchange for scenario in run.scenarios for exchange in scenario.exchanges}
    exchanges = tuple(name for name in by_name if any(name == exchange for _, exchange in counted))
    contenders = dict.fromkeys(queries.contender for queries in shown)
    return StatementTable(
        exchanges=exchanges,
        counts={name: tuple(counted.get((name, by_name)) for by_name in exchanges) for name in contenders},
        notes=(
            *(f"{name}: not counted: {why}." for name, why in uncounted.items()),
            *(note for queries in shown for note in _notes(queries, by_name.get(queries.exchange))),
        ),
        how=f"Counted {' or '.join(_ways(shown))}, {ON_OTHERS}",
    )


def _ways(shown: Sequence[Queries]) -> Iterator[str]:
    drivers = dict.fromkeys(driver for queries in shown for driver in queries.drivers)
    ways = {queries.counted_by for queries in shown}
    if not drivers and ways.isdisjoint(BY_DATABASE):
        ways.add("PostgreSQL")
    yield from (by for way, by in BY_DATABASE.items() if way in ways)
    if drivers:
        yield f"in the server as its driver runs them ({', '.join(drivers)})"


def per_request(count: float | None) -> str:
    """Return a count as text: a whole number if every request has the same."""
    if count is None:
        return NOTHING
    return f"{count:.0f}" if count.is_integer() else f"{count:.2f}"


def statements_of(run: Run, contender: str, name: str) -> float | None:
    """Return the statements per request of the scenario *name*, of a mix on average; None if unknown."""
    scenario = next(one for one in run.scenarios if one.name == name)
    counts = {
        queries.exchange: queries.per_request
        for queries in run.queries
        if queries.contender == contender and not queries.unseen
    }
    counted = [counts.get(exchange.name) for exchange in scenario.exchanges]
    known = [count for count in counted if count is not None]
    if len(known) < len(counted):
        return None
    return float(sum(map(mul, scenario.weights, known)) / sum(scenario.weights))


def _notes(queries: Queries, exchange: Exchange | None) -> Iterator[str]:
    who, count = f"{queries.contender}, {queries.exchange}", queries.per_request
    if queries.failed:
        yield f"{who}: no count, as {queries.failed:,} requests failed meanwhile."
    elif count is None:
        yield f"{who}: no count, as no request was answered in time."
    elif exchange and 0 < (items := max(exchange.expect.lengths.values(), default=0)) < count:
        yield f"{who}: {per_request(count)} statements for a list of {items}: one for each of its items?"


def steadiness(run: Run, panels: Iterable[Panel]) -> Section:
    """Return its section, in the order of *panels*. A row without these numbers has no line."""
    rows = tuple(
        (
            contender_cell(row.cell.contender),
            TableCell(panel.title),
            TableCell(found.state or "too few rounds"),
            changed(found.change),
            TableCell(figure(found.span_s)),
            TableCell(percent(found.deviation)),
        )
        for panel in panels
        for row in panel.rows
        if (found := row.steadiness)
    )
    title = "From a server's first slice to its last"
    if not rows:
        return Section(title=title, intro="Nothing was measured.")
    columns = (
        name_column("contender"),
        Column(heading="scenario", kind="text"),
        Column(heading="state", kind="text"),
        *(Column(heading=heading) for heading in ("change of speed", "within s", "slices' deviation")),
    )
    caption, *_ = sentences = tuple(_on_steadiness(run))
    return Section(title=title, tables=(Table(caption=caption, columns=columns, rows=rows),), notes=sentences)


def verifications(run: Run) -> Section:
    title = "Held against the checks"
    if not run.verifications:
        return Section(title=title, intro="No contender was.")
    columns = (
        name_column("contender", term="contender"),
        Column(heading="outcome", kind="text"),
        Column(heading="checks", term="check"),
        Column(heading="differences", kind="text"),
    )
    rows = tuple(
        (
            contender_cell(one.contender),
            TableCell(f"{one.outcome}{' earlier, same content' * one.remembered}"),
            TableCell(f"{one.checks}"),
            TableCell("; ".join(one.differences)),
        )
        for one in run.verifications
    )
    caption = "Each contender answers the same checks before it is timed"
    return Section(title=title, tables=(Table(caption=caption, columns=columns, rows=rows),))


def statements(run: Run) -> Section:
    counted = statement_table(run)
    title = "SQL statements per request"
    if not counted.counts:
        return Section(title=title, anchor="statements", intro=UNCOUNTED, caveats=counted.notes)
    columns = (
        name_column("contender", term="contender"),
        *(Column(heading=exchange, term="statement") for exchange in counted.exchanges),
    )
    rows = tuple(
        (contender_cell(name), *(TableCell(per_request(one.per_request if one else None)) for one in counts))
        for name, counts in counted.counts.items()
    )
    return Section(
        title=title,
        anchor="statements",
        tables=(Table(caption=counted.how, columns=columns, rows=rows),),
        notes=(counted.how,),
        caveats=counted.notes,
    )


def void_table(run: Run) -> Table:
    void = [record for record in run.records if record.void is not None]
    return Table(
        caption="Left out on evidence that does not look at the result",
        columns=(
            name_column("contender", term="contender"),
            Column(heading="scenario", term="scenario", kind="text"),
            Column(heading="round", term="round"),
            Column(heading="sweep", term="sweep"),
            Column(heading="evidence", term="void", kind="text"),
        ),
        rows=tuple(
            (
                contender_cell(one.slice.cell.contender),
                TableCell(one.slice.cell.scenario),
                TableCell(str(one.slice.round)),
                TableCell(str(one.slice.sweep)),
                TableCell(one.void or ""),
            )
            for one in void
        ),
    )


def served_table(run: Run) -> Table:
    return Table(
        caption="How each contender was served",
        columns=(
            name_column("contender", term="contender"),
            Column(heading="versions", kind="text"),
            Column(heading="interface", kind="text"),
            Column(heading="workers"),
            Column(heading="threads"),
            Column(heading="command", kind="command"),
        ),
        rows=tuple(
            (
                contender_cell(one.name, one.stack),
                TableCell(_versions(run, one)),
                *map(TableCell, (one.interface, str(one.workers), str(one.threads), one.command)),
            )
            for one in run.contenders
        ),
    )


def _versions(run: Run, contender: Contender) -> str:
    found = versions.versions(run, contender)
    gil = versions.gil(run, contender)
    return ", ".join((*(f"{name} {version}" for name, version in found.items()), *filter(None, (gil,))))


def facts_table(fingerprint: Mapping[str, Any]) -> Table:
    return Table(
        caption="What the run found itself on",
        columns=(Column(heading="", kind="name"), Column(heading="", kind="text")),
        rows=tuple((TableCell(name), TableCell(value)) for name, value in facts(fingerprint).items()),
        style="facts",
    )


def _on_steadiness(run: Run) -> Iterator[str]:
    yield (
        "Each server is compared with itself: the change is from its first slice of a scenario to its last, "
        'over rounds. Anything but "flat" is a caveat of the row.'
    )
    if first := first_answers(run):
        times = ", ".join(f"{name} {both(estimate)} s" for name, estimate in first.items())
        yield f"From start to the first 200, on all cores and beside the others that start: {times}."
