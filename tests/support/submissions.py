"""Submissions of synthetic runs, and what somebody might change in one."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.project import content_hash
from bench.records import Run
from bench.site.origin import Origin
from bench.site.packing import id_of, plain, submission_of, to_text
from tests.support.synthetic import FINGERPRINT, synthetic_run

NOW = datetime(2027, 1, 1, tzinfo=UTC)
HERE = Origin(project="a" * 40, name="shop")
MACHINE = "x86_64, Synthetic CPU, 2 cores, 8 GiB"
SPEEDS = {"flask": 4_300.0, "fastapi": 10_400.0, "django": 2_100.0, "flask~aa": 4_300.0}


def run_of(machine: str = MACHINE, *, at: str = "2026-11-23T04:43:00+00:00", **changes: Any) -> Run:
    run = synthetic_run(**{"speeds": SPEEDS, **changes})
    known = {**FINGERPRINT["machine"], "class": machine}
    facts = {**FINGERPRINT, "machine": known, "plan": content_hash.stamp(run.plan)}
    return replace(run, fingerprint=facts, started_at=at)


def content_of(run: Run | None = None, origin: Origin = HERE) -> dict[str, Any]:
    """Return a submission as plain JSON, free to be changed."""
    found: dict[str, Any] = json.loads(to_text(plain(submission_of(run or run_of(), origin))))
    return found


def resealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return *content* with the id that it should have: as by somebody who read the code."""
    return {**content, "id": id_of(content)}


def write(folder: Path, content: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{content['id']}.json"
    file.write_text(to_text(content), encoding="utf-8")
    return file


def changed(change: Callable[[dict[str, Any]], object], run: Run | None = None) -> dict[str, Any]:
    """Return a submission after *change*, with a fresh id."""
    content = content_of(run)
    change(content)
    return resealed(content)
