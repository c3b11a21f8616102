"""Sections and tables as Markdown, and the report made of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from bench.analysis import Analysis
from bench.records import Event, Run
from bench.report import (
    audit,
    blocks,
    by_workers,
    claims,
    cost_tables,
    details,
    evidence,
    forest,
    gains,
    instructions,
    sentences,
    stream_tables,
    upgrades,
)
from bench.report.answer import answer
from bench.report.document import Column, Section, Table, TableCell
from bench.report.panels import Panel, caveats_everywhere, panels
from bench.report.series import Series, apart, series_of
from bench.report.wording import plural

FILE = "report.md"
MAKERS = (
    blocks.section,
    upgrades.section,
    cost_tables.section,
    stream_tables.section,
    by_workers.section,
    gains.section,
    claims.section,
    evidence.section,
    instructions.section,
)
NO_CHARTS: Mapping[str, Mapping[str, str]] = {}


def report_text(analysis: Analysis, charts: Mapping[str, Mapping[str, str]]) -> str:
    """Return report.md.

    *charts*: title of a panel or series → what a chart shows → its file name without ending.
    """
    run, shown = analysis.run, panels(analysis)
    series = series_of(shown)
    answers = tuple(_answers(analysis, shown, series))
    found = (
        *(one.section(analysis.capacities) for one in series),
        *map(sentences.section, shown),
        *further_sections(analysis),
    )
    return joined(
        [
            f"# {run.plan.name}: {plural(len(run.timed), 'contender')} side by side",
            *warned(analysis),
            run.plan.about,
            *_opening(analysis, charts, answers),
            listed(answers),
            "" if shown else "Nothing was measured.",
            *_doubts(analysis),
            *(block for one in found for block in section_blocks(one, charts)),
            *_happened(run.events),
            *section_blocks(details.verifications(run)),
            *section_blocks(details.statements(run)),
            *_which_statements(run),
            *section_blocks(details.steadiness(run, shown)),
            "## How it was measured",
            listed(details.method(run, shown)),
            "Every slice is in [trials.csv](trials.csv), everything above in [summary.json](summary.json).",
            "## Machine and versions",
            table_text(details.facts_table(run.fingerprint)),
        ]
    )


def _opening(
    analysis: Analysis, charts: Mapping[str, Mapping[str, str]], later: Collection[str]
) -> Iterator[str]:
    """Yield the picture and the answer, without what is repeated in the list below it."""
    sentences = (sentence for sentence in answer(analysis) if sentence not in later)
    audited = audit.section(analysis)
    if audited is None:
        yield from _picture(analysis, charts)
        yield from sentences
    else:
        yield from sentences
        yield from section_blocks(audited, charts)
        yield from _picture(analysis, charts)


def _picture(analysis: Analysis, charts: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    if picture := forest.section(analysis):
        drawn = charts.get(picture.charts, {})
        yield from (f"![{picture.title}](charts/{file}.svg)" for file in drawn.values())


def further_sections(analysis: Analysis) -> tuple[Section, ...]:
    """Return what stands below the panels on every page."""
    return tuple(filter(None, (make(analysis) for make in MAKERS)))


def _answers(analysis: Analysis, shown: tuple[Panel, ...], series: tuple[Series, ...]) -> Iterator[str]:
    yield from map(sentences.headline, apart(shown))
    yield from (f"{one.title}: {note}" for one in series for note in one.notes(analysis.capacities))
    if audited := claims.section(analysis):
        yield f"{audited.lead} [Which](#{audited.anchor})"


def _doubts(analysis: Analysis) -> Iterator[str]:
    if caveats := caveats_everywhere(analysis):
        yield "What makes every number here less certain:"
        yield listed(caveats)


def _happened(events: Iterable[Event]) -> Iterator[str]:
    if events:
        yield "## What happened"
        yield listed(
            _with_below(
                f"{', '.join(filter(None, (f'{event.at_s:.0f} s into the run', event.contender)))}: "
                f"{quoted(event.what)}",
                (quoted(line) for line in event.log.splitlines() if line.strip()),
            )
            for event in events
        )


def _which_statements(run: Run) -> Iterator[str]:
    counted = details.statement_table(run).counts
    if counted:
        yield "<details><summary>Which statements</summary>"
        yield listed(
            _with_below(
                f"{name}, {one.exchange}",
                (f"{details.per_request(calls)} × {quoted(text)}" for text, calls in one.statements.items()),
            )
            for name, counts in counted.items()
            for one in counts
            if one and one.statements
        )
        yield "</details>"


def joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(filter(None, blocks)) + "\n"


def listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _with_below(item: str, below: Iterable[str]) -> str:
    return "\n".join((item, *(f"  - {line}" for line in below)))


def warned(analysis: Analysis) -> Iterator[str]:
    return (f"> **{what}** {so}" for what, so in details.warnings(analysis))


def table_text(table: Table) -> str:
    headings, rules = "|", "|"
    for column in table.columns:
        for heading in (column.heading, column.detail) if column.detail else (column.heading,):
            headings += f" {cell(heading)} |" if heading else " |"
            rules += "--:|" if column.kind == "number" else "---|"
    return "\n".join((headings, rules, *(_line(table.columns, row) for row in table.rows)))


def _line(columns: Iterable[Column], row: Iterable[TableCell]) -> str:
    values = zip(columns, row, strict=True)
    parted = ((one.text, one.detail) if column.detail else (one.line,) for column, one in values)
    return f"| {' | '.join(cell(text) for texts in parted for text in texts)} |"


def section_blocks(
    section: Section, charts: Mapping[str, Mapping[str, str]] = NO_CHARTS, level: int = 2
) -> Iterator[str]:
    """Yield the parts of *section* that a blank line separates."""
    drawn = charts.get(section.charts, {})
    pictures = {what: f"![{what} of {section.title}](charts/{file}.svg)" for what, file in drawn.items()}
    yield f"{'#' * level} {section.title}"
    yield section.intro
    yield from (picture for what, picture in pictures.items() if what not in section.charts_below)
    for table in section.tables:
        yield f"{table.caption}:" if table.captioned else ""
        yield table_text(table)
    yield from (picture for what, picture in pictures.items() if what in section.charts_below)
    for part in section.parts:
        yield from section_blocks(part, charts, level + 1)
    quotes = (_with_below(f"{what}:", map(quoted, lines)) for what, lines in section.quotes.items())
    notes = (*section.notes, *(f"**{caveat}**" for caveat in section.caveats))
    yield listed((*(note.replace("<", "&lt;") for note in notes), *quotes))


def cell(text: object) -> str:
    """Return *text* escaped for a cell of a Markdown table: a pipe or a line break would end the cell."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def quoted(text: str) -> str:
    """Return *text* on one line between backticks. It may contain HTML or backticks from a server."""
    return f"`{' '.join(text.split()).replace('`', 'ˋ')}`"
