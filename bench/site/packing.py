"""A run as a submission."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from bench.analysis import Analysis, analyse
from bench.analysis.comparisons import Comparison
from bench.analysis.measures import by_cell, server_us
from bench.analysis.rows import Row
from bench.analysis.statistics import Sweep
from bench.errors import UsageError
from bench.loads import Load
from bench.model import Cell, Scenario, name_of
from bench.project import plan_hash
from bench.records import Record, Run
from bench.report.claims import audited
from bench.site import privacy
from bench.site.figures import EXACT, STATED, digits_of, figures_of, latency_of, thinned, wider, window_of
from bench.site.origin import Origin
from bench.site.stated import contender_of, scenario_of, weighted
from bench.site.submission import (
    Counted,
    Project,
    StatedArrivals,
    StatedCell,
    StatedEvent,
    StatedFinding,
    StatedLoad,
    StatedPlan,
    StatedRatio,
    Submission,
    Sweeps,
)

BITS = 5  # dropped from the ten of a histogram's buckets: 6 % wide at most
FACTS = (
    "machine",
    "system",
    "python",
    "harness",
    "services",
    "placement",
    "content",
    "limits",
    "hyperthreads",
)
MACHINE = ("class", "architecture", "cpu", "cores", "memory_bytes", "virtual")


def submission_of(run: Run, origin: Origin) -> Submission:
    """Return *run* as a submission; raises UsageError if nothing was measured."""
    analysis = analyse(run)
    if not any(row.requests for row in analysis.rows):
        raise UsageError("the run has no measurement to submit: no right answer was counted")
    packing = _Packing.of(analysis, origin)
    voids = sum(sum(row.voids.values()) for row in analysis.rows)
    draft = Submission(
        id="",
        bench=version("webframework-bench"),
        project=_project(run, origin),
        plan=_plan(run),
        runtime=run.runtime,
        started_at=_utc(run.started_at),
        lasted_s=digits_of(max(one.started_s + one.slice.window_s for one in run.records), STATED) or 0.0,
        ended=run.ended,
        invalid=privacy.hidden(analysis.invalid) if analysis.invalid else None,
        facts=_facts(run),
        contenders=tuple(contender_of(run, one) for one in packing.contenders),
        scenarios=tuple(scenario_of(run, one) for one in packing.scenarios),
        loads=tuple(_load(one) for one in packing.loads),
        sweeps=Sweeps(
            round=tuple(number for number, _ in packing.sweeps),
            sweep=tuple(number for _, number in packing.sweeps),
        ),
        cells=tuple(packing.cell(row) for row in analysis.rows),
        ratios=tuple(packing.ratio(one) for one in analysis.comparisons),
        noise_floors=tuple(packing.ratio(one) for one in analysis.noise_floors),
        findings=tuple(
            StatedFinding(verdict=one.verdict, why=packing.plain(one.why)) for one in audited(analysis)
        ),
        void_slices=voids,
        slices=voids + sum(row.slices for row in analysis.rows),
        caveats=tuple(packing.plain(one) for one in packing.caveats),
        events=tuple(
            StatedEvent(
                at_s=digits_of(one.at_s, STATED) or 0.0, what=packing.plain(one.what), contender=one.contender
            )
            for one in run.events
        ),
    )
    return _sealed(draft)


def smaller(submission: Submission) -> Submission:
    """Return *submission* with histograms of half as many buckets."""
    cells = tuple(replace(cell, latencies=wider(cell.latencies)) for cell in submission.cells)
    return _sealed(replace(submission, cells=cells))


def _sealed(submission: Submission) -> Submission:
    return replace(submission, id=id_of(plain(submission)))


def plain(submission: Submission) -> dict[str, Any]:
    """Return *submission* as plain JSON, without what is null or empty, except in arrays of sweeps."""
    found = asdict(submission)
    kept: dict[str, Any] = _kept({**found, "facts": None})
    return {**kept, "facts": found["facts"]}


def id_of(content: Mapping[str, Any]) -> str:
    """Return `<UTC>-<plan>-<hash>` of a submission as plain JSON: any other content has another one."""
    began = datetime.fromisoformat(content["started_at"]).astimezone(UTC)
    rest = {key: value for key, value in content.items() if key != "id"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    found = hashlib.sha256(text.encode()).hexdigest()[:10]
    plan = "".join(one if one.isalnum() and one.isascii() else "-" for one in content["plan"]["name"])
    return f"{began:%Y%m%dT%H%M%SZ}-{plan[:40]}-{found}"


def to_text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packing:
    """An analysis, and the order of what a submission refers to by index."""

    analysis: Analysis
    own_names: tuple[str, ...]
    records: Mapping[Cell, Sequence[Record]]
    contenders: tuple[Any, ...]
    scenarios: tuple[Scenario, ...]
    loads: tuple[Load, ...]
    sweeps: tuple[Sweep, ...]
    caveats: tuple[str, ...]
    statements: Mapping[tuple[str, str], float | None]  # contender, exchange

    @classmethod
    def of(cls, analysis: Analysis, origin: Origin) -> "_Packing":
        run, rows = analysis.run, analysis.rows
        records = by_cell(run)
        measured = {row.cell.contender for row in rows}
        judged = {one.contender for one in run.verifications}
        used = {row.cell.scenario for row in rows}
        return cls(
            analysis=analysis,
            own_names=origin.own_names,
            records=records,
            contenders=tuple(one for one in run.contenders if one.name in measured | judged),
            scenarios=tuple(one for one in run.scenarios if one.name in used),
            loads=tuple(dict.fromkeys(row.cell.load for row in rows)),
            sweeps=tuple(
                sorted({_sweep(one) for found in records.values() for one in found if one.void is None})
            ),
            caveats=tuple(dict.fromkeys(caveat for row in rows for caveat in row.caveats)),
            statements={(one.contender, one.exchange): one.per_request for one in run.queries},
        )

    def plain(self, text: str) -> str:
        return privacy.hidden(text, self.own_names)

    def cell(self, row: Row) -> StatedCell:
        taken = {_sweep(one): one for one in self.records[row.cell] if one.void is None}
        ordered = [taken.get(sweep) for sweep in self.sweeps]
        wrong = tuple(None if one is None else one.sample.failed for one in ordered)
        return StatedCell(
            contender=self._contender(row.cell.contender),
            scenario=[one.name for one in self.scenarios].index(row.cell.scenario),
            load=self.loads.index(row.cell.load),
            window_s=window_of([None if one is None else one.sample.window_s for one in ordered]),
            right=tuple(None if one is None else one.sample.requests for one in ordered),
            wrong=wrong if any(wrong) else (),
            cpu_us=tuple(None if one is None else digits_of(server_us(one), EXACT) for one in ordered),
            rounds=row.rounds,
            slices=row.slices,
            throughput_rps=figures_of(row.throughput_rps),
            service_demand_us=figures_of(row.service_demand_us),
            database_us=figures_of(row.database_us),
            client_us=figures_of(row.client_us),
            memory_bytes=row.memory_peak_bytes,
            response_bytes=digits_of(row.response_bytes, STATED),
            requests=row.requests,
            answers=row.answers,
            failures={self.plain(kind): count for kind, count in row.failures.items()},
            unfinished=row.unfinished,
            voids=dict(row.voids),
            latency_ms=latency_of(row.latency),
            latencies=thinned(row.latencies, BITS),
            arrivals=StatedArrivals(
                rate_rps=digits_of(row.arrivals.rate_rps, STATED),
                due=row.arrivals.due,
                queued=row.arrivals.queued,
                service_ms=latency_of(row.arrivals.service),
                lag_ms=latency_of(row.arrivals.lag),
            )
            if row.arrivals
            else None,
            utilisation={
                name: digits_of(value, STATED)
                for name, value in asdict(row.utilisation).items()
                if value is not None
            },
            ceiling_rps=digits_of(row.ceiling.rps, STATED),
            bound_by=row.bound_by,
            in_flight=digits_of(row.in_flight, STATED),
            imbalance=digits_of(row.imbalance, STATED),
            steadiness=row.steadiness.state if row.steadiness else None,
            withheld=row.withheld or None,
            client_limit=row.client_limit,
            coarse=row.coarse,
            rank=row.rank,
            caveats=tuple(self.caveats.index(one) for one in row.caveats),
            counted=self._counted(row),
        )

    def ratio(self, one: Comparison) -> StatedRatio:
        cells = [row.cell for row in self.analysis.rows]
        return StatedRatio(
            cell=cells.index(one.cell),
            reference=self._contender(one.reference),
            metric=one.metric,
            ratio=figures_of(one.ratio, EXACT),
            rounds=one.rounds,
            pairs=one.pairs,
            dropped=one.dropped,
            verdict=one.verdict,
            blocked=one.blocked,
            withheld=one.withheld or None,
        )

    def _contender(self, name: str) -> int:
        return [one.name for one in self.contenders].index(name)

    def _counted(self, row: Row) -> Counted:
        run = self.analysis.run
        of = name_of(row.cell.contender).original
        scenario = next(one for one in run.scenarios if one.name == row.cell.scenario)
        counts = {exchange: count for (name, exchange), count in self.statements.items() if name == of}
        by = {str(one.counted_by) for one in run.queries if one.contender == of and one.counted_by}
        statements = weighted(scenario, counts)
        executed = next(
            (
                one
                for one in run.instructions
                if (one.contender, one.scenario) == (of, row.cell.scenario) and one.windows
            ),
            None,
        )
        return Counted(
            statements=digits_of(statements, STATED),
            statements_by=", ".join(sorted(by)) if statements is not None else None,
            instructions=digits_of(executed.per_request, STATED) if executed else None,
            with_collections=digits_of(executed.with_collections, STATED) if executed else None,
            instructions_by=executed.counter if executed else None,
        )


def _project(run: Run, origin: Origin) -> Project:
    known = run.fingerprint.get("project", {})
    return Project(
        id=origin.project or _of_code(run),
        name=origin.name,
        commit=known.get("commit") or "",
        committed_at=known.get("committed_at"),
        dirty=known.get("dirty"),
    )


def _of_code(run: Run) -> str:
    """Return an identity of the very code: without a first commit, other code may be of another project."""
    content = run.fingerprint.get("content", {})
    code = {key: value for key, value in content.items() if key != "bench"}
    text = json.dumps(code or [asdict(one) for one in run.scenarios], sort_keys=True, default=repr)
    return f"code-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _plan(run: Run) -> StatedPlan:
    content, claims = plan_hash.parts(run.plan)
    recorded = run.fingerprint.get("plan", {})
    return StatedPlan(
        name=run.plan.name,
        content=content,
        hash=plan_hash.hash_of(content),
        claims=tuple(claims),
        claims_hash=plan_hash.hash_of(claims),
        hash_at_start=recorded.get(plan_hash.PLAN),
        claims_hash_at_start=recorded.get(plan_hash.CLAIMS),
    )


def _facts(run: Run) -> dict[str, Any]:
    """Return the part of the fingerprint that says where numbers come from, and nothing of its owner."""
    found = {name: run.fingerprint[name] for name in FACTS if name in run.fingerprint}
    if "machine" in found:
        found["machine"] = {name: found["machine"].get(name) for name in MACHINE}
    measured = {row.app for row in run.timed}
    found["environments"] = {
        name: made
        for name, made in run.fingerprint.get("environments", {}).items()
        if name.partition("-py")[0] in measured
    }
    return {name: _hidden(fact, f"facts.{name}") for name, fact in found.items()}


def _hidden(value: Any, path: str) -> Any:
    """Return *value*, plain JSON, without what a text in it reveals, such as the folder of a database."""
    if isinstance(value, str):
        return privacy.hidden(value) if privacy.revealed(path, value) else value
    if isinstance(value, Mapping):
        return {str(key): _hidden(held, f"{path}.{key}") for key, held in value.items()}
    return [_hidden(held, path) for held in value] if isinstance(value, list | tuple) else value


def _load(one: Load) -> StatedLoad:
    known = asdict(one)
    return StatedLoad(
        title=one.title,
        slug=one.slug,
        kind=one.kind,
        connections=one.connections,
        rate=known.get("rate"),
        fraction=known.get("fraction"),
        of=known.get("of"),
        arrivals=known.get("arrivals"),
        metrics=one.metrics,
    )


def _sweep(record: Record) -> Sweep:
    return record.slice.round, record.slice.sweep


def _utc(text: str) -> str:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")


def _kept(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _kept(one) for key, one in value.items()}
        return {
            key: one for key, one in kept.items() if not (one is None or one == {} or one == [] or one == "")
        }
    return [_kept(one) for one in value] if isinstance(value, list | tuple) else value
