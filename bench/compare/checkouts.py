"""Revisions of a project, each laid out in a folder of its own."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import UsageError
from bench.project.changed import is_database
from bench.project.git import Repository, call, repository
from bench.project.layout import write
from bench.project.snapshot import Snapshot, selected
from bench.project.sources import Sources, is_left_behind, is_made, shown

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
