"""The commits between two revisions, as git has them. Nothing of the repository is written."""

import os
from pathlib import Path

from bench.compare.bisection import Commit
from bench.compare.checkouts import SHORT, commit_of
from bench.errors import UsageError
from bench.project.git import Repository, repository

FIELDS = "%H%x00%P%x00%s"


def between(root: Path, good: str, bad: str, *, all_parents: bool) -> tuple[Commit, ...]:
    """Return the commits after *good* up to *bad*, parents before children.

    First parents alone: what a merge brought counts as the merge's. Raises UsageError if *good* is no
    ancestor of *bad*, or the same commit.
    """
    found = repository(root)
    start, end = commit_of(root, good), commit_of(root, bad)
    if start == end:
        raise UsageError(f"{good} and {bad} are the same commit: there is nothing between them")
    if not _is_ancestor(found, start, end):
        raise UsageError(_unrelated(found, (good, start), (bad, end)))
    options = ("--reverse", "--topo-order", *(() if all_parents else ("--first-parent",)))
    printed = found.printed("rev-list", *options, f"--format={FIELDS}", f"{start}..{end}")
    lines = os.fsdecode(printed).split("\n")
    return tuple(_commit(line, all_parents=all_parents) for line in lines if "\0" in line)


def _commit(line: str, *, all_parents: bool) -> Commit:
    sha, parents, subject = line.split("\0", 2)
    every = tuple(parents.split())
    followed = every if all_parents else every[:1]
    return Commit(sha=sha, parents=followed, subject=subject, is_merge=len(every) > 1)


def _is_ancestor(found: Repository, one: str, other: str) -> bool:
    return found.call("merge-base", "--is-ancestor", one, other).status == 0


def _unrelated(found: Repository, good: tuple[str, str], bad: tuple[str, str]) -> str:
    what = f"{good[0]} is no ancestor of {bad[0]}"
    if _is_ancestor(found, bad[1], good[1]):
        return f"{what}, it comes after it: the older revision is named first, `bench bisect GOOD BAD`"
    common = found.call("merge-base", good[1], bad[1])
    if common.status:
        return f"{what}, and they have no common ancestor here: name an ancestor of {bad[0]} as GOOD"
    return f"{what}: {common.line[:SHORT]} is, where they part; name it as GOOD"
