"""Results on the terminal: a table per scenario and load, then what its reader must know."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.analysis import Estimate, Row, analyse
from bench.records import Run
from bench.report.panels import Panel, caveats_everywhere, notes, panels
from bench.report.wording import connections, figure, interval, mebibytes, plural, point

NARROW = 72  # columns; below it CPU and memory give way
WARNING = "yellow"


def print_run(run: Run, console: Console) -> None:
    """Print the tables of *run* on *console*; plain text where that is not a terminal."""
    analysis = analyse(run)
    plan = run.plan
    _say(
        console,
        f"{plan.name}: {plural(plan.rounds, 'round')} × {plural(plan.sweeps, 'sweep')} of {plan.window_s:g} s"
        f", runtime {run.runtime}, {run.started_at}",
        style="bold",
    )
    if not analysis.rows:
        _say(console, "Nothing was measured.", style=WARNING)
    for panel in panels(analysis):
        console.print()
        console.print(_table(panel, narrow=console.width < NARROW))
        for note in notes(panel):
            _say(console, note, style="dim")
        for caveat in panel.caveats:
            _say(console, f"! {caveat}", style=WARNING)
    console.print()
    for caveat in caveats_everywhere(analysis):
        _say(console, f"! {caveat}", style=WARNING)
    for verification in run.verifications:
        if verification.outcome == "failed":
            differences = "; ".join(verification.differences[:1])
            _say(console, f"! {verification.contender} was not timed: {differences}", style=WARNING)


def _table(panel: Panel, *, narrow: bool) -> Table:
    table = Table(
        title=Text.assemble((panel.scenario, "bold"), f" · {connections(panel.load)}"),
        title_justify="left",
        title_style="",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("contender", overflow="fold")
    for heading in _headings(panel, narrow=narrow):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in panel.rows:
        table.add_row(*_cells(panel, row, narrow=narrow))
    return table


def _headings(panel: Panel, *, narrow: bool) -> list[str]:
    headings = ["req/s", f"× {panel.reference}", "p50\nms", "p99\nms"]
    if not narrow:
        headings += ["CPU\nµs/req", "MiB"]
    return [*headings, "failed"] if panel.any_failed else headings


def _cells(panel: Panel, row: Row, *, narrow: bool) -> list[Text]:
    cells = [
        Text.assemble((row.cell.contender, "bold"), "\n", (row.stack, "dim")),
        _two_lines(row.throughput_rps),
        _two_lines(panel.ratio_of(row), of_ratio=True),
        Text(figure(row.latency.p50_ms)),
        Text(figure(row.latency.p99_ms)),
    ]
    if not narrow:
        cells += [Text(point(row.service_demand_us)), Text(mebibytes(row.memory_peak_bytes))]
    if panel.any_failed:
        cells.append(Text(f"{row.failed:,}", style="red" if row.failed else ""))
    return cells


def _two_lines(estimate: Estimate | None, *, of_ratio: bool = False) -> Text:
    """Put the interval below the estimate: side by side they would not fit 80 columns."""
    return Text.assemble(
        point(estimate, of_ratio=of_ratio), "\n", (interval(estimate, of_ratio=of_ratio), "dim")
    )


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style))
