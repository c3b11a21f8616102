"""What probes found about frameworks, and which choice follows from it, as text ready to print."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.analysis import Analysis
from bench.analysis.findings import Finding, Grounded
from bench.model.claim import Inquiry
from bench.records import Evidence
from bench.report.document import Column, Excerpt, Heading, Section, Table, TableCell, name_column

CAPTION = "A row opens to what the probe got, word for word, and to the SQL that PostgreSQL ran meanwhile"
TITLES = {"orm": "ORM", "api-docs": "API docs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic with the evidence of each contender, and the claims about it."""

    inquiry: Inquiry
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]

    @property
    def title(self) -> str:
        words = self.inquiry.topic.replace("-", " ")
        return TITLES.get(self.inquiry.topic, words)

    @property
    def claimed(self) -> str:
        """The claims about it with their verdicts. Empty if there are none."""
        return "; ".join(f"“{one.claim.says}”: {one.verdict}" for one in self.findings)


def topics(analysis: Analysis) -> tuple[Topic, ...]:
    """Return the topics of the plan that have evidence, in the plan's order."""
    run = analysis.run
    found = tuple(
        Topic(
            inquiry=inquiry,
            evidence=tuple(one for one in run.evidence if one.topic == inquiry.topic),
            findings=tuple(
                one
                for one in analysis.findings
                if one.claim.evidence and one.claim.evidence.topic == inquiry.topic
            ),
        )
        for inquiry in run.plan.inquiries
    )
    return tuple(topic for topic in found if topic.evidence)


def section(analysis: Analysis) -> Section | None:
    found = topics(analysis)
    if not (found or analysis.choices):
        return None
    rows = (
        (TableCell("" if place else topic.title), *map(TableCell, (one.contender, one.outcome, one.shows)))
        for topic in found
        for place, one in enumerate(topic.evidence)
    )
    columns = tuple(Column(heading=one, kind="text") for one in ("topic", "contender", "found", "details"))
    return Section(
        title="Evidence",
        anchor="evidence",
        intro="What each framework brings. Probes looked at running apps, beside those that were timed.",
        tables=(Table(columns=columns, rows=tuple(rows)),),
        notes=(*map(_on_topic, found), *map(_on_choice, analysis.choices)),
    )


def page_table(analysis: Analysis) -> Table:
    """Return the table of a page: a row opens to what the probe got."""
    stacks = {contender.name: contender.stack for contender in analysis.run.contenders}
    rows: list[tuple[TableCell, ...]] = []
    headings: dict[int, Heading] = {}
    for topic in topics(analysis):
        claimed = (f"Claimed: {topic.claimed}",) if topic.claimed else ()
        anchor = f"evidence-{topic.inquiry.topic}"
        headings[len(rows)] = Heading(
            title=topic.title, details=(topic.inquiry.asks, *claimed), anchor=anchor
        )
        rows += [_page_row(topic, one, stacks) for one in topic.evidence]
    return Table(
        caption=CAPTION,
        columns=(
            name_column("stack"),
            Column(heading="found", kind="outcome"),
            Column(heading="details", kind="text"),
        ),
        rows=tuple(rows),
        headings=headings,
        style="evidence",
    )


def _page_row(topic: Topic, evidence: Evidence, stacks: Mapping[str, str]) -> tuple[TableCell, ...]:
    label = f"What the probe got: {topic.title}, {evidence.contender}"
    quotes = {"SQL that its database ran meanwhile": statements(evidence)} if evidence.statements else {}
    got = Excerpt(title="What the probe got", label=label, text=evidence.output, quotes=quotes)
    shows = TableCell(evidence.shows, excerpt=got if evidence.output else None)
    return TableCell(stacks[evidence.contender], evidence.contender), TableCell(evidence.outcome), shows


def _on_topic(topic: Topic) -> str:
    claimed = f" Claimed: {topic.claimed}." if topic.claimed else ""
    return f"{topic.title}: {topic.inquiry.asks}{claimed}"


def _on_choice(one: Grounded) -> str:
    return f"{standing(one)}{'' if one.holds else ':'} {advice(one)} ({' · '.join(grounds(one))})"


def statements(evidence: Evidence) -> tuple[str, ...]:
    """Return the SQL that the database ran meanwhile, with the number of executions."""
    return tuple(f"{calls} × {' '.join(text.split())}" for text, calls in evidence.statements.items())


def advice(one: Grounded) -> str:
    return f"{one.choice.choose} for {one.choice.when}"


def standing(one: Grounded) -> str:
    """Return whether a choice is given, or the reason why not."""
    if one.holds:
        return "Choose"
    missing = any(evidence is None for _, evidence in one.evidence)
    undecided = any(finding.verdict == "cannot tell" for finding in one.findings)
    return "Cannot tell" if missing or undecided else "Not borne out here"


def grounds(one: Grounded) -> Iterator[str]:
    for ground, evidence in one.evidence:
        found = evidence.outcome if evidence else "not looked at"
        differs = "" if found == ground.outcome else f", not {ground.outcome}"
        yield f"{ground.topic.replace('-', ' ')}, {ground.contender}: {found}{differs}"
    for finding in one.findings:
        yield f"“{finding.claim.says}”: {finding.verdict}"
