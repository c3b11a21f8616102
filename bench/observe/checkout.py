"""What git knows of the project: which commit it is, and how old its locks are."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.project.git import call, refusal

TIMEOUT_S = 10


def commit(project: Path) -> dict[str, Any]:
    """Return commit and whether something has changed since; None where the project is no checkout.

    Where git refuses, why: with its own remedy.
    """
    found = _git(project, "rev-parse", "--verify", "HEAD")
    refused = refusal(project) if found is None else ""
    why = {"refused": f"git refuses the checkout: {refused}"} if refused else {}
    return {"commit": found, "dirty": None if found is None else _is_changed(project), **why}


def locks(project: Path) -> dict[str, dict[str, Any]]:
    """Return, for each app, when its lock was committed last, how many days ago, and whether it is changed.

    All are None where git cannot tell: the project is no checkout, the lock was never committed, or (of the
    age) the checkout is a shallow one, whose only commit seems to have brought everything.
    """
    shallow = _git(project, "rev-parse", "--is-shallow-repository") != "false"
    files = sorted(project.glob("apps/*/requirements.txt"))
    return {file.parent.name: _lock(project, file, shallow) for file in files}


def _lock(project: Path, file: Path, shallow: bool) -> dict[str, Any]:
    committed_at = _git(project, "log", "-1", "--format=%cI", "--", str(file)) or None
    known = committed_at is not None
    age = datetime.now(UTC) - datetime.fromisoformat(committed_at) if committed_at else None
    return {
        "committed_at": None if shallow else committed_at,
        "age_days": None if shallow or age is None else age.days,
        "changed": _is_changed(project, file) if known else None,
    }


def _is_changed(project: Path, *files: Path) -> bool:
    return bool(_git(project, "status", "--porcelain", "--", *map(str, files)))


def _git(project: Path, *arguments: str) -> str | None:
    """Return what git prints; None where it fails or is not installed."""
    try:
        done = call("-C", str(project), *arguments, timeout_s=TIMEOUT_S)
    except (UsageError, OSError, subprocess.TimeoutExpired):
        return None
    return done.line if done.status == 0 else None
