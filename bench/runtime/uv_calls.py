"""Calls of uv, whose messages name files of the user."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import uv

from bench.errors import CannotMeasure

EXPLAINED = "cause: "


def call_uv(*arguments: str, folder: Path, failed: str, names: Mapping[str, str] | None = None) -> str:
    """Run uv in *folder*, which relative paths start at, and return what it wrote to stdout.

    Raises CannotMeasure that begins with *failed*. *names*: what files of ours stand for in its message.
    """
    done = subprocess.run(
        [uv.find_uv_bin(), "--quiet", *arguments],
        cwd=folder,
        # A terminal's width would break its lines, which are read below.
        env=os.environ | {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1", "COLUMNS": "10000"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotMeasure(f"{failed}: {_reason(done.stderr, names or {})}")
    return done.stdout


def _reason(errors: str, names: Mapping[str, str]) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    reasons = [line for line in lines if not line.startswith("hint:")] or ["no message"]
    why = reasons[-1].removeprefix("error: ")
    causes = [line for line in reasons if line.startswith(EXPLAINED)]
    called = any("--- stderr" in line for line in reasons)  # the words of git, or of a build, end the message
    if not why.startswith(EXPLAINED) and causes and reasons[0].startswith("error: "):
        # Else lines that point at a character follow the cause.
        unsolved = "No solution found" in reasons[0]
        more = reasons[reasons.index(causes[-1]) + 1 :] if unsolved else []  # versions, and what follows
        why = f"{EXPLAINED}{why}" if called else " ".join((causes[-1], *more))
    if why.startswith(EXPLAINED):  # the error is at the top of a chain of causes
        top = next((line for line in reasons if line.startswith("error: ")), "error: ")
        why = f"{top.removeprefix('error: ')}: {why.removeprefix(EXPLAINED)}"
    for ours, theirs in sorted(names.items(), key=lambda one: -len(one[0])):
        why = why.replace(ours, theirs)
    return why
