"""The files that a project's servers are made of: `bench.toml`, and which file could matter to which app.

What tools leave behind matters to none.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from bench.errors import UsageError
from bench.project import bench_file
from bench.project.bench_file import path_below
from bench.project.installs import install_places

FILE = bench_file.NAME
APPS = "apps"
SCENARIOS = "apps/scenarios.toml"  # the head's are sent to both sides
IMAGES = ".dockerignore"  # beside apps/, where images are built
# Patterns of whole paths below the project, and why a file there cannot matter to a server.
BESIDE = {
    reason: re.compile("|".join(patterns), re.DOTALL)
    for reason, patterns in {
        "the benchmark's own": (
            "(plans|results|apps/checks|apps/evidence)/.*",
            r"waivers\.toml|bench\.toml|apps/scenarios\.toml",
        ),
        "of CI": (
            r"\.(github|gitlab|circleci|buildkite|azure-pipelines|woodpecker|forgejo|gitea)/.*",
            r"\.gitlab-ci\.yml|\.travis\.yml|\.drone\.yml|\.cirrus\.yml|\.woodpecker\.yml|\.pre-commit-config\.yaml",
            r"appveyor\.yml|\.appveyor\.yml|azure-pipelines\.yml|bitbucket-pipelines\.yml|Jenkinsfile|codecov\.yml",
        ),
        "of git or an editor": (
            r"\.git(ignore|attributes|modules)|\.mailmap|\.git-blame-ignore-revs|\.editorconfig",
            r"\.(vscode|idea)/.*",
        ),
        "documentation": (
            r"[^/]*\.(md|rst)|apps/[^/]*\.(md|rst)",
            r"(LICEN[SC]E|CHANGELOG|CHANGES|COPYING|AUTHORS|NOTICE)[^/]*",
            "docs/.*",
        ),
    }.items()
}
OUTSIDE = f"outside of `source` in {FILE}"
# What tools leave behind in a project: caches, environments, editors' files. No content of a user.
LEFT_FOLDERS = re.compile(
    r"__pycache__|node_modules|\.git|\.hg|\.svn|\.venvs?|\.bench|\.tox|\.nox|\.[a-z_]+_cache|\.hypothesis|\.eggs"
)
LEFT_FILES = re.compile(r"\.git|\.DS_Store|\.coverage(\..*)?|\..*\.sw[a-p]|.*~|\.#.*|#.*#")
# A file that identifies a folder, and how it begins: a virtual environment, a run, a verdict.
MADE_MARKS = {"pyvenv.cfg": b"", "run.json": b'{"schema":', "verdict.json": b'{"schema":'}


class _SourcesInBenchFile(TypedDict, total=False):
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The places of the files of which a project's servers are made."""

    declared: tuple[str, ...] | None = None  # folders and files below the project; None: all that git tracks
    own: str | None = None  # the file of the project's contenders, if they do not stand in apps/

    @property
    def roots(self) -> tuple[str, ...]:
        if self.declared is None:
            return ("",)
        own = (self.own,) if self.own else ()
        return tuple(dict.fromkeys((APPS, *self.declared, *own, IMAGES)))

    def irrelevant(self, path: str) -> str:
        """Return why the file at *path* of no app cannot matter to a server; "" if it could."""
        named = self.declared is not None and any(within(path, one) for one in self.declared if one != APPS)
        if path == self.own:
            return ""
        for reason, pattern in BESIDE.items():
            if pattern.fullmatch(path) and not (named and reason == "documentation"):
                return reason
        if self.declared is None or named or within(path, APPS) or path == IMAGES:
            return ""
        return OUTSIDE


def sources(root: Path) -> Sources:
    """Return what the project's bench.toml names, if it has one; raises UsageError."""
    file = bench_file.bench_file(root)
    own = file.where.partition(":")[0] if "contenders" in file.content else None
    written = file.part(_SourcesInBenchFile, "source").get("source")
    if written is None:
        return Sources(own=own and Path(own).name)
    declared = []
    for one in written:
        path = path_below(f"{file.where}: source", one)
        if not os.path.lexists(root / path):
            raise UsageError(f'{file.where}: source: there is no "{one}" below {root}')
        declared.append(path)
    whole = "" in declared
    declared += install_places(root)  # a server is made of its packages too
    return Sources(declared=None if whole else tuple(dict.fromkeys(declared)), own=own and Path(own).name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Which folder belongs to which app. All others that could matter are shared."""

    folders: Mapping[str, str]  # "apps/shop_app", or the target of a link of that name → its app
    sources: Sources

    def app(self, path: str) -> str | None:
        return next((app for folder, app in self.folders.items() if within(path, folder)), None)

    def irrelevant(self, path: str) -> str:
        """Return why the file at *path* cannot matter to any server; "" if it could."""
        return "" if self.app(path) else self.sources.irrelevant(path)


def ownership(roots: Iterable[Path], found: Sources) -> Ownership:
    folders: dict[str, str] = {}
    for root in roots:
        folders.update(bench_file.folders(root))
        for table in sorted(root.glob(f"{APPS}/*/contenders.toml")):
            name = table.parent.name
            folders[f"{APPS}/{name}"] = name
            if table.parent.is_symlink():
                leads = os.path.relpath(os.path.realpath(table.parent), os.path.realpath(root))
                if not within(leads, ".."):
                    folders.setdefault(leads, name)
    return Ownership(folders=folders, sources=found)


def within(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def shown(path: str) -> str:
    """Return *path* for one line of a report; a character that cannot be printed becomes its number."""
    return "".join(one if one.isprintable() else _number(one) for one in path)


def _number(character: str) -> str:
    # A byte that is no text has this character: see os.fsdecode.
    code = ord(character)
    return (
        f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else character.encode("unicode_escape").decode()
    )


def listed(paths: Collection[str], most: int = 5) -> str:
    """Return *paths* in a sentence; those beyond *most* as a number."""
    names = [shown(path) for path in sorted(paths)]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def is_left_behind(parts: Iterable[str]) -> bool:
    *folders, name = parts
    return bool(LEFT_FILES.fullmatch(name)) or any(map(LEFT_FOLDERS.fullmatch, folders))


def is_made(folder: Path) -> bool:
    """Return whether *folder* is a virtual environment or holds a run, whatever its name."""
    return any(_begins(folder / name, mark) for name, mark in MADE_MARKS.items())


def made_folders(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return the folders ("env/") below *folder* that tools made, found by the *names* of files."""
    found = {name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in MADE_MARKS}
    return tuple(sorted(f"{one}/" for one in found if one and is_made(folder / one)))


def _begins(file: Path, mark: bytes) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(mark)) == mark
