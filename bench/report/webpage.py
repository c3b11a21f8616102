"""The report as one HTML file that needs no network and no other file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench.analysis import Analysis
from bench.analysis.measures import Round, rounds_of
from bench.analysis.rows import Row
from bench.model.cell import Cell
from bench.report import audit, details, evidence, forest, sentences, wording
from bench.report.answer import answer
from bench.report.charts.style import MARKS, Look
from bench.report.charts.svg import Drawing, css, variable_of
from bench.report.columns import RowColumn
from bench.report.details import facts, per_request
from bench.report.document import Column, Heading, Table, TableCell, contender_cell, name_column
from bench.report.glossary import anchor, explained, meanings, term, unbroken
from bench.report.markdown import further_sections
from bench.report.panels import Panel, caveats_everywhere, overview_columns, page_columns, panels
from bench.report.series import apart, series_of
from bench.report.wording import abouts

FILE = "report.html"

FILTERS: Mapping[str, Callable[..., object]] = {
    "anchor": anchor,
    "css": css,
    "explained": explained,
    "gist": sentences.gist,
    "per_request": per_request,
    "section": sentences.section,
    "unbroken": unbroken,
    "variable": variable_of,
}


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("bench.report"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=True,  # names, statements and answers of servers are untrusted input
    )
    made.filters |= FILTERS
    made.globals |= {"term": term, "words": wording, "marks": MARKS}
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The numbers that an architect pays for, in one scenario."""

    panel: Panel
    about: str
    columns: tuple[RowColumn, ...]
    at_rate: bool  # latency is measured at one rate for all


def report_html(
    analysis: Analysis, drawings: Mapping[str, tuple[Drawing, ...]], looks: Mapping[str, Look]
) -> str:
    """Return report.html. *drawings*: title of a panel or series → its charts."""
    run = analysis.run
    shown = panels(analysis)
    overviews = _overviews(analysis, shown)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            analysis=analysis,
            run=run,
            plan=run.plan,
            looks=looks,
            abouts=abouts(run),
            picture=forest.section(analysis),
            audit=audit.section(analysis),
            answer=answer(analysis),
            overviews=overviews,
            costs=_costs(overviews),
            panels=shown,
            series=series_of(shown),
            apart=apart(shown),
            drawings=drawings,
            panel_table=partial(_panel_table, rounds_of(run)),
            sections=further_sections(analysis),
            evidence=evidence,
            evidence_table=evidence.page_table(analysis),
            warnings=tuple(details.warnings(analysis)),
            caveats=caveats_everywhere(analysis),
            void=details.void_table(run),
            served=details.served_table(run),
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
    )


def _overviews(analysis: Analysis, shown: tuple[Panel, ...]) -> tuple[Overview, ...]:
    """Return an overview per scenario and closed load without a series.

    If all loads are in a series: one for each.
    """
    words = abouts(analysis.run)
    workers = {one.name: one.workers for one in analysis.run.contenders}
    closed = tuple(panel for panel in apart(shown) or shown if panel.load.compares_throughput)
    return tuple(
        Overview(
            panel=panel,
            about=words.get(panel.scenario, panel.scenario),
            columns=overview_columns(panel, at_rate := _at_common_rate(panel, shown), workers),
            at_rate=bool(at_rate),
        )
        for panel in closed
    )


def _at_common_rate(panel: Panel, shown: tuple[Panel, ...]) -> Mapping[str, Row]:
    """Return the rows of the panel's scenario at the first rate common to all. Empty if there is none."""
    common = (other for other in shown if other.scenario == panel.scenario and other.load.is_at_one_rate)
    found = next(common, None)
    return {row.cell.contender: row for row in found.rows} if found else {}


def _costs(overviews: tuple[Overview, ...]) -> Table | None:
    rows: list[tuple[TableCell, ...]] = []
    headings: dict[int, Heading] = {}
    for overview in overviews:
        headings[len(rows)] = Heading(title=overview.about, details=(overview.panel.title,))
        rows += [
            (_stack(row), *(column.cell(row) for column in overview.columns))
            for row in overview.panel.contenders
        ]
    if not overviews:
        return None
    return Table(
        caption="Throughput, and what an architect pays for it. Below a number: its interval over rounds",
        columns=(name_column("stack", term="stack"), *overviews[0].columns),
        rows=tuple(rows),
        headings=headings,
    )


def _stack(row: Row) -> TableCell:
    name = row.cell.contender
    failed = (f"{row.failed:,} failed",) if row.failed else ()
    limited = (term("client-limited"),) if row.client_limit else ()
    return TableCell(row.stack, Markup(" · ").join((name, *failed, *limited)), contender=name)


def _panel_table(rounds: Mapping[Cell, tuple[Round, ...]], panel: Panel, anchor: str) -> Table:
    """Return every number of *panel*. A row opens to its *rounds*."""
    columns = page_columns(panel)
    return Table(
        caption=f"{panel.title}: every number; ▸ opens a row to its rounds",
        columns=(
            Column(heading="rank", term="rank", kind="rank"),
            name_column("contender", term="contender"),
            *columns,
        ),
        rows=tuple(
            (
                TableCell(panel.rank_of(row)),
                contender_cell(row.cell.contender, row.stack),
                *(column.cell(row) for column in columns),
            )
            for row in panel.rows
        ),
        faint=frozenset(number for number, row in enumerate(panel.rows) if row.is_control),
        anchor=anchor,
        opened=tuple(
            (f"Rounds of {row.cell.contender} in {panel.title}", _rounds_table(panel, row, rounds[row.cell]))
            for row in panel.rows
        ),
    )


def _rounds_table(panel: Panel, row: Row, rounds: tuple[Round, ...]) -> Table:
    headings = (
        "req/s",
        panel.ratio_heading,
        "server CPU µs/req",
        "memory MiB",
        "verified",
        "failed",
        "void slices",
    )
    return Table(
        caption=f"{row.cell.contender}, round by round: medians over sweeps",
        columns=(
            Column(heading="round", kind="numbered"),
            *(Column(heading=heading) for heading in headings),
        ),
        rows=tuple(
            tuple(
                map(
                    TableCell,
                    (
                        str(one.number),
                        wording.figure(one.throughput_rps),
                        wording.ratio(one.ratio),
                        wording.figure(one.service_demand_us),
                        wording.mebibytes(one.memory_bytes),
                        f"{one.requests:,}",
                        f"{one.failed:,}",
                        str(one.voids),
                    ),
                )
            )
            for one in rounds
        ),
        style="",
    )
