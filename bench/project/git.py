"""git as a program: its output, or its reason to refuse with its own remedy."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError

NO_CHECKOUT = "not a git repository"
# A hook that calls us sets these for its own repository; ours is found from its folder.
OF_A_HOOK = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)
# Nothing of the user's repository is written, and no other process runs beside the call.
QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "submodule.recurse=false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """The result of a call of git."""

    status: int
    out: bytes
    errors: str

    @property
    def line(self) -> str:
        return os.fsdecode(self.out).strip()

    @property
    def reason(self) -> str:
        """Why it failed, in one line that ends with the remedy if git names one."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        marked = [line for mark in ("fatal: ", "error: ") for line in lines if line.startswith(mark)]
        first = (marked or lines or ["git prints no reason"])[0]
        why = re.sub(r"^(fatal|error): ", "", first)
        remedy = next((line for line in lines if line.startswith("git config ")), "")
        return f"{why}: `{remedy}`" if remedy else why


def call(
    *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, timeout_s: float | None = None
) -> Printed:
    """Call git, in English; raises UsageError without git, TimeoutExpired."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_A_HOOK}
    try:
        done = subprocess.run(
            ["git", *QUIET, *arguments],
            input=stdin,
            env={**inherited, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(env or {})},
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed: revisions are compared with it") from error
    return Printed(status=done.returncode, out=done.stdout, errors=done.stderr.decode(errors="replace"))


def refusal(folder: Path) -> str:
    try:
        found = call("-C", str(folder), "rev-parse", "--git-dir", timeout_s=10)
    except (UsageError, OSError, subprocess.TimeoutExpired):
        return ""
    return found.reason if found.status and NO_CHECKOUT not in found.errors else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository, with its checkout if it has one."""

    folder: Path  # git's own
    common: Path  # the same, but in a linked worktree: the folder of its main one
    top: Path | None  # of the checkout

    def call(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Printed:
        own = str(self.folder)  # without a checkout: the one in its configuration may be gone
        where = ("-C", str(self.top)) if self.top else ("--git-dir", own, "--work-tree", own)
        return call(*where, *arguments, stdin=stdin, env=env)

    def printed(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        """Return what git prints; raises UsageError with its reason."""
        found = self.call(*arguments, stdin=stdin, env=env)
        if found.status:
            raise UsageError(f"git {arguments[0]} fails in {self.top or self.folder}: {found.reason}")
        return found.out

    def has(self, commit: str) -> bool:
        return self.call("cat-file", "-e", f"{commit}^{{commit}}").status == 0


def repository(folder: Path) -> Repository:
    """Return the repository that *folder* is checked out of; raises UsageError."""
    options = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir")
    found = call("-C", str(folder), "rev-parse", *options)
    if found.status:
        if NO_CHECKOUT in found.errors:
            raise UsageError(f"{folder} is no git checkout: revisions are compared there")
        raise UsageError(f"git refuses the checkout at {folder}: {found.reason}")
    top, own, common = (Path(line) for line in os.fsdecode(found.out).rstrip("\n").split("\n"))
    return Repository(folder=own, common=(folder / common).resolve(), top=top)
