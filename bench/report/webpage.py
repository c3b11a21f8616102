"""The report as one HTML file that needs no network and no other file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.analysis import Analysis
from bench.analysis.measures import rounds_of
from bench.analysis.rows import Row
from bench.report import blocks, by_workers, claims, details, evidence, gains, sentences, wording
from bench.report.answer import abouts, answer
from bench.report.charts.style import MARKS, Look
from bench.report.charts.svg import Drawing, css, variable_of
from bench.report.details import facts, per_request
from bench.report.glossary import anchor, explained, meanings, term, unbroken
from bench.report.panels import Panel, PanelColumn, caveats_everywhere, overview_columns, page_columns, panels
from bench.report.series import apart, series_of

FILE = "report.html"
MAKERS = (blocks.section, by_workers.section, gains.section, claims.section)

FILTERS: Mapping[str, Callable[..., object]] = {
    "anchor": anchor,
    "columns": page_columns,
    "css": css,
    "explained": explained,
    "gist": sentences.gist,
    "per_request": per_request,
    "section": sentences.section,
    "unbroken": unbroken,
    "variable": variable_of,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The numbers that an architect pays for, in one scenario."""

    panel: Panel
    about: str
    columns: tuple[PanelColumn, ...]
    at_rate: bool  # latency is measured at one rate for all


def report_html(
    analysis: Analysis, drawings: Mapping[str, tuple[Drawing, ...]], looks: Mapping[str, Look]
) -> str:
    """Return report.html. *drawings*: title of a panel or series → its charts."""
    run = analysis.run
    environment = Environment(
        loader=PackageLoader("bench.report"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=True,  # names, statements and answers of servers are untrusted input
    )
    environment.filters |= FILTERS
    environment.globals |= {"term": term, "words": wording, "marks": MARKS}
    shown = panels(analysis)
    return environment.get_template("report.html.j2").render(
        analysis=analysis,
        run=run,
        plan=run.plan,
        looks=looks,
        abouts=abouts(run),
        answer=answer(analysis),
        overviews=_overviews(analysis, shown),
        panels=shown,
        series=series_of(shown),
        apart=apart(shown),
        drawings=drawings,
        topics=evidence.topics(analysis),
        evidence=evidence,
        sections=tuple(filter(None, (make(analysis) for make in MAKERS))),
        stacks={contender.name: contender.stack for contender in run.contenders},
        rounds=rounds_of(run),
        warnings=tuple(details.warnings(analysis)),
        caveats=caveats_everywhere(analysis),
        void=tuple(record for record in run.records if record.void is not None),
        verifications=details.verifications(run),
        steadiness=details.steadiness(run, shown),
        statements=details.statements(run),
        counts=details.statement_table(run).counts,
        found_itself_on=details.facts_table(run.fingerprint),
        method=tuple(details.method(run, shown)),
        scope=details.SCOPE,
        fingerprint=facts(run.fingerprint),
        meanings=meanings(),
    )


def _overviews(analysis: Analysis, shown: tuple[Panel, ...]) -> tuple[Overview, ...]:
    """Return an overview per scenario and closed load without a series.

    If all loads are in a series: one for each.
    """
    said = abouts(analysis.run)
    workers = {one.name: one.workers for one in analysis.run.contenders}
    closed = tuple(panel for panel in apart(shown) or shown if not panel.is_open)
    return tuple(
        Overview(
            panel=panel,
            about=said.get(panel.scenario, panel.scenario),
            columns=overview_columns(panel, at_rate := _at_common_rate(panel, shown), workers),
            at_rate=bool(at_rate),
        )
        for panel in closed
    )


def _at_common_rate(panel: Panel, shown: tuple[Panel, ...]) -> Mapping[str, Row]:
    """Return the rows of the panel's scenario at the first rate common to all. Empty if there is none."""
    common = (
        other for other in shown if other.scenario == panel.scenario and (other.load.rate or other.load.of)
    )
    found = next(common, None)
    return {row.cell.contender: row for row in found.rows} if found else {}
