"""All that a revision of a repository tracks, with submodules, and the targets of its links."""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.project.git import Repository, repository
from bench.project.sources import is_left_behind, made_folders, within

LINK, MODULE, FILE, PROGRAM = "120000", "160000", "100644", "100755"
MOST_LINKS = 40  # followed for one path, as the kernel does


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """A file or link of a revision: a blob as git keeps it, or a file in the working tree."""

    mode: str
    blob: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one repository brings to a revision: that of the project, or a submodule."""

    at: str  # its folder: "", "apps/shop_app/core/"
    repository: Repository
    commit: str | None  # None: its files as they are in the working tree
    entries: dict[str, TreeEntry]  # by path in that repository


class Snapshot:
    """A revision, by paths from the top of its repository; a submodule is opened when it matters.

    Raises UsageError if git fails, or if a needed submodule is missing.
    """

    def __init__(self, repository: Repository, commit: str | None, label: str) -> None:
        self.label = label
        self.parts: list[Part] = []
        self.entries: dict[str, tuple[Part, TreeEntry]] = {}
        self._modules: dict[
            str, tuple[Part, str]
        ] = {}  # not opened: its folder, and the commit that it should be at
        self._targets: dict[str, str] = {}
        self._open("", repository, commit)

    def below(self, root: str, needed: Callable[[str], bool]) -> set[str]:
        """Return the paths at or below the folder or file *root*, with those of its submodules."""
        within = f"{root}/" if root else ""
        while due := [
            at
            for at in self._modules
            if needed(at) and (at.startswith(within) or f"{root}/".startswith(f"{at}/"))
        ]:
            for at in due:
                self._open_module(at, *self._modules.pop(at))
        return {path for path in self.entries if path == root or path.startswith(within)}

    def resolved(self, path: str) -> tuple[str, ...] | None:
        """Return the links on the way of *path*, then its target; None: out of the repository."""
        there: list[str] = []
        links: list[str] = []
        ahead = deque(path.split("/"))
        while ahead:
            part = ahead.popleft()
            if part in ("", "."):
                continue
            if part == "..":
                if not there:
                    return None
                there.pop()
                continue
            there.append(part)
            at = "/".join(there)
            if at in self._modules:
                self._open_module(at, *self._modules.pop(at))
            if at in self.entries and self.entries[at][1].mode == LINK and len(links) < MOST_LINKS:
                target = self.target(at)
                if target.startswith("/"):
                    return None
                links.append(at)
                there.pop()
                ahead.extendleft(reversed(target.split("/")))
        return (*links, "/".join(there))

    def target(self, path: str) -> str:
        part, entry = self.entries[path]
        if entry.file:
            return os.readlink(entry.file)
        if path not in self._targets:
            self._targets[path] = os.fsdecode(part.repository.printed("cat-file", "blob", entry.blob))
        return self._targets[path]

    def untracked(self, roots: Sequence[str]) -> Iterator[tuple[str, Path]]:
        """Yield the files at or below *roots* that git neither tracks nor ignores, and their paths."""
        for part in [one for one in self.parts if one.commit is None]:
            inside = [_inside(part.at, root) for root in roots]
            for path, file in _untracked(part.repository, [root for root in inside if root is not None]):
                yield part.at + path, file

    def _open(self, at: str, repository: Repository, commit: str | None) -> None:
        entries = dict(_of_commit(repository, commit) if commit else _of_worktree(repository))
        part = Part(at=at, repository=repository, commit=commit, entries=entries)
        self.parts.append(part)
        for path, entry in entries.items():
            if entry.mode == MODULE:
                self._modules[at + path] = (part, entry.blob)
            else:
                self.entries[at + path] = (part, entry)

    def _open_module(self, at: str, above: Part, commit: str) -> None:
        path = at.removeprefix(above.at)
        named = f"the submodule {at} of {self.label}"
        there = list(_checkouts(above, path))
        if above.commit is None:
            there = [one for one in there if one.top]
        if not there:
            raise UsageError(
                f"{named} is not checked out: `git submodule update --init --recursive`, or leave it out "
                "with `source` in bench.toml"
            )
        if above.commit is None:
            self._open(f"{at}/", there[0], None)
            return
        having = next((one for one in there if one.has(commit)), None)
        if having is None:
            raise UsageError(
                f"{named} is at {commit[:8]}, which is not here: `git -C {at} fetch origin {commit}`"
            )
        self._open(f"{at}/", having, commit)


def selected(
    snapshot: Snapshot, roots: Iterable[str], needed: Callable[[str], bool]
) -> tuple[set[str], list[str], list[str]]:
    """Return all paths below *roots* and the targets of links there; all roots; links out of the repository.

    *needed* returns whether a path could matter. If it cannot, a submodule may be missing.
    """
    paths: set[str] = set()
    done: list[str] = []
    outside: list[str] = []
    due = deque((root, needed) for root in roots)
    while due:
        root, opens = due.popleft()
        done.append(root)
        found = snapshot.below(root, opens) - paths
        paths |= found
        for path in sorted(found):
            if snapshot.entries[path][1].mode != LINK or not opens(path):
                continue
            leads = None
            if not snapshot.target(path).startswith("/"):
                leads = snapshot.resolved(path)
            if leads is None:
                outside.append(path)
                continue
            known = (*done, *(one for one, _ in due))
            due.extend((one, lambda _: True) for one in leads if not any(within(one, root) for root in known))
    return paths, done, outside


def _inside(at: str, root: str) -> str | None:
    if not root or at.startswith(f"{root}/"):
        return ""
    return root.removeprefix(at) if root.startswith(at) else None


def _of_commit(repository: Repository, commit: str) -> Iterator[tuple[str, TreeEntry]]:
    for line in _lines(repository.printed("ls-tree", "-r", "-z", "--full-tree", commit)):
        facts, _, path = line.partition("\t")
        mode, _, blob = facts.split(" ")
        yield path, TreeEntry(mode=mode, blob=blob)


def _of_worktree(repository: Repository) -> Iterator[tuple[str, TreeEntry]]:
    """Yield what the index has: its entry if the file is unchanged, else the file as it is now."""
    options = ("--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
    changed = {line[3:] for line in _lines(repository.printed("status", *options)) if line[1] != " "}
    modes_count = repository.call("config", "--type=bool", "core.fileMode").line != "false"
    top = repository.top or Path()
    for line in _lines(repository.printed("ls-files", "-z", "--stage", "-v")):
        facts, _, path = line.partition("\t")
        tag, mode, blob, stage = facts.split(" ")
        # A small letter: git treats it as unchanged, whatever its content.
        as_it_was = path not in changed and stage == "0" and not tag.islower()
        if as_it_was or mode == MODULE:
            yield path, TreeEntry(mode=mode, blob=blob)
        elif found := _mode(top / path):
            regular = found != LINK and mode != LINK
            yield path, TreeEntry(mode=found if modes_count or not regular else mode, file=top / path)


def _mode(file: Path) -> str | None:
    try:
        mode = file.lstat().st_mode
    except OSError:
        return None
    if stat.S_ISLNK(mode):
        return LINK
    if not stat.S_ISREG(mode):
        return None
    return PROGRAM if mode & stat.S_IXUSR else FILE


def _untracked(repository: Repository, roots: Sequence[str]) -> Iterator[tuple[str, Path]]:
    if not roots or not repository.top:
        return
    # Literal paths: a star in a name is part of the name.
    listing = ("ls-files", "-z", "--others", "--exclude-standard", "--", *(root or "." for root in roots))
    names = list(_lines(repository.printed("--literal-pathspecs", *listing)))
    skipped = made_folders(repository.top, names)
    for name in names:
        file = repository.top / name
        if name.endswith("/"):  # a repository in it that is no submodule
            inner = _nested(file)
            if inner and not is_left_behind(name.rstrip("/").split("/")):
                for path, found in _of_worktree(inner):
                    if found.mode != MODULE:
                        yield name + path, file / path
                yield from ((name + path, found) for path, found in _untracked(inner, [""]))
        elif _mode(file) and not name.startswith(skipped) and not is_left_behind(name.split("/")):
            yield name, file


def _nested(folder: Path) -> Repository | None:
    try:
        found = repository(folder)
    except UsageError:
        return None
    return found if found.top and found.top.resolve() == folder.resolve() else None


def _checkouts(above: Part, path: str) -> Iterator[Repository]:
    """Yield the repositories that hold the submodule at *path*: its checkout, and git's copy of it."""
    where = above.repository
    if where.top and (where.top / path / ".git").exists():
        found = repository(where.top / path)
        if found.top and found.top.resolve() == (where.top / path).resolve():
            yield found
    for name in _module_names(above, path):
        for folder in dict.fromkeys((where.folder, where.common)):
            if (kept := folder / "modules" / name / "HEAD").is_file():
                yield Repository(folder=kept.parent, common=kept.parent, top=None)


def _module_names(above: Part, path: str) -> Iterator[str]:
    entry = above.entries.get(".gitmodules")
    if entry is None:
        return
    source = ("--file", str(entry.file)) if entry.file else ("--blob", entry.blob)
    listed = above.repository.call("config", "-z", *source, "--get-regexp", r"^submodule\..*\.path$")
    for line in _lines(listed.out):
        key, _, value = line.partition("\n")
        if value == path:
            yield key.removeprefix("submodule.").removesuffix(".path")


def _lines(printed: bytes) -> Iterator[str]:
    return (os.fsdecode(line) for line in printed.split(b"\0") if line)
