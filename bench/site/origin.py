"""Whose code a run measured, as far as the checkout beside it shows, and what names this machine has."""

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.project.git import call
from bench.records import Run

TIMEOUT_S = 30.0
# Names that many machines have say nothing about one.
COMMON = frozenset(
    ("localhost", "ubuntu", "debian", "runner", "docker", "fedora", "linux", "server", "python")
)
SHORTEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a run does not know of itself."""

    project: str = ""  # the hash of its first commit; "": unknown
    name: str = ""  # of the project, as its people say it
    own_names: tuple[str, ...] = ()  # of this machine: they must not be sent


def origin_of(run: Run, folder: Path, name: str = "") -> Origin:
    """Return the origin of *run*, whose project may be checked out at *folder*."""
    commit = run.fingerprint.get("project", {}).get("commit")
    return Origin(
        project=(commit and first_commit(folder, commit)) or "", name=name, own_names=names_of_this_machine()
    )


def first_commit(folder: Path, commit: str) -> str | None:
    """Return the oldest commit that *commit* comes from: it names a project in any clone of it.

    None if the checkout at *folder* does not have *commit*, or is shallow: its oldest commit is another one.
    """
    shallow = _git(folder, "rev-parse", "--is-shallow-repository")
    if shallow != "false":
        return None
    found = _git(folder, "rev-list", "--max-parents=0", commit, "--")
    return found.splitlines()[-1] if found else None


def names_of_this_machine() -> tuple[str, ...]:
    whole = platform.node()
    found = dict.fromkeys((whole, whole.partition(".")[0]))
    return tuple(one for one in found if len(one) >= SHORTEST and one.lower() not in COMMON)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = call("-C", str(folder), *arguments, timeout_s=TIMEOUT_S)
    except (UsageError, OSError, subprocess.TimeoutExpired):
        return None
    return done.line if done.status == 0 else None
