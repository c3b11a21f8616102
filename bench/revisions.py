"""Revisions of a project, each laid out in a folder of its own: nothing but content tells them apart."""

import io
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError

WORKTREE = "worktree"  # what the files are now, committed or not
SHORT = 8  # digits of a commit in a name
LAID_OUT = "apps"  # all that a contender is made of


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A revision that is laid out: a project of its own, without its history."""

    label: str  # after the @ of a contender's name
    folder: Path
    commit: str


def commit_of(root: Path, revision: str) -> str:
    """Return the commit that *revision* of the project at *root* names; raises UsageError."""
    found = _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found is not None:
        return found
    if _git(root, "rev-parse", "--git-dir") is None:
        raise UsageError(f"{root} is no git checkout: revisions are compared there")
    shallow = _git(root, "rev-parse", "--is-shallow-repository") == "true"
    remedy = (
        "this clone is shallow: `git fetch --unshallow`, or fetch-depth: 0 where CI checks it out"
        if shallow
        else "`git branch --all` and `git fetch` show what there is"
    )
    raise UsageError(f"unknown revision {revision}: {remedy}")


def where_it_left(root: Path, base: str) -> tuple[str, str]:
    """Return the commit of *base* to compare the working tree with, and what has to be said of it.

    It is where HEAD left *base*, so that what came to *base* since then is not taken for a change of ours.
    Where there is no such commit it is *base* itself. Raises UsageError.
    """
    tip, other = commit_of(root, base), commit_of(root, "HEAD")
    left = _git(root, "merge-base", tip, other)
    if left is None:
        return tip, f"no common ancestor with {base} is known here: compared with {base} itself"
    if left != tip:
        return left, f"{base} has gone on since: compared with {left[:SHORT]}, where HEAD left it"
    return tip, ""


def lay_out(root: Path, commit: str, folder: Path) -> Tree:
    """Write the apps of *commit* into *folder*; raises UsageError where it has none."""
    done = subprocess.run(
        ["git", "-C", str(root), "archive", "--format=tar", commit, LAID_OUT],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(f"{commit[:SHORT]} has no {LAID_OUT}/: {said[-1] if said else 'git says nothing'}")
    folder.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
    except tarfile.TarError as error:  # a link that leads out of it
        raise UsageError(f"{commit[:SHORT]} cannot be laid out: {error}") from error
    return Tree(label=commit[:SHORT], folder=folder, commit=commit)


def lay_out_worktree(root: Path, folder: Path) -> Tree:
    """Copy the apps as they are now into *folder*, without what git ignores; raises UsageError."""
    commit = commit_of(root, "HEAD")
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", LAID_OUT) or ""
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():  # one that was deleted is still in the index
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    if not (folder / LAID_OUT).is_dir():
        raise UsageError(f"{root} has no {LAID_OUT}/ that git does not ignore")
    return Tree(label=WORKTREE, folder=folder, commit=commit)


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git says; None where it fails. Raises UsageError where there is no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise UsageError("git is not installed: revisions are compared with it") from error
    return done.stdout.strip() if done.returncode == 0 else None
