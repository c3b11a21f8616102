"""Base and head of a diff: two revisions of a project beside each other, with their contenders."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.compare.checkouts import (
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
from bench.compare.upgrade_move import UpgradeMove
from bench.errors import BenchError, UsageError
from bench.files import working_folder
from bench.project import bench_file, contenders, scenarios
from bench.project.bench_file import declares
from bench.project.changed import Changed, changed
from bench.project.contenders import Declared
from bench.project.layout import copy, copy_tree, dead_links, same_times
from bench.project.sources import APPS, FILE, Sources, listed, ownership, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Base and head, laid out, with their contenders. *twin* is the base once more, in a third folder."""

    project: Path  # its plans are used, and the run is kept there
    base: Tree
    head: Tree
    twin: Tree
    tables: Mapping[str, Mapping[str, Declared]]  # by label
    notes: tuple[str, ...]
    changed: Changed
    lacking: str = ""  # why the base has nothing to compare with; "" if it has
    moved: tuple[UpgradeMove, ...] = ()  # by an upgrade

    def plain(self, text: str) -> str:
        """Return *text* with files of the trees as git names them: "<revision>:apps/shop_app/app.py"."""
        return _plain(text, {tree.folder: tree.label for tree in (self.base, self.twin, self.head)})


@contextmanager
def laid_out_twice(root: Path, revision: str | None, head: str) -> Iterator[Sides]:
    """Lay out one revision of the project at *root* as base and as head, with equal files.

    *revision* None: the working tree. *head* is the label of the second one, in which one thing will be
    changed. Otherwise as `laid_out`.
    """
    trees = working_folder(root / ".bench") / "trees"
    shutil.rmtree(trees, ignore_errors=True)
    names: dict[Path, str] = {}
    try:
        where = sources(root)
        here = (
            lay_out_worktree(root, trees / "base", where=where)
            if revision is None
            else lay_out(root, commit_of(root, revision), trees / "base", where=where)
        )
        names[here.folder] = here.label
        lent = _env_files_lent(root, here, here)
        twin = replace(here, folder=copy_tree(here.folder, trees / "twin"))
        there = replace(here, folder=copy_tree(here.folder, trees / "head"), label=head)
        names.update({tree.folder: tree.label for tree in (twin, there)})
        owned = ownership([here.folder], where)
        same = replace(there, untracked=(), data={})  # what is beside the tracked files is on both sides
        places = sorted({*owned.folders})
        yield Sides(
            project=root,
            base=here,
            head=there,
            twin=twin,
            tables={tree.label: _declared(tree) for tree in (here, there)},
            notes=(*filter(None, (lent,)), *_beside(root, where, same, places)),
            changed=Changed(),
        )
    except BenchError as error:
        error.args = (_plain(str(error), names),)
        raise
    finally:
        shutil.rmtree(trees, ignore_errors=True)


@contextmanager
def laid_out(root: Path, base: str, head: str | None) -> Iterator[Sides]:
    """Lay out both revisions of the project at *root*, and remove them on exit.

    *head* None: the working tree. Raises UsageError for a revision that is unknown or cannot be laid out, or
    for a head without contenders. Errors raised meanwhile name files of the trees as git does.
    """
    trees = working_folder(root / ".bench") / "trees"
    shutil.rmtree(trees, ignore_errors=True)  # left by a killed process: there is one measurement at a time
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
        names.update({tree.folder: tree.label for tree in (here, there)})
        lent = (_lent(there, here), _env_files_lent(root, there, here))
        twin = replace(here, folder=copy_tree(here.folder, trees / "twin"))
        if here.label == there.label:
            there = replace(there, label=f"{there.label}-head")  # identical code, compared nevertheless
        names.update({tree.folder: tree.label for tree in (here, twin, there)})
        found = _declared(there)
        before, lacking = _declared_before(here)
        owned = ownership((here.folder, there.folder), where)
        differing = changed(here.folder, there.folder, owned)
        unseen = outside(root, here.commit, head and there.commit, where)
        notes = (*filter(None, (note, *lent)), *_beside(root, where, there, sorted({*owned.folders})))
        yield Sides(
            project=root,
            base=here,
            head=there,
            twin=twin,
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
    """Return the contenders of *tree*; raises UsageError if it has none or they cannot be read."""
    try:
        if not (found := contenders.declared(tree.folder)):
            raise UsageError(f"git tracks no apps/*/contenders.toml and no {FILE} with contenders")
        scenarios.declared(tree.folder)
    except UsageError as error:
        raise UsageError(f"@{tree.label}: {error}") from error
    return found


def _lent(head: Tree, base: Tree) -> str:
    """Copy the head's bench.toml to a base that declares no contenders yet; return a note if that is done."""
    file = head.folder / FILE
    if not file.is_file() or not declares(head.folder) or declares(base.folder):
        return ""
    if any(base.folder.glob(f"{APPS}/*/contenders.toml")) or (base.folder / FILE).exists():
        return ""
    users = {one.locustfile.path for one in scenarios.declared(head.folder).values() if one.locustfile}
    for name in {FILE, scenarios.file_of(head.folder), *users}:
        if not (base.folder / name).exists():
            copy(head.folder / name, base.folder / name, program=False)
    same_times(base.folder)
    return f"{FILE} is new: the head's is used on both sides"


def _env_files_lent(root: Path, head: Tree, base: Tree) -> str:
    """Copy env files that git ignores to both sides; return a note on them."""
    lent = []
    for path in bench_file.env_files(head.folder):
        if not (head.folder / path).exists() and (root / path).is_file():
            for tree in (head, base):
                if not (tree.folder / path).exists():
                    copy(root / path, tree.folder / path, program=False)
                    same_times(tree.folder)
            lent.append(path)
    return f"git does not track, used on both sides alike: {listed(lent)}" if lent else ""


def _declared_before(tree: Tree) -> tuple[Mapping[str, Declared], str]:
    try:
        return _declared(tree), ""
    except UsageError as error:
        return {}, _plain(str(error).removeprefix(f"@{tree.label}: "), {tree.folder: tree.label})


def _beside(root: Path, where: Sources, head: Tree, places: list[str]) -> Iterator[str]:
    if head.untracked:
        yield f"untracked, in the head alone: {listed(head.untracked)}"
    if head.data:
        yield f"untracked databases, laid out on both sides alike: {listed(head.data)}"
    if head.label != WORKTREE and (loose := untracked(root, where)):
        yield f"untracked, so neither side has: {listed(loose)}"
    if dead := [path for path in dead_links(head.folder) if (root / path).exists()]:
        yield f"links to what git does not track, so both sides lack them: {listed(dead)}"
    if unseen := ignored(root, [*places, ".env"]):
        yield f"git ignores, so neither side has: {listed(unseen)}"


def _plain(text: str, names: Mapping[Path, str]) -> str:
    for folder, label in names.items():
        text = text.replace(f"{folder}{os.sep}", f"{label}:").replace(str(folder), label)
    return text
