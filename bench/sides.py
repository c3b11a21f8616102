"""Base and head of a diff, laid out beside each other for as long as they are compared."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import contenders
from bench.contenders import Declared
from bench.errors import UsageError
from bench.revisions import Tree, commit_of, lay_out, lay_out_worktree, where_it_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Base and head, laid out, with their contenders; *again* is the base once more, in a third folder."""

    project: Path  # whose plans are used, and where the run is kept
    base: Tree
    head: Tree
    again: Tree
    tables: Mapping[str, Mapping[str, Declared]]  # by label
    notes: tuple[str, ...]


@contextmanager
def laid_out(root: Path, base: str, head: str | None) -> Iterator[Sides]:
    """Lay out both revisions of the project at *root* (head None: the working tree); remove them on exit.

    Raises UsageError for a revision that is unknown, or has no apps, or whose contenders cannot be read.
    """
    trees = root / ".bench" / "trees"
    shutil.rmtree(trees, ignore_errors=True)  # of one that was killed: there is one measurement at a time
    try:
        left, note = where_it_left(root, base) if head is None else (commit_of(root, base), "")
        here = lay_out(root, left, trees / "base")
        again = lay_out(root, left, trees / "again")
        there = (
            lay_out_worktree(root, trees / "head")
            if head is None
            else lay_out(root, commit_of(root, head), trees / "head")
        )
        if here.label == there.label:
            there = replace(there, label=f"{there.label}-head")  # identical code, compared all the same
        tables = {tree.label: _declared(tree) for tree in (here, there)}
        yield Sides(
            project=root, base=here, head=there, again=again, tables=tables, notes=(note,) if note else ()
        )
    finally:
        shutil.rmtree(trees, ignore_errors=True)


def _declared(tree: Tree) -> Mapping[str, Declared]:
    try:
        return contenders.declared(tree.folder)
    except UsageError as error:
        raise UsageError(f"@{tree.label}: {error}") from error
