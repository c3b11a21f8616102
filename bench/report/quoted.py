"""The part of a report that a README quotes: picture, answer and tables, between two markers."""

from collections.abc import Iterator
from pathlib import Path

from bench.analysis import Analysis, analyse
from bench.errors import UsageError
from bench.files import write_atomically
from bench.records import Run
from bench.report.answer import answer
from bench.report.details import facts
from bench.report.document import Column, Table, TableCell
from bench.report.forest import forest
from bench.report.markdown import joined, table_text, warned
from bench.report.panels import Panel, caveats_everywhere, panels, quoted_columns
from bench.report.series import apart
from bench.report.wording import abouts

BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"


def quotation(analysis: Analysis, folder: str) -> str:
    """Return the Markdown for a README. *folder*: the folder of the report, as links need it."""
    shown = apart(panels(analysis))
    blocks = [
        *warned(analysis),
        *_picture(analysis, folder),
        *answer(analysis),
        *(block for panel in shown for block in _panel(analysis, panel)),
        f"{_circumstances(analysis)}. [The whole report]({folder}/report.md)",
    ]
    return f"\n{joined(blocks)}\n"


def _picture(analysis: Analysis, folder: str) -> Iterator[str]:
    if found := forest(analysis):
        yield f"![{found.title}]({folder}/charts/{found.slug}.svg)"


def _panel(analysis: Analysis, panel: Panel) -> Iterator[str]:
    columns = quoted_columns(panel)
    yield f"**{abouts(analysis.run)[panel.scenario]}** ({panel.title})"
    texts = (Column(heading=heading, kind="text") for heading in ("rank", "stack"))
    rows = (
        (
            TableCell(panel.rank_of(row)),
            TableCell(f"{row.stack}{', against itself' * row.is_control}"),
            *(column.cell(row) for column in columns),
        )
        for row in panel.rows
    )
    yield table_text(Table(columns=(*texts, *columns), rows=tuple(rows)))


def _circumstances(analysis: Analysis) -> str:
    run, known = analysis.run, facts(analysis.run.fingerprint)
    rounds = len({record.slice.round for record in run.records})
    parts = [
        f"{rounds} rounds",
        f"runtime {run.runtime}",
        run.started_at[:10],
        f"commit {known.get('project.commit', 'unknown')[:8]}",
    ]
    if machine := known.get("machine.class"):
        parts.append(machine)
    if python := known.get("python.version"):
        parts.append(f"Python {python}")
    return "; ".join((", ".join(parts), *caveats_everywhere(analysis)))


def between_markers(document: str, text: str) -> str:
    """Return *document* with *text* between its markers. Raises UsageError without exactly one pair."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise UsageError(f"it needs one line {BEGIN} and one {END} below it, for what is quoted")
    return f"{before}{BEGIN}\n{text}{END}{after}"


def quote(run: Run, folder: Path, document: Path) -> None:
    """Insert *run*, whose report is in *folder*, between the markers of *document*.

    Raises UsageError if there are no markers, or the file cannot be read or written.
    """
    try:
        link = folder.resolve().relative_to(document.resolve().parent).as_posix()
    except ValueError as error:
        raise UsageError(f"{document}: {folder} does not lie beside or below it") from error
    try:
        text = between_markers(document.read_text(), quotation(analyse(run), link))
        write_atomically(document, text.encode())
    except OSError as error:
        raise UsageError(f"{document}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{document}: {error}") from error
    except UsageError as error:
        raise UsageError(f"{document}: {error}") from error
