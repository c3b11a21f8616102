"""The part of a report that a README quotes: answer, tables and a chart, between two markers."""

from pathlib import Path

from bench.analysis import Analysis, analyse
from bench.errors import UsageError
from bench.files import write_atomically
from bench.records import Run
from bench.report.answer import abouts, answer
from bench.report.details import facts, warnings
from bench.report.markdown import environment
from bench.report.panels import caveats_everywhere, panels, quoted_columns
from bench.report.series import apart

BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"


def quotation(analysis: Analysis, folder: str) -> str:
    """Return the Markdown for a README. *folder*: the folder of the report, as links need it."""
    shown = panels(analysis)
    return (
        environment(columns=quoted_columns)
        .get_template("quoted.md.j2")
        .render(
            run=analysis.run,
            warnings=tuple(warnings(analysis)),
            answer=answer(analysis),
            abouts=abouts(analysis.run),
            panels=apart(shown),
            caveats=caveats_everywhere(analysis),
            fingerprint=facts(analysis.run.fingerprint),
            folder=folder,
        )
    )


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
