"""The report as Markdown."""

from collections.abc import Callable, Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.analysis import Analysis
from bench.report import blocks, claims, details, evidence, gains, wording
from bench.report.by_workers import by_workers
from bench.report.details import facts, per_request, statement_table
from bench.report.panels import caveats_everywhere, page_columns, panels
from bench.report.sentences import headline, notes
from bench.report.series import apart, series_of

FILE = "report.md"


def environment(**filters: Callable[..., object]) -> Environment:
    """Return the Jinja environment of every Markdown template, with *filters* added to its own."""
    made = Environment(
        loader=PackageLoader("bench.report"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown: `cell` and `quoted` keep its tables and code whole
    )
    made.filters |= {"cell": cell, "joined": _joined, "quoted": _quoted, **filters}
    return made


def report_text(analysis: Analysis, charts: Mapping[str, Mapping[str, str]]) -> str:
    """Return report.md.

    *charts*: title of a panel or series → what a chart shows → its file name without ending.
    """
    run = analysis.run
    shown = panels(analysis)
    filled = environment(headline=headline, notes=notes, per_request=per_request, columns=page_columns)
    return filled.get_template("report.md.j2").render(
        analysis=analysis,
        run=run,
        plan=run.plan,
        panels=shown,
        apart=apart(shown),
        series=series_of(shown),
        charts=charts,
        audits=claims.audited(analysis),
        claims=claims,
        topics=evidence.topics(analysis),
        evidence=evidence,
        gains=gains,
        blocks=(beside := blocks.besides(analysis)),
        block_notes=tuple(blocks.notes(analysis, beside)),
        scaled=by_workers(analysis),
        warnings=details.warnings(analysis),
        caveats=caveats_everywhere(analysis),
        method=details.method(run, shown),
        fingerprint=facts(run.fingerprint),
        steadiness=details.lines(shown),
        steadiness_headings=details.HEADINGS,
        steadiness_notes=tuple(details.notes(run)),
        statements=statement_table(run),
        words=wording,
    )


def _joined(parts: tuple[str, str]) -> str:
    main, detail = parts
    return f"{main} ({detail})" if detail else main


def cell(text: object) -> str:
    """Return *text* escaped for a cell of a Markdown table: a pipe or a line break would end the cell."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _quoted(text: str) -> str:
    """Return *text* on one line between backticks. It may contain HTML or backticks from a server."""
    return f"`{' '.join(text.split()).replace('`', 'ˋ')}`"
