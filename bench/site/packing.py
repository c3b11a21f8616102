"""A run as a submission."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from bench.analysis import analyse
from bench.errors import UsageError
from bench.loads import Load
from bench.project import content_hash
from bench.records import Run
from bench.report.claims import audited
from bench.site import privacy
from bench.site.cell_packing import CellPacking
from bench.site.figures import STATED, digits_of, wider
from bench.site.origin import Origin
from bench.site.stated import contender_of, scenario_of
from bench.site.submission import (
    Project,
    StatedEvent,
    StatedFinding,
    StatedLoad,
    StatedPlan,
    Submission,
    Sweeps,
)

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
    packing = CellPacking.of(analysis, origin)
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
    content, claims = content_hash.parts(run.plan)
    recorded = run.fingerprint.get("plan", {})
    return StatedPlan(
        name=run.plan.name,
        content=content,
        hash=content_hash.hash_of(content),
        claims=tuple(claims),
        claims_hash=content_hash.hash_of(claims),
        hash_at_start=recorded.get(content_hash.PLAN),
        claims_hash_at_start=recorded.get(content_hash.CLAIMS),
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
