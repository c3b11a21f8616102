"""index.json: every run and every headline of a site for machines, each with a line to cite it by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from bench.loads import Metric
from bench.site.catalogue import Catalogue, Travel
from bench.site.machines import FORMULA, RULE
from bench.site.releases import stack_of
from bench.site.submission import StatedRatio, Submission

SCHEMA = 1
VERB: Mapping[Metric, str] = {
    "throughput_rps": "as many requests per second as",
    "service_demand_us": "as much CPU time per request as",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A ratio with its interval. Without low and high there were too few rounds for one."""

    contender: str
    reference: str
    scenario: str
    load: str
    metric: Metric
    ratio: float
    low: float | None
    high: float | None
    level: float | None
    verdict: str
    cite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """A run. A partial or invalid one has no headline, and *why* says so."""

    id: str
    file: str  # the submission, beside this index
    started_at: str
    project: str
    project_name: str
    commit: str
    machine: str  # an id in `machines`
    runtime: str
    plan: str
    plan_hash: str
    recorded_before: bool  # hashes of plan and claims were recorded before the first slice
    state: str  # valid, partial or invalid
    why: str
    void_share: float
    versions: str
    newer_releases: tuple[str, ...]
    headlines: tuple[Headline, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedMachine:
    """Runs compare within one of these."""

    id: str
    title: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossMachines:
    """A ratio across classes of machines, by *formula* of the index."""

    project: str
    contender: str
    reference: str
    scenario: str
    load: str
    metric: Metric
    runtime: str
    plans: tuple[str, ...]
    machines: tuple[str, ...]
    runs: tuple[str, ...]
    ratio: float
    low: float | None
    high: float | None
    next_low: float | None
    next_high: float | None
    notes: tuple[str, ...]
    cite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The whole site."""

    schema: int
    built_at: str
    rule: str  # which runs may be compared
    formula: str  # of intervals across machines
    machines: tuple[PublishedMachine, ...]
    runs: tuple[PublishedRun, ...]
    across: tuple[AcrossMachines, ...]
    left_out: tuple[str, ...]


def published(catalogue: Catalogue, built_at: datetime) -> Index:
    return Index(
        schema=SCHEMA,
        built_at=built_at.astimezone(UTC).isoformat(timespec="seconds"),
        rule=RULE,
        formula=FORMULA,
        machines=tuple(
            PublishedMachine(id=one.id, title=one.title, facts=one.facts) for one in catalogue.machines
        ),
        runs=tuple(_run(catalogue, number) for number in range(len(catalogue.runs))),
        across=tuple(_across(catalogue, one) for one in catalogue.travels),
        left_out=catalogue.left_out,
    )


def schema() -> dict[str, Any]:
    """Return the JSON schema of `Index`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(Index).json_schema()}


def _run(catalogue: Catalogue, number: int) -> PublishedRun:
    run = catalogue.submissions[number]
    whole = run.ended == "complete"
    newer = {
        f"{one.package} {one.here}, {one.newest} was seen"
        for found in catalogue.outdated[number].values()
        for one in found
    }
    return PublishedRun(
        id=run.id,
        file=f"runs/{run.id}.json",
        started_at=run.started_at,
        project=run.project.id,
        project_name=run.project.name,
        commit=run.project.commit,
        machine=catalogue.machines[catalogue.machine_of[number]].id,
        runtime=run.runtime,
        plan=run.plan.name,
        plan_hash=run.plan.hash,
        recorded_before=run.plan.hash_at_start is not None,
        state="invalid" if run.invalid else "valid" if whole else "partial",
        why=run.invalid or ("" if whole else f"it is partial: {run.ended or 'killed'}"),
        void_share=round(run.void_slices / run.slices, 4) if run.slices else 0.0,
        versions=stack_of(run),
        newer_releases=tuple(sorted(newer)),
        headlines=tuple(headlines(run)) if catalogue.runs[number].is_ranked else (),
    )


def headlines(run: Submission) -> Iterator[Headline]:
    """Yield every ratio of a complete and valid *run*, without controls."""
    for stated in run.ratios:
        cell = run.cells[stated.cell]
        if stated.ratio is None or run.contenders[cell.contender].is_twin:
            continue
        estimate, low, high, level = stated.ratio
        yield Headline(
            contender=run.contenders[cell.contender].name,
            reference=run.contenders[stated.reference].name,
            scenario=run.scenarios[cell.scenario].name,
            load=run.loads[cell.load].title,
            metric=stated.metric,
            ratio=estimate,
            low=low,
            high=high,
            level=level,
            verdict=stated.verdict,
            cite=cited(run, stated),
        )


def cited(run: Submission, stated: StatedRatio) -> str:
    """Return a ratio in a sentence with its interval, date and conditions, to be quoted whole."""
    cell = run.cells[stated.cell]
    contender, reference = run.contenders[cell.contender], run.contenders[stated.reference]
    scenario, load = run.scenarios[cell.scenario], run.loads[cell.load]
    machine = run.facts.get("machine", {}).get("class", "unknown machine")
    return (
        f"{contender.stack} ({contender.name}) has {_ratio(stated)} {VERB[stated.metric]} "
        f"{reference.stack} ({reference.name}) at {scenario.about or scenario.name}, {load.title}"
        f"{_doubt(stated)}; {stated.rounds} rounds on {run.started_at[:10]}, {machine}, "
        f"runtime {run.runtime}, {stack_of(run)}; run {run.id}"
    )


def _ratio(stated: StatedRatio) -> str:
    estimate, low, high, level = stated.ratio or (0.0, None, None, None)
    if low is None or high is None or level is None:
        return f"{estimate:.3g} × (no interval: too few rounds)"
    return f"{estimate:.3f} × ({100 * level:.0f} % interval {low:.3f} to {high:.3f})"


def _doubt(stated: StatedRatio) -> str:
    if stated.verdict == "inconclusive":
        return ", which is no proven difference"
    return ", which is no difference beyond the margin" if stated.verdict == "equivalent" else ""


def _across(catalogue: Catalogue, one: Travel) -> AcrossMachines:
    track, found = one.track, one.across
    contenders = [*catalogue.contenders.values()]
    scenario = [*catalogue.scenarios.values()][track.scenario]
    machines = tuple(catalogue.machines[catalogue.machine_of[value.run]].id for value in one.values)
    contender, reference = contenders[track.contender], contenders[track.reference]
    load = [*catalogue.loads.values()][track.load]
    days = sorted(catalogue.submissions[value.run].started_at[:10] for value in one.values)
    interval = (
        "no interval: three classes are needed"
        if found.low is None
        else f"95 % interval {found.low:.3f} to {found.high:.3f}; one more machine: "
        f"{found.next_low:.3f} to {found.next_high:.3f}"
    )
    return AcrossMachines(
        project=catalogue.projects[track.project][0],
        contender=contender.name,
        reference=reference.name,
        scenario=scenario.name,
        load=load,
        metric=track.metric,
        runtime=one.runtime,
        plans=one.plans,
        machines=machines,
        runs=tuple(catalogue.submissions[value.run].id for value in one.values),
        ratio=found.estimate,
        low=found.low,
        high=found.high,
        next_low=found.next_low,
        next_high=found.next_high,
        notes=one.notes,
        cite=(
            f"{contender.stack} ({contender.name}) has {found.estimate:.3f} × {VERB[track.metric]} "
            f"{reference.stack} ({reference.name}) at {scenario.about or scenario.name}, {load}, across "
            f"{len(machines)} classes of machines ({interval}); "
            f"{days[0]} to {days[-1]}, runtime {one.runtime}, {_named(one.plans)}"
        ),
    )


def _named(plans: tuple[str, ...]) -> str:
    return f"plan{'s' if len(plans) > 1 else ''} {', '.join(plans)}"
