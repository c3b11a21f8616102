"""The report of a run: a page, its charts, and files for machines; from the run alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.analysis import Analysis, analyse, first_answers
from bench.documents import write_atomically
from bench.records import Run
from bench.report import wording
from bench.report.columns import page_columns
from bench.report.looks import looks_of
from bench.report.panels import caveats_everywhere, panels
from bench.report.sentences import headline, notes
from bench.report.series import apart, series_of
from bench.report.statements import per_request, statement_table
from bench.report.summary import write_summary

FILE = "report.md"
CHARTS = "charts"
_LISTED = ("packages", "settings", "harness")  # facts that are long, and read on one line


def write_report(run: Run, folder: Path) -> Path:
    """Write report.md, charts/, summary.json and trials.csv of *run* into *folder*; return report.md."""
    # Here because Matplotlib and pandas take a second that no other command should wait for.
    from bench.report.charts import write_charts, write_series_charts
    from bench.report.exporters import write_trials

    analysis = analyse(run)
    (folder / CHARTS).mkdir(parents=True, exist_ok=True)
    looks = looks_of(contender.name for contender in run.contenders)
    shown = panels(analysis)
    charts = {panel.title: write_charts(panel, looks, folder / CHARTS) for panel in apart(shown)}
    charts |= {one.title: write_series_charts(one, looks, folder / CHARTS) for one in series_of(shown)}
    write_summary(analysis, folder)
    write_trials(run, folder)
    path = folder / FILE
    write_atomically(path, report_text(analysis, charts).encode())
    return path


def report_text(analysis: Analysis, charts: Mapping[str, Mapping[str, str]]) -> str:
    """Return report.md; *charts*: by the title of a panel or series its charts, title → file's stem."""
    run = analysis.run
    environment = Environment(
        loader=PackageLoader("bench.report"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown: `cell` and `quoted` keep its tables and code whole
    )
    environment.filters |= {"cell": _cell, "quoted": _quoted, "headline": headline, "notes": notes}
    environment.filters["per_request"] = per_request
    environment.filters |= {"columns": page_columns, "joined": _joined}
    shown = panels(analysis)
    return environment.get_template("report.md.j2").render(
        analysis=analysis,
        run=run,
        plan=run.plan,
        panels=shown,
        apart=apart(shown),
        series=series_of(shown),
        charts=charts,
        caveats=caveats_everywhere(analysis),
        fingerprint=dict(_flat(run.fingerprint)),
        statements=statement_table(run),
        first_answers=first_answers(run),
        words=wording,
    )


def _joined(parts: tuple[str, str]) -> str:
    """Return what a cell says with its detail in brackets behind it."""
    main, detail = parts
    return f"{main} ({detail})" if detail else main


def _cell(text: object) -> str:
    """Return *text* fit for a cell of a Markdown table, which a pipe or a line break would end."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _quoted(text: str) -> str:
    """Return *text* on one line between backticks; it may hold HTML or backticks that a server sent."""
    return f"`{' '.join(text.split()).replace('`', 'ˋ')}`"


def _flat(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested facts as dotted names and plain text."""
    for name, value in facts.items():
        if name in _LISTED and isinstance(value, Mapping):
            yield f"{above}{name}", ", ".join(f"{key} {held}" for key, held in value.items())
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            listed = isinstance(value, list | tuple)
            yield f"{above}{name}", ", ".join(map(str, value)) if listed else str(value)
