"""Results on the terminal: a table per scenario and load, then the notes for its reader."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from bench.analysis import Analysis, analyse
from bench.records import Run
from bench.report import cost_tables, instructions, stream_tables
from bench.report.audit import audit
from bench.report.claims import audited
from bench.report.claims import notes as notes_on_claims
from bench.report.document import Section, TableCell
from bench.report.document import Table as SourceTable
from bench.report.dots import LEGEND, Axis, axis_of
from bench.report.forest import marked
from bench.report.panels import Panel, caveats_everywhere, panels, terminal_columns
from bench.report.sentences import notes
from bench.report.series import Series, apart, series_of
from bench.report.wording import plural

WARNING = "yellow"


def table_of(title: Text) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def say(console: Console, text: str, style: str = "") -> None:
    """Print *text* as it is: brackets in it are not markup."""
    console.print(Text(text, style=style))


def in_two_lines(cell: TableCell) -> Text:
    return Text.assemble(cell.text, "\n", (cell.detail, "dim"))


NARROW = 72  # columns; a narrower terminal has no CPU and memory
WIDE = 110  # a wider one shows each ratio on an axis, too
WITHOUT_AXIS = 86  # columns of a table before its axis: one more column needs more
LONGEST_AXIS = 48


def print_run(run: Run, console: Console) -> None:
    """Print the tables of *run* on *console*, as plain text if that is not a terminal."""
    analysis = analyse(run)
    plan = run.plan
    say(
        console,
        f"{plan.name}: {plural(run.rounds, 'round')} × {plural(plan.sweeps, 'sweep')} of {_windows(run)} s"
        f", runtime {run.runtime}, {run.started_at}",
        style="bold",
    )
    if not analysis.rows:
        say(console, "Nothing was measured.", style=WARNING)
    shown = apart(panels(analysis))
    for place, panel in enumerate(shown):
        alike = [one for one in shown if one.load.compares_throughput == panel.load.compares_throughput]
        axis = _axis(console, alike)
        _print_panel(console, panel, axis)
        if axis and not place:
            say(console, LEGEND, style="dim")
    for series in series_of(panels(analysis)):
        _print_series(console, series, analysis)
    _print_costs(console, analysis)
    _print_streams(console, analysis)
    _print_instructions(console, analysis)
    _print_claims(console, analysis)
    console.print()
    for caveat in caveats_everywhere(analysis):
        say(console, f"! {caveat}", style=WARNING)
    if analysis.invalid and not analysis.partial:
        say(console, f"! not valid: {analysis.invalid}", style=WARNING)
    for verification in run.verifications:
        if not verification.may_be_timed:
            differences = "; ".join(verification.differences[:1])
            say(console, f"! {verification.contender} was not timed: {differences}", style=WARNING)


def _windows(run: Run) -> str:
    """Return how long the windows were: the plan's value, or the one that the probe chose."""
    counted = (record.slice for record in run.records if record.slice.role in ("measure", "control"))
    lengths = {step.window_s for step in counted if step.cell.load.keeps_busy} or {run.plan.window_s}
    shortest, longest = min(lengths), max(lengths)
    return f"{shortest:g}" if shortest == longest else f"{shortest:g} to {longest:g}"


def _axis(console: Console, alike: Sequence[Panel]) -> Axis | None:
    """Return the axis that the tables of *alike* share. None if there is no room."""
    return axis_of(alike, min(console.width - WITHOUT_AXIS, LONGEST_AXIS)) if console.width >= WIDE else None


def _print_panel(console: Console, panel: Panel, axis: Axis | None) -> None:
    console.print()
    console.print(_panel_table(panel, axis, narrow=console.width < NARROW))
    for note in notes(panel):
        say(console, note, style="dim")
    for caveat in panel.caveats:
        say(console, f"! {caveat}", style=WARNING)


def _print_series(console: Console, series: Series, analysis: Analysis) -> None:
    console.print()
    table = table_of(Text.assemble((series.scenario, "bold"), f" · {series.load_text}"))
    table.add_column("contender")
    for column in series.columns:
        table.add_column(column.heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for name, lines in series.lines.items():
        for place, line in enumerate(lines):
            table.add_row(Text(name if not place else "", style="bold"), *(value.line for value in line))
        table.add_section()
    console.print(table)
    for note in series.notes(analysis.capacities):
        say(console, note, style="dim")
    for caveat in series.caveats:
        say(console, f"! {caveat}", style=WARNING)


def _print_costs(console: Console, analysis: Analysis) -> None:
    if section := cost_tables.section(analysis):
        short = cost_tables.short_table(analysis.costs, narrow=console.width < NARROW)
        _print_section(console, section, short, "What a rate takes", cost_tables.warnings(analysis))


def _print_streams(console: Console, analysis: Analysis) -> None:
    if section := stream_tables.section(analysis):
        has_objective = analysis.run.plan.slo_ms is not None
        shown = stream_tables.short_table(analysis.stream_ladders) if has_objective else None
        _print_section(console, section, shown, section.tables[0].caption, stream_tables.warnings(analysis))


def _print_instructions(console: Console, analysis: Analysis) -> None:
    if section := instructions.section(analysis):
        shown = _narrowed(section.tables[0], instructions.SHORT) if section.tables else None
        _print_section(console, section, shown, section.title)
        for note in section.notes[1:]:
            say(console, note, style="dim")


def _narrowed(shown: SourceTable, columns: int) -> SourceTable:
    rows = tuple(row[:columns] for row in shown.rows)
    return replace(shown, columns=shown.columns[:columns], rows=rows)


def _print_section(
    console: Console,
    section: Section,
    shown: SourceTable | None,
    title: str,
    warnings: Iterable[str] = (),
) -> None:
    """Print *section* with one table."""
    console.print()
    if shown and shown.rows:
        table = table_of(Text(title, style="bold"))
        for column in shown.columns:
            justify: JustifyMethod = "right" if column.kind == "number" else "left"
            table.add_column(column.heading, justify=justify, overflow="fold")
        for row in shown.rows:
            table.add_row(*(in_two_lines(cell) if cell.detail else Text(cell.text) for cell in row))
        console.print(table)
    for warning in (*section.caveats, *warnings):
        say(console, f"! {warning}", style=WARNING)


def _print_claims(console: Console, analysis: Analysis) -> None:
    audits = audited(analysis)
    if found := audit(analysis):
        for table in found.tables:
            console.print()
            console.print(_audit_table(table))
    if audits:
        console.print()
        say(console, next(notes_on_claims(audits)), style="bold")
    for one in audits:
        console.print(Text.assemble(f"{one.verdict}: ", (one.short, "dim")))


def _audit_table(shown: SourceTable) -> Table:
    table = table_of(Text(shown.caption))
    for column in shown.columns:
        table.add_column(column.heading, overflow="fold")
    for row in shown.rows:
        table.add_row(*(Text("\n".join(filter(None, (one.text, one.detail, one.verdict)))) for one in row))
        table.add_section()
    return table


def _panel_table(panel: Panel, axis: Axis | None, *, narrow: bool) -> Table:
    table = table_of(Text.assemble((panel.scenario, "bold"), f" · {panel.load.title}"))
    table.add_column("contender", overflow="fold")
    columns = terminal_columns(panel, narrow=narrow)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    if axis:
        table.add_column(f"{panel.ratio_heading}\n{axis.ticks}", no_wrap=True)
    for row in panel.rows:
        place = f"{panel.rank_of(row)} ".lstrip()
        name = Text.assemble(place, (row.cell.contender, "bold"), "\n", (row.stack, "dim"))
        # Details are below: side by side they would not fit 80 columns.
        strip = (Text(f"{axis.strip(marked(panel, row))}\n{axis.bare}"),) if axis else ()
        table.add_row(name, *(in_two_lines(column.cell(row)) for column in columns), *strip)
    return table
