"""Revisions of a project, each laid out in its own folder: base and head of a diff."""

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.compare.upgrade_move import UpgradeMove
from bench.errors import BenchError, UsageError
from bench.files import working_folder
from bench.project import bench_file, contenders, scenarios
from bench.project.bench_file import declares
from bench.project.changed import Changed, changed, is_database
from bench.project.contenders import Declared
from bench.project.git import Repository, call, repository
from bench.project.layout import copy, copy_tree, dead_links, same_times, write
from bench.project.snapshot import Snapshot, selected
from bench.project.sources import (
    APPS,
    FILE,
    Sources,
    is_left_behind,
    is_made,
    listed,
    ownership,
    shown,
    sources,
)

WORKTREE = "worktree"  # the files as they are now, committed or not
ALL = Sources()
SHORT = 8  # digits of a commit in a name
BESIDE_DATABASES = ("-wal", "-shm", "-journal")  # what SQLite keeps beside its file


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A revision that is laid out: a project of its own, without its history."""

    label: str  # the part of a contender's name after the @
    folder: Path
    commit: str
    untracked: tuple[str, ...] = ()  # laid out too, below the project
    data: Mapping[str, Path] = field(default_factory=dict)  # untracked databases, and their path


def commit_of(root: Path, revision: str) -> str:
    """Return the commit that *revision* of the project at *root* names; raises UsageError."""
    found = _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found is not None:
        return found
    repository(root)  # raises if there is none, or if git refuses it
    shallow = _git(root, "rev-parse", "--is-shallow-repository") == "true"
    remedy = (
        "this clone is shallow: `git fetch --unshallow`, or fetch-depth: 0 where CI checks it out"
        if shallow
        else "`git branch --all` and `git fetch` show what there is"
    )
    raise UsageError(f"unknown revision {revision}: {remedy}")


def where_it_left(root: Path, base: str) -> tuple[str, str]:
    """Return the commit of *base* to compare the working tree with, and a note on it.

    It is the commit where HEAD left *base*. So later changes to *base* do not count as changes of ours.
    Without such a commit it is *base* itself. Raises UsageError.
    """
    tip, other = commit_of(root, base), commit_of(root, "HEAD")
    left = _git(root, "merge-base", tip, other)
    if left is None:
        return tip, f"no common ancestor with {base} is known here: compared with {base} itself"
    if left != tip:
        return left, f"{base} has gone on since: compared with {left[:SHORT]}, where HEAD left it"
    return tip, ""


def lay_out(
    root: Path,
    commit: str,
    folder: Path,
    *,
    where: Sources = ALL,
    data: Mapping[str, Path] | None = None,
) -> Tree:
    """Write what *commit* tracks of the project into *folder*, as a checkout would, and *data* beside it.

    Raises UsageError if git fails, a submodule is missing, or a link leads out of the repository.
    """
    repository, prefix = _placed(root)
    label = commit[:SHORT]
    snapshot = Snapshot(repository, commit, label)
    paths, _ = _selected(snapshot, prefix, where)
    tracked = {path.removeprefix(prefix) for path in paths}
    more = {prefix + path: file for path, file in (data or {}).items() if _is_free(path, tracked)}
    write(snapshot, paths, more, prefix.rstrip("/"), folder)
    return Tree(label=label, folder=folder, commit=commit)


def lay_out_worktree(root: Path, folder: Path, *, where: Sources = ALL) -> Tree:
    """Write the project's current files into *folder*, without what git ignores; raises UsageError."""
    repository, prefix = _placed(root)
    snapshot = Snapshot(repository, None, WORKTREE)
    paths, roots = _selected(snapshot, prefix, where)
    more = dict(snapshot.untracked(roots))
    write(snapshot, paths, more, prefix.rstrip("/"), folder)
    own = {path.removeprefix(prefix): file for path, file in more.items() if path.startswith(prefix)}
    data = dict(_data(own, folder))
    return Tree(
        label=WORKTREE,
        folder=folder,
        commit=commit_of(root, "HEAD"),
        untracked=tuple(path for path in own if path not in data),
        data=data,
    )


def untracked(root: Path, where: Sources = ALL) -> tuple[str, ...]:
    repository, prefix = _placed(root)
    roots = ["--literal-pathspecs", "ls-files", "-z", "--others", "--exclude-standard", "--directory", "--"]
    listed = repository.printed(*roots, *(prefix + one or "." for one in where.roots))
    names = [os.fsdecode(name).removeprefix(prefix) for name in listed.split(b"\0") if name]
    return tuple(name for name in names if not _is_made(root, name))


def outside(root: Path, base: str, head: str | None, where: Sources) -> dict[str, str]:
    """Return the tracked files that differ but are not laid out, and why.

    The path ":/libs/x.py" counts from the top of the repository.
    """
    repository, prefix = _placed(root)
    if where.declared is None and not prefix:
        return {}
    options = (
        "diff",
        "--name-only",
        "-z",
        "--no-ext-diff",
        "--no-renames",
        base,
        *([head] if head else []),
        "--",
    )
    found = {}
    for name in filter(None, map(os.fsdecode, repository.call(*options).out.split(b"\0"))):
        if not name.startswith(prefix):
            found[f":/{name}"] = "outside of the project, but for what links there lead to"
        elif why := where.irrelevant(name.removeprefix(prefix)):
            found[name.removeprefix(prefix)] = why
    return found


def ignored(root: Path, places: Iterable[str]) -> tuple[str, ...]:
    """Return the files and folders ("uploads/") at or below *places* that git ignores.

    Files that tools leave behind are not among them.
    """
    repository, prefix = _placed(root)
    options = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory", "--")
    wanted = [prefix + place for place in places if not (root / place).is_symlink()]
    found = repository.call("--literal-pathspecs", *options, *wanted) if wanted else None
    names = [
        os.fsdecode(name).removeprefix(prefix) for name in (found.out if found else b"").split(b"\0") if name
    ]
    return tuple(name for name in names if not _is_made(root, name))


def _is_made(root: Path, name: str) -> bool:
    parts = [*name.rstrip("/").split("/"), *(["in it"] if name.endswith("/") else [])]
    return is_left_behind(parts) or is_made(root / name) or name.endswith(".pyc")


def _placed(root: Path) -> tuple[Repository, str]:
    """Return the repository of the project at *root*, and its place there: "", "services/shop/"."""
    found = repository(root)
    if found.top is None:
        raise UsageError(f"{root} is no git checkout: revisions are compared there")
    prefix = os.path.relpath(root.resolve(), found.top.resolve())
    return found, "" if prefix == "." else f"{prefix}/"


def _selected(snapshot: Snapshot, prefix: str, where: Sources) -> tuple[set[str], list[str]]:
    """Return the paths that are laid out, and all roots of them.

    Raises UsageError for a link out of the repository that could matter.
    """

    def could_matter(path: str) -> bool:
        if not path.startswith(prefix):
            return True  # a link leads there
        return not where.irrelevant(path.removeprefix(prefix))

    roots = [(prefix + root).rstrip("/") for root in where.roots]
    paths, every, outside = selected(snapshot, roots, could_matter)
    for path in outside:
        raise UsageError(
            f"{shown(path.removeprefix(prefix))} of {snapshot.label} is a link out of the repository, to "
            f"{shown(snapshot.target(path))}: put what it leads to into the repository"
        )
    return paths, every


def _data(untracked: Mapping[str, Path], folder: Path) -> Iterator[tuple[str, Path]]:
    for path, file in untracked.items():
        of = next((path.removesuffix(end) for end in BESIDE_DATABASES if path.endswith(end)), path)
        if is_database(folder / of):
            yield path, file


def _is_free(path: str, tracked: Collection[str]) -> bool:
    parts = path.split("/")
    above = {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return not above & set(tracked)


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it fails. Raises UsageError if there is no git."""
    done = call("-C", str(root), *arguments)
    return done.line if done.status == 0 else None


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
