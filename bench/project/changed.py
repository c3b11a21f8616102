"""Which files differ between two laid-out trees, and which apps they could matter to."""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.project.snapshot import FILE, LINK, PROGRAM
from bench.project.sources import SCENARIOS, Ownership, within

MENTIONS_BYTES = 256 * 1024  # a longer file is data: app names in it are not searched
DATABASE = b"SQLite format 3\0"
EMPTY_DATABASES = (".sqlite", ".sqlite3", ".db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The files that differ, sorted by the apps that they could matter to."""

    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by app
    shared: tuple[str, ...] = ()  # could matter to every app
    irrelevant: Mapping[str, str] = field(default_factory=dict)  # path → why it does not matter
    reached: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # by app: differ elsewhere, and the app reads them
    databases: tuple[str, ...] = ()

    def concern(self, app: str) -> bool:
        return bool(self.shared or self.own.get(app) or self.reached.get(app))

    @property
    def relevant(self) -> tuple[str, ...]:
        return tuple(sorted({*self.shared, *(path for paths in self.own.values() for path in paths)}))

    def beside(self, apps: Iterable[str]) -> tuple[str, ...]:
        compared = set(apps)
        read = {path for app in compared for path in self.reached.get(app, ())}
        others = {path for app, paths in self.own.items() if app not in compared for path in paths}
        return tuple(sorted({*(others - read), *(() if compared else self.shared)}))


def changed(base: Path, head: Path, owned: Ownership) -> Changed:
    here, there = digests(base), digests(head)
    differing = sorted(path for path in here.keys() | there.keys() if here.get(path) != there.get(path))
    reaches: dict[str, set[str]] = {}
    for root in (base, head):
        for app, places in reach(root, owned).items():
            reaches.setdefault(app, set()).update(places)
    own: dict[str, list[str]] = {}
    shared: list[str] = []
    irrelevant: dict[str, str] = {}
    everyones = reaches.pop("", set())
    for path in differing:
        if (whose := owned.app(path)) is not None:
            own.setdefault(whose, []).append(path)
        elif path != SCENARIOS and any(within(path, place) for place in everyones):
            shared.append(path)
        elif why := owned.irrelevant(path):
            irrelevant[path] = why
        else:
            shared.append(path)
    reached = {
        app: tuple(path for path in differing if any(within(path, place) for place in places))
        for app, places in reaches.items()
    }
    return Changed(
        own={app: tuple(paths) for app, paths in own.items()},
        shared=tuple(shared),
        irrelevant=irrelevant,
        reached={app: paths for app, paths in reached.items() if paths},
        databases=tuple(path for path in differing if is_database(head / path) or is_database(base / path)),
    )


def digests(root: Path) -> dict[str, str]:
    """Return a hash for each file and link below *root*, by path: of its bytes and its executable bit."""
    return {path: digest(root / path) for path in _files(root, "")}


def reach(root: Path, owned: Ownership, names: Iterable[str] | None = None) -> dict[str, set[str]]:
    """Return the places beside its folder that each app reads, by link or name; app "": every app.

    Shared places that matter anyway are left out where only their name is found.
    """
    paths = list(_files(root, "")) if names is None else list(names)
    real = os.path.realpath(root)
    links: dict[str, str] = {}
    for path in paths:
        if (root / path).is_symlink():
            leads = os.path.relpath(os.path.realpath(root / path), real)
            if not within(leads, ".."):
                links[path] = "" if leads == "." else leads
    found: dict[str, set[str]] = {app: set() for app in owned.folders.values()}
    found[""] = set()
    for path, leads in links.items():
        app = owned.app(path)
        if app is None and owned.irrelevant(path):
            continue
        if path not in owned.folders:
            found[app or ""].add(leads)
    others = {
        app: re.compile(rb"(?<![\w-])" + re.escape(app.encode()) + rb"(?![\w-])") for app in found if app
    }
    if len(others) > 1:
        for path in paths:
            if app := owned.app(path):
                for other in _named(root / path, {name: one for name, one in others.items() if name != app}):
                    found[app].update(folder for folder, whose in owned.folders.items() if whose == other)
    return {app: _closed(places, links, owned, found) for app, places in found.items() if places}


def is_database(file: Path) -> bool:
    """Return whether *file* is an SQLite database, or an empty file for one."""
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as opened:
        begins = opened.read(len(DATABASE))
    return begins == DATABASE or (not begins and file.suffix in EMPTY_DATABASES)


def _closed(
    places: set[str], links: Mapping[str, str], owned: Ownership, found: Mapping[str, set[str]]
) -> set[str]:
    """Return *places* with all that their links lead to and their apps read, to the end."""
    known = set(places)
    while True:
        more = {leads for path, leads in links.items() if any(within(path, place) for place in known)}
        for place in known:
            if app := owned.app(place):
                more |= found.get(app, set())
        if more <= known:
            return known
        known |= more


def _named(file: Path, others: Mapping[str, re.Pattern[bytes]]) -> Iterator[str]:
    if file.is_symlink() or not file.is_file() or file.stat().st_size > MENTIONS_BYTES:
        return
    text = file.read_bytes()
    yield from (app for app, pattern in others.items() if pattern.search(text))


def _files(root: Path, below: str) -> Iterator[str]:
    with os.scandir(root / below) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _files(root, path)
            else:
                yield path


def digest(file: Path) -> str:
    """Return mode and hash of a file or link as git has them, if git keeps its bytes unchanged."""
    if file.is_symlink():
        target = os.fsencode(os.readlink(file))
        found = hashlib.sha1(b"blob %d\0%b" % (len(target), target))
        return f"{LINK} {found.hexdigest()}"
    with file.open("rb") as opened:
        facts = os.fstat(opened.fileno())
        found = hashlib.sha1(b"blob %d\0" % facts.st_size)
        while block := opened.read(1 << 20):
            found.update(block)
    return f"{PROGRAM if facts.st_mode & stat.S_IXUSR else FILE} {found.hexdigest()}"
