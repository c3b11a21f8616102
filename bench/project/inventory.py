"""What the servers of a project can read in its folder: hashes of files, git's own where it has them."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.project.changed import digest, reach
from bench.project.git import repository
from bench.project.snapshot import Snapshot
from bench.project.sources import (
    APPS,
    IMAGES,
    Ownership,
    Sources,
    is_left_behind,
    is_made,
    ownership,
    sources,
    within,
)

LONG_BYTES = 8 * 2**20  # a larger file without a hash of git is identified by size and time
CHECKS = "apps/checks"
ASIDE = ("plans", "results", "docs")  # at the top: not searched


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The files of a project with their hashes, and the apps that own them."""

    root: Path
    files: Mapping[str, str]
    owned: Ownership
    reaches: Mapping[str, set[str]]  # by app ("": every one): places beside its folder that it reads

    def read_by(self, app: str, *, with_checks: bool = False) -> str:
        """Return a hash of all that a server of *app* can read; with its checks on request."""
        places = (*self.reaches.get(app, ()), *self.reaches.get("", ()))
        return self._hash(
            path
            for path in self.files
            if (owner := self.owned.app(path)) == app
            or (owner is None and not self.owned.irrelevant(path))
            or any(within(path, place) for place in places)
            or (with_checks and within(path, CHECKS))
        )

    def shared(self) -> str | None:
        paths = [
            path
            for path in self.files
            if path != IMAGES
            and not within(path, APPS)
            and self.owned.app(path) is None
            and not self.owned.irrelevant(path)
        ]
        return self._hash(paths)[:16] if paths else None

    def _hash(self, paths: Iterator[str] | list[str]) -> str:
        found = hashlib.sha256()
        for path in sorted(paths):
            found.update(os.fsencode(f"{path}\0{self.files[path]}\0"))
        return found.hexdigest()


def inventory(root: Path) -> Inventory:
    """Return what servers of the project at *root* can read; raises UsageError for a wrong bench.toml."""
    where = sources(root)
    files = dict(_known(root, where))
    owned = ownership((root,), where)
    return Inventory(root=root, files=files, owned=owned, reaches=reach(root, owned, files))


def _known(root: Path, where: Sources) -> Iterator[tuple[str, str]]:
    try:
        found = repository(root)
        snapshot = Snapshot(found, None, "the checkout")
    except UsageError:  # no checkout, or git refuses it
        yield from _walked(root, root)
        return
    top = found.top or root
    prefix = os.path.relpath(root.resolve(), top.resolve())
    prefix = "" if prefix == "." else f"{prefix}/"
    roots = [(prefix + one).rstrip("/") for one in where.roots]
    tracked = {path for one in roots for path in snapshot.below(one, lambda at: (top / at / ".git").exists())}
    if not any(
        path.startswith(f"{prefix}{APPS}/") for path in tracked
    ):  # a tree of ours, in another checkout
        yield from _walked(root, root)
        return
    for path in tracked:
        _, entry = snapshot.entries[path]
        own = path.removeprefix(prefix)
        yield own, digest(entry.file) if entry.file else f"{entry.mode} {entry.blob}"
        if (root / own).is_symlink():
            yield from _led_out(root, own)
    options = ("ls-files", "-z", "--others", "--directory", "--", *(one or "." for one in roots))
    for name in filter(None, found.printed("--literal-pathspecs", *options).split(b"\0")):
        yield from _walked(root, top / os.fsdecode(name))


def _walked(root: Path, place: Path) -> Iterator[tuple[str, str]]:
    own = os.path.relpath(place, root)
    path = "" if own == "." else own
    if place.is_dir() and not place.is_symlink():
        made = is_left_behind((*path.split("/"), "in it")) or is_made(place) or path in ASIDE
        if not made and os.access(place, os.R_OK | os.X_OK):
            for inner in sorted(place.iterdir()):
                yield from _walked(root, inner)
    elif not is_left_behind(path.split("/")) and (place.is_symlink() or place.is_file()):
        yield path, _as_it_lies(place)
        if place.is_symlink():
            yield from _led_out(root, path)


def _led_out(root: Path, link: str) -> Iterator[tuple[str, str]]:
    """Yield what a link out of the project leads to, by size and time."""
    leads = Path(os.path.realpath(root / link))
    if leads.is_relative_to(os.path.realpath(root)) or not leads.exists():
        return
    for folder, folders, names in (
        os.walk(leads) if leads.is_dir() else [(str(leads.parent), [], [leads.name])]
    ):
        folders[:] = [one for one in folders if not is_left_behind((one, "in it"))]
        for name in names:
            file = Path(folder) / name
            yield f"{link}/{os.path.relpath(file, leads)}", _stamp(file)


def _as_it_lies(file: Path) -> str:
    try:
        if file.is_symlink() or file.stat().st_size <= LONG_BYTES:
            return digest(file)
    except OSError:
        pass  # not readable, not even by a server
    return _stamp(file)


def _stamp(file: Path) -> str:
    facts = file.lstat()
    return f"{facts.st_size} {facts.st_mtime_ns}"
