"""A snapshot written into a folder, as a checkout would write it, and complete in itself.

Files that git has unchanged come out of git in the same way for every side. They pass through attributes and
filters (line ends, encodings, LFS). Files changed in a working tree are copied. Links that lead out of the
project, but not out of its repository, are replaced by their targets. All files have one time: trees differ
only in content.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bench.errors import UsageError
from bench.project.git import call
from bench.project.snapshot import MODULE, PROGRAM, Part, Snapshot, TreeEntry

LAID_OUT_AT_S = 978_307_200  # 2001-01-01: the time of every file
ATTRIBUTES = ".gitattributes"


def write(
    snapshot: Snapshot, paths: Iterable[str], more: Mapping[str, Path], prefix: str, folder: Path
) -> None:
    """Write *paths* of *snapshot*, and *more* files by their paths, into *folder*: all below *prefix*.

    Raises UsageError if a file cannot be read, or git cannot write one.
    """
    whole = folder.with_name(f"{folder.name}.whole") if prefix else folder
    whole.mkdir(parents=True)
    wanted = set(paths)
    for part in snapshot.parts:
        own = {
            path: entry
            for path, entry in part.entries.items()
            if entry.mode != MODULE and part.at + path in wanted
        }
        _from_git(part, {path: entry for path, entry in own.items() if entry.file is None}, whole / part.at)
        for path, entry in own.items():
            if entry.file is not None:
                copy(entry.file, whole / part.at / path, program=entry.mode == PROGRAM)
    for path, file in more.items():
        copy(file, whole / path, program=bool(file.lstat().st_mode & stat.S_IXUSR))
    if prefix:
        project = whole / prefix
        project.mkdir(parents=True, exist_ok=True)
        _make_whole(Path(os.path.realpath(whole)), Path(os.path.realpath(project)))
        project.rename(folder)
        shutil.rmtree(whole)
    same_times(folder)


def copy(file: Path, to: Path, *, program: bool) -> None:
    """Copy a file or link with the mode that a checkout would give it; raises UsageError."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        if file.is_symlink():
            to.symlink_to(os.readlink(file))
            return
        shutil.copyfile(file, to)
        if program:
            mode = to.stat().st_mode
            to.chmod(mode | (mode & 0o444) >> 2)
    except OSError as error:
        raise UsageError(f"{file} cannot be copied: {error.strerror or error}") from error


def copy_tree(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to, symlinks=True)
    same_times(to)
    return to


def same_times(folder: Path) -> None:
    for place in (*below(folder), folder):
        os.utime(place, (LAID_OUT_AT_S, LAID_OUT_AT_S), follow_symlinks=False)


def dead_links(folder: Path) -> list[str]:
    links = (place for place in below(folder) if place.is_symlink())
    return [str(place.relative_to(folder)) for place in links if not place.exists()]


def below(folder: Path) -> Iterator[Path]:
    """Yield every file, link and folder below *folder*, each folder after its content."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.is_dir(follow_symlinks=False):
                yield from below(Path(entry.path))
            yield Path(entry.path)


def _from_git(part: Part, entries: Mapping[str, TreeEntry], folder: Path) -> None:
    """Write *entries* into *folder* with git and a separate index. The repository's index does not change."""
    folder.mkdir(parents=True, exist_ok=True)
    if not entries:
        return
    attributes = {
        path: entry
        for path, entry in part.entries.items()
        if entry.file is None and path.rpartition("/")[2] == ATTRIBUTES
    }
    listed = b"".join(
        b"%b %b\t%b\0" % (entry.mode.encode(), entry.blob.encode(), os.fsencode(path))
        for path, entry in {**attributes, **entries}.items()
    )
    names = b"".join(os.fsencode(path) + b"\0" for path in entries)
    where = ("-C", str(folder), "--git-dir", str(part.repository.folder), "--work-tree", str(folder))
    with tempfile.TemporaryDirectory(prefix="bench-index-") as scratch:
        # Filters run in the user's locale, as at a checkout.
        env = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), "LC_ALL": os.environ.get("LC_ALL", "")}
        for command, stdin in (
            (("update-index", "-z", "--index-info"), listed),
            (("checkout-index", "-z", "--stdin", "--force", "--quiet"), names),
        ):
            done = call(*where, *command, stdin=stdin, env=env)
            if done.status:
                raise UsageError(f"{part.at or 'the revision'} cannot be laid out: {done.reason}")


def _make_whole(whole: Path, project: Path) -> None:
    """Replace the links of *project* that leave it by their targets below *whole*; raises UsageError."""
    for link in [place for place in below(project) if place.is_symlink()]:
        if not _stays(link, project):
            leads, target = Path(os.path.realpath(link)), os.readlink(link)
            link.unlink()
            if _is_within(leads, project):
                link.symlink_to(os.path.relpath(leads, link.parent))
            elif leads.exists() and _is_within(leads, whole):
                named = str(link.relative_to(project))
                _copy_of(leads, link, within=leads, trail=(leads, link), named=named)
            else:
                link.symlink_to(target)  # it leads nowhere, in a checkout too


def _copy_of(place: Path, to: Path, *, within: Path, trail: tuple[Path, ...], named: str) -> None:
    """Copy *place* and the targets of its links out of *within*; raises UsageError for an endless copy."""
    if any(_is_within(one, place) for one in trail[1:]):
        raise UsageError(
            f"the link {named} leads out of the project and back to a folder that it lies in: let it lead to "
            "the folder that is needed"
        )
    if place.is_symlink():
        leads = Path(os.path.realpath(place))
        if not leads.exists() or _stays(place, within):
            to.symlink_to(os.readlink(place))
        else:
            _copy_of(leads, to, within=leads, trail=(leads, *trail), named=named)
    elif place.is_dir():
        to.mkdir()
        for inner in sorted(place.iterdir()):
            _copy_of(inner, to / inner.name, within=within, trail=trail, named=named)
    else:
        shutil.copy2(place, to)


def _stays(link: Path, folder: Path) -> bool:
    """Return whether the path that *link* names never leaves *folder*, not even to come back."""
    depth = len(link.parent.relative_to(folder).parts)
    for part in os.readlink(link).split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return False
    return True


def _is_within(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
