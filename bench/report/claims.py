"""The claims of a plan: what is claimed, what is measured, the verdict and its reason, in words."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from bench.analysis import Analysis
from bench.analysis.findings import Allowed, ClaimVerdict, Finding
from bench.analysis.statistics import Estimate
from bench.model.claim import Claim, ClaimedRatio
from bench.report.document import Column, Section, Table, TableCell, name_column
from bench.report.wording import NOTHING, at_least, both, edge, figure, interval, levels, measured, plural

CLAIM = name_column("claim", detail="source", term="claim")
WHY = Column(heading="why", kind="text")
COLUMNS = (
    CLAIM,
    Column(heading="claimed", kind="figure"),
    Column(heading="measured here", kind="figure"),
    Column(heading="ratio claimed", kind="figure"),
    Column(heading="ratio measured", kind="figure"),
    Column(heading="verdict", kind="verdict", term="claim"),
    WHY,
)
CAPTION = (
    "What was claimed, held against this run. Below a claim: its source; below a ratio measured: its "
    "interval over rounds"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A claim's finding as text, ready to print. "–" if there is nothing to show."""

    finding: Finding
    claimed: TableCell  # the claimed value
    measured: TableCell  # the same, measured here
    ratio_claimed: str
    ratio_measured: TableCell
    why: str  # a sentence

    @property
    def claim(self) -> Claim:
        return self.finding.claim

    @property
    def verdict(self) -> ClaimVerdict:
        return self.finding.verdict

    @property
    def short(self) -> str:
        """The claim with its answer on one line, without the verdict.

        Parts that the plan lacks are left out.
        """
        if self.claim.needs:
            return self.claim.says
        if self.finding.evidence:
            return f"{self.claim.says}: {self.why}"
        ratios = f"{self.ratio_measured.line}, claimed {self.ratio_claimed}"
        return f"{self.claim.says}: {self.why if self.finding.reason else ratios}"


def audited(analysis: Analysis) -> tuple[Audited, ...]:
    return tuple(
        Audited(
            finding=finding,
            claimed=_claimed(finding.claim),
            measured=_measured(finding),
            ratio_claimed=_ratio_claimed(finding.ratio),
            ratio_measured=measured(_ratio(finding), of_ratio=True),
            why=_why(finding),
        )
        for finding in analysis.findings
    )


def section(analysis: Analysis) -> Section | None:
    audits = audited(analysis)
    if not audits:
        return None
    lead, *_ = sentences = tuple(notes(audits))
    made = (judged_table(audits), unmeasured_table(audits))
    return Section(
        title="Claims",
        anchor="claims",
        lead=lead,
        tables=tuple(table for table in made if table.rows),
        notes=sentences,
    )


def judged_table(audits: Sequence[Audited]) -> Table:
    """Return a line for every claim that the plan measures."""
    lines = (
        (
            TableCell(one.claim.says, one.claim.source),
            one.claimed,
            one.measured,
            TableCell(one.ratio_claimed),
            one.ratio_measured,
            TableCell(one.verdict),
            TableCell(one.why),
        )
        for one in audits
        if not one.claim.needs
    )
    return Table(caption=CAPTION, columns=COLUMNS, rows=tuple(lines), style="sortable claims")


def unmeasured_table(audits: Sequence[Audited]) -> Table:
    """Return a line for every claim that the plan does not measure."""
    return Table(
        caption="Claims that this plan cannot judge",
        captioned=True,
        columns=(CLAIM, WHY),
        rows=tuple(
            (TableCell(one.claim.says, one.claim.source), TableCell(one.why))
            for one in audits
            if one.claim.needs
        ),
        style="sortable claims",
    )


def notes(audits: Sequence[Audited]) -> Iterator[str]:
    counts = Counter(one.verdict for one in audits)
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(ClaimVerdict))
    yield f"Of {plural(len(audits), 'claim')}: {verdicts}."
    judged = [one for one in audits if one.claim.figure or one.claim.ratio]
    if judged:
        level = levels(_ratio(one.finding) for one in judged)
        each = f" One interval each ({level}, not adjusted for their number)." if level else ""
        yield (
            "Verdicts are on ratios, as absolute figures belong to their machine. Supported: the whole "
            "interval lies within what the claim allows. Not supported: it lies wholly outside. Else: cannot "
            f"tell.{each}"
        )
    if any(one.claim.figure and one.claim.figure.latency_ms for one in judged):
        yield ("Latency at saturation follows from throughput (Little's law): it has no verdict of its own.")


def _claimed(claim: Claim) -> TableCell:
    if claim.evidence:
        return TableCell(f"{claim.evidence.topic}: {claim.evidence.outcome}")
    figure_claimed = claim.figure
    if figure_claimed is None:
        return TableCell(NOTHING)
    latency = f"{figure_claimed.latency_ms:,.10g} ms" if figure_claimed.latency_ms else ""
    return TableCell(f"{figure_claimed.throughput_rps:,.10g} req/s", latency, in_brackets=False)


def _measured(finding: Finding) -> TableCell:
    if finding.evidence:
        return TableCell(f"{finding.evidence.contender}: {finding.evidence.outcome}")
    row = finding.row
    if finding.claim.figure is None or row is None or not row.requests:
        return TableCell(NOTHING)
    throughput = at_least(row.throughput_rps) if row.client_limit else both(row.throughput_rps)
    latency = f"mean {figure(row.latency.mean_ms)} ms with {row.cell.load.connections} in flight"
    return TableCell(f"{throughput} req/s", latency, in_brackets=False)


def _ratio(finding: Finding) -> Estimate | None:
    return finding.comparison.ratio if finding.comparison else None


def _ratio_claimed(claimed: ClaimedRatio | None) -> str:
    if claimed is None:
        return NOTHING
    what = "CPU per request, " if claimed.metric == "service_demand_us" else ""
    size = f"≥ {edge(claimed.at_least)}" if claimed.about is None else edge(claimed.about)
    return f"{what}{size} × {claimed.reference}"


def _why(finding: Finding) -> str:
    if finding.reason:
        return f"{finding.reason[0].upper()}{finding.reason[1:]}."
    if finding.evidence:
        return finding.evidence.shows
    found, allowed = _ratio(finding), finding.allowed
    where = interval(found, of_ratio=True)
    if found is None or allowed is None or not where:
        return "There is no ratio."
    match finding.verdict:
        case "supported" if allowed.high is None:
            return f"All of {where} lies above {edge(allowed.low)}."
        case "supported":
            return f"All of {where} lies within {edge(allowed.low)}–{edge(allowed.high)}."
        case "not supported" if found.estimate < allowed.low:
            return f"All of {where} lies below {edge(allowed.low)}, the least that the claim allows."
        case "not supported":
            return f"All of {where} lies above {edge(allowed.high)}, the most that the claim allows."
        case "cannot tell":
            crossed = " and ".join(map(edge, _crossed(found, allowed)))
            return f"{where} reaches across {crossed}: more rounds would narrow it."


def _crossed(measured: Estimate, allowed: Allowed) -> Iterator[float]:
    low, high = measured.low or 0.0, measured.high or math.inf
    return (edge for edge in (allowed.low, allowed.high) if edge is not None and low <= edge <= high)
