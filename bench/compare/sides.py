"""Base and head of a diff, laid out beside each other for as long as they are compared."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.compare.revisions import (
    WORKTREE,
    Tree,
    commit_of,
    ignored,
    lay_out,
    lay_out_worktree,
    outside,
    untracked,
    where_it_left,
)
from bench.errors import BenchError, UsageError
from bench.project import contenders, scenarios
from bench.project.changed import Changed, changed
from bench.project.contenders import Declared
from bench.project.layout import copy_tree, dead_links
from bench.project.sources import APPS, Sources, listed, ownership, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Base and head, laid out, with their contenders; *again* is the base once more, in a third folder."""

    project: Path  # whose plans are used, and where the run is kept
    base: Tree
    head: Tree
    again: Tree
    tables: Mapping[str, Mapping[str, Declared]]  # by label
    notes: tuple[str, ...]
    changed: Changed
    lacking: str = ""  # why the base has nothing to compare with; "" where it has

    def plain(self, text: str) -> str:
        """Return *text* with files of the trees as git names them: "<revision>:apps/shop_app/app.py"."""
        return _plain(text, {tree.folder: tree.label for tree in (self.base, self.again, self.head)})


@contextmanager
def laid_out(root: Path, base: str, head: str | None) -> Iterator[Sides]:
    """Lay out both revisions of the project at *root* (head None: the working tree); remove them on exit.

    Raises UsageError for a revision that is unknown or cannot be laid out, or a head without contenders.
    Whatever is raised meanwhile names files of the trees as git does.
    """
    trees = root / ".bench" / "trees"
    shutil.rmtree(trees, ignore_errors=True)  # of one that was killed: there is one measurement at a time
    names: dict[Path, str] = {}
    try:
        where = sources(root)
        left, note = where_it_left(root, base) if head is None else (commit_of(root, base), "")
        there = (
            lay_out_worktree(root, trees / "head", where=where)
            if head is None
            else lay_out(root, commit_of(root, head), trees / "head", where=where)
        )
        here = lay_out(root, left, trees / "base", where=where, data=there.data)
        again = replace(here, folder=copy_tree(here.folder, trees / "again"))
        if here.label == there.label:
            there = replace(there, label=f"{there.label}-head")  # identical code, compared all the same
        names.update({tree.folder: tree.label for tree in (here, again, there)})
        found = _declared(there)
        before, lacking = _declared_before(here)
        owned = ownership((here.folder, there.folder), where)
        differing = changed(here.folder, there.folder, owned)
        unseen = outside(root, here.commit, head and there.commit, where)
        notes = (*([note] if note else []), *_beside(root, where, there, sorted({*owned.folders})))
        yield Sides(
            project=root,
            base=here,
            head=there,
            again=again,
            tables={here.label: before, there.label: found},
            notes=notes,
            changed=replace(differing, irrelevant={**unseen, **differing.irrelevant}),
            lacking=lacking,
        )
    except BenchError as error:
        error.args = (_plain(str(error), names),)
        raise
    finally:
        shutil.rmtree(trees, ignore_errors=True)


def _declared(tree: Tree) -> Mapping[str, Declared]:
    """Return the contenders of *tree*; raises UsageError where it has none or they cannot be read."""
    try:
        if not (tree.folder / APPS).is_dir():
            raise UsageError(f"it has no {APPS}/ that git tracks, or would")
        if not (found := contenders.declared(tree.folder)):
            raise UsageError("it has no apps/*/contenders.toml")
        scenarios.declared(tree.folder)
    except UsageError as error:
        raise UsageError(f"@{tree.label}: {error}") from error
    return found


def _declared_before(tree: Tree) -> tuple[Mapping[str, Declared], str]:
    """Return the contenders of the base, and why there is nothing to compare with."""
    try:
        return _declared(tree), ""
    except UsageError as error:
        return {}, _plain(str(error).removeprefix(f"@{tree.label}: "), {tree.folder: tree.label})


def _beside(root: Path, where: Sources, head: Tree, places: list[str]) -> Iterator[str]:
    """Yield what of the working tree one side has alone, or neither."""
    if head.untracked:
        yield f"untracked, in the head alone: {listed(head.untracked)}"
    if head.data:
        yield f"untracked databases, laid out on both sides alike: {listed(head.data)}"
    if head.label != WORKTREE and (loose := untracked(root, where)):
        yield f"untracked, so neither side has: {listed(loose)}"
    if dead := [path for path in dead_links(head.folder) if (root / path).exists()]:
        yield f"links to what git does not track, so they lead nowhere on either side: {listed(dead)}"
    if unseen := ignored(root, [*places, ".env"]):
        yield f"git ignores, so neither side has: {listed(unseen)}"


def _plain(text: str, names: Mapping[Path, str]) -> str:
    for folder, label in names.items():
        text = text.replace(f"{folder}{os.sep}", f"{label}:").replace(str(folder), label)
    return text
