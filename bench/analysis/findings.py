"""What a run shows about a plan's claims, and whether the grounds of each choice were found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.analysis.comparisons import Comparison, between, judged, noise_floor_of, verdict_of
from bench.analysis.processes import format_cores, server_cores
from bench.analysis.rows import LIMITED, Row, unfit
from bench.analysis.statistics import FEWEST_FOR_INTERVAL, Estimate
from bench.loads import Closed
from bench.model.cell import Cell
from bench.model.claim import Choice, Claim, ClaimedFigure, ClaimedRatio, Ground
from bench.records import Evidence, Run

ClaimVerdict = Literal["supported", "not supported", "cannot tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The ratios that a claim allows, both edges included. *high* None: no upper edge."""

    low: float
    high: float | None = None

    @classmethod
    def by(cls, claimed: ClaimedRatio) -> "Allowed":
        """Return the ratios from *at_least* up, or from about / (1 + within) to about · (1 + within)."""
        if claimed.about is None:
            return cls(low=claimed.at_least or 0.0)
        return cls(low=claimed.about / (1 + claimed.within), high=claimed.about * (1 + claimed.within))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a run shows about one claim. A figure is judged by its *ratio* to the figure of the reference."""

    claim: Claim
    verdict: ClaimVerdict
    row: Row | None = None  # of the contender; None: not measured, or the claim names no contender
    ratio: ClaimedRatio | None = None  # as claimed; None: no ratio to judge by
    comparison: Comparison | None = None  # as measured
    evidence: Evidence | None = None  # as found
    reason: str = ""  # why there is no verdict, where the reason is not the width of the interval

    @property
    def allowed(self) -> Allowed | None:
        return Allowed.by(self.ratio) if self.ratio else None


def verdict_on(ratio: Estimate | None, allowed: Allowed) -> ClaimVerdict:
    """Return "supported" if the whole interval of *ratio* is *allowed*, "not supported" if none of it is."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return "cannot tell"
    if ratio.high < allowed.low or (allowed.high is not None and ratio.low > allowed.high):
        return "not supported"
    inside = ratio.low >= allowed.low and (allowed.high is None or ratio.high <= allowed.high)
    return "supported" if inside else "cannot tell"


def evidence_for(run: Run, ground: Ground) -> Evidence | None:
    return next(
        (
            one
            for one in run.evidence
            if (one.topic, one.contender) == (ground.topic, ground.contender)
            and one.outcome != "not looked at"
        ),
        None,
    )


def findings(
    run: Run, rows: Sequence[Row], floors: Sequence[Comparison], invalid: str | None
) -> tuple[Finding, ...]:
    """Return a finding for each claim of the plan. An *invalid* run gives no verdict."""
    by_cell = {row.cell: row for row in rows}
    return tuple(_finding(run, claim, by_cell, floors, invalid) for claim in run.plan.claims)


def _finding(
    run: Run, claim: Claim, rows: Mapping[Cell, Row], floors: Sequence[Comparison], invalid: str | None
) -> Finding:
    if claim.evidence:
        return _on_evidence(claim, claim.evidence, evidence_for(run, claim.evidence))
    claimed = claim.figure or claim.ratio
    if claimed is None:
        return Finding(claim=claim, verdict="cannot tell", reason=f"it needs {claim.needs}")
    ratio = _relative(run, claim, claim.figure) if claim.figure else claim.ratio
    comparison = (
        between(run, _cell(ratio), ratio.reference, ratio.metric, unfit(rows.values())) if ratio else None
    )
    reason = (
        "the run is not valid"
        if invalid
        else _missing(run, ratio or claimed, rows)
        or (_short_of_cores(run, ratio) if ratio else _alone(run, claimed))
        or (_no_verdict(run, comparison, floors) if comparison else "")
    )
    measured = comparison.ratio if comparison else None
    return Finding(
        claim=claim,
        verdict=verdict_on(measured, Allowed.by(ratio)) if ratio and not reason else "cannot tell",
        row=rows.get(_cell(claimed)),
        ratio=ratio,
        comparison=comparison,
        reason=reason,
    )


def _on_evidence(claim: Claim, ground: Ground, evidence: Evidence | None) -> Finding:
    if evidence is None:
        return Finding(
            claim=claim, verdict="cannot tell", reason=f"no probe looked at {ground.contender} for it"
        )
    if evidence.outcome == "facts":
        return Finding(
            claim=claim,
            verdict="cannot tell",
            evidence=evidence,
            reason="its probe reports facts, no outcome",
        )
    verdict: ClaimVerdict = "supported" if evidence.outcome == ground.outcome else "not supported"
    return Finding(claim=claim, verdict=verdict, evidence=evidence)


def _relative(run: Run, claim: Claim, figure: ClaimedFigure) -> ClaimedRatio | None:
    """Return *figure* relative to what its source claims of the plan's reference; None without that."""
    place = (run.plan.reference, figure.scenario, figure.connections)
    if figure.contender == run.plan.reference:
        return None
    for other in run.plan.claims:
        claimed = other.figure
        if claimed and other.source == claim.source and _place(claimed) == place:
            return ClaimedRatio(
                contender=figure.contender,
                reference=claimed.contender,
                scenario=figure.scenario,
                connections=figure.connections,
                about=figure.throughput_rps / claimed.throughput_rps,
                within=figure.within,
            )
    return None


def _alone(run: Run, claimed: ClaimedFigure | ClaimedRatio) -> str:
    if claimed.contender == run.plan.reference:
        return "a figure alone cannot be judged on another machine; the others are relative to this one"
    return f"its source has no figure of {run.plan.reference}, the reference, to be relative to"


def _no_verdict(run: Run, comparison: Comparison, floors: Sequence[Comparison]) -> str:
    if comparison.withheld:
        is_bound = comparison.withheld.endswith(LIMITED)
        return f"{'only a bound is known' if is_bound else 'no ratio'}: {comparison.withheld}"
    if comparison.ratio is None:
        return "there is no sweep in which both gave right answers and neither was void"
    if comparison.ratio.low is None:
        rounds = "1 round" if comparison.rounds == 1 else f"{comparison.rounds} rounds"
        return f"no interval: {rounds}, {FEWEST_FOR_INTERVAL} are needed"
    margin = run.plan.margins[comparison.metric]
    floor = noise_floor_of(comparison.cell, comparison.metric, floors)
    differs = floor is not None and verdict_of(floor.metric, floor.ratio, margin) in ("faster", "slower")
    if differs or judged(comparison, floors, run.plan.margins).blocked:
        return "the noise floor shows as much between equals"
    return ""


def _missing(run: Run, claimed: ClaimedFigure | ClaimedRatio, rows: Mapping[Cell, Row]) -> str:
    names = [claimed.contender, *([claimed.reference] if isinstance(claimed, ClaimedRatio) else [])]
    absent = [name for name in names if _cell(claimed, name) not in rows]
    if not absent:
        return ""
    reasons = {"failed": ", which failed its checks", "skipped": ", which could not be served"}
    why = {known.contender: reasons.get(known.outcome, "") for known in run.verifications}
    return f"not measured: {absent[0]}{why.get(absent[0], '')}"


def _short_of_cores(run: Run, ratio: ClaimedRatio) -> str:
    workers = max(one.workers for one in run.contenders if one.name in (ratio.contender, ratio.reference))
    cores = server_cores(run)
    if not cores or workers <= cores:
        return ""
    had = f"{workers} workers need as many cores, and the servers had {format_cores(cores)}"
    beside = run.plan.load_workers + 1  # the client's, and one for the database
    return f"{had}: a machine of {workers + beside} cores can tell"


def _place(figure: ClaimedFigure) -> tuple[str, str, int]:
    return figure.contender, figure.scenario, figure.connections


def _cell(claimed: ClaimedFigure | ClaimedRatio, contender: str | None = None) -> Cell:
    load = Closed(connections=claimed.connections)
    return Cell(contender=contender or claimed.contender, scenario=claimed.scenario, load=load)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounded:
    """A choice with the evidence for each of its grounds, and the findings on its claims."""

    choice: Choice
    evidence: tuple[tuple[Ground, Evidence | None], ...]
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        return all(found and found.outcome == ground.outcome for ground, found in self.evidence) and all(
            finding.verdict == "supported" for finding in self.findings
        )


def grounded(run: Run, findings: Sequence[Finding]) -> tuple[Grounded, ...]:
    return tuple(
        Grounded(
            choice=choice,
            evidence=tuple((ground, evidence_for(run, ground)) for ground in choice.because),
            findings=tuple(one for one in findings if one.claim.says in choice.claims),
        )
        for choice in run.plan.choices
    )
