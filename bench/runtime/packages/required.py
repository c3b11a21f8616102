"""What the files of a contender require, in words for uv: as it is written, or with pins that may move."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement

from bench.project.installs import InstallFile
from bench.runtime.packages.foreign_locks import pinned_lines
from bench.runtime.packages.installation import Installation
from bench.runtime.packages.installing import is_installed
from bench.runtime.packages.moves import exact_version, normal_name, requirement
from bench.runtime.packages.own_lines import for_uv, is_own, with_places
from bench.runtime.requirements import INCLUDES, included, lines_of

CONSTRAINT = re.compile(r"(-c|--constraint)")
SOURCE = ".in"  # what a lock beside it was made from


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """What is required."""

    lines: tuple[str, ...] = ()  # requirements and options
    constraints: tuple[str, ...] = ()
    own: tuple[str, ...] = ()  # lines of the user's own folders
    code: tuple[str, ...] = ()  # those of them whose own requirements no line states
    projects: tuple[str, ...] = ()  # files of projects, with options for them

    def __add__(self, other: "Required") -> "Required":
        return Required(
            lines=self.lines + other.lines,
            constraints=self.constraints + other.constraints,
            own=self.own + other.own,
            code=self.code + other.code,
            projects=self.projects + other.projects,
        )

    @property
    def is_hashed(self) -> bool:
        return all("--hash" in line for line in self.lines if requirement(line))

    @property
    def has_packages(self) -> bool:
        return any(requirement(line) for line in self.lines)


def required(made: Installation, requested: Sequence[Requirement] | None = None) -> Required:
    """Return what the files of *made* require. Raises UsageError.

    *requested*: None: as it is written. Else these take the place of what was required of their packages, and
    exact versions are left out, as a resolution prefers them anyway. A lock is then read from its source, if
    that lies beside it: its exact versions stay, because people wrote them.
    """
    found = Required()
    for file in made.files:
        if file.kind == "requirements":
            found += _of_requirements(made, file, requested)
        elif file.kind == "project":
            options = [f"--group={file.file}:{one}" for one in made.contender.groups]
            options += [f"--extra={one}" for one in made.contender.extras]
            own = (f"-e {file.file.parent.as_uri()}",) if is_installed(file) else ()
            found += Required(projects=(*options, str(file.file)), own=own)
        else:
            lines = pinned_lines(file, made.wanted(file))
            packages = [one for one in lines if not is_own(one)]
            if requested is not None:
                packages = [with_requested(loosened(one), requested) for one in packages]
            found += Required(lines=tuple(packages), own=tuple(one for one in lines if is_own(one)))
    return found


def _of_requirements(
    made: Installation, file: InstallFile, requested: Sequence[Requirement] | None
) -> Required:
    source = file.file.with_suffix(SOURCE)
    from_source = requested is not None and file.file.suffix == ".txt" and source.is_file()
    if from_source:
        file = replace(file, file=source)
    texts = made.texts_of(file)
    lines: list[str] = []
    constraints: list[str] = []
    for line, is_constraint in _walked(texts, file.file, (), constrains=False):
        read = requirement(line)
        if is_constraint and requested is not None and read and _is_free(read, requested):
            continue
        if requested is not None and not is_constraint:
            line = with_requested(line if from_source else loosened(line), requested)
        (constraints if is_constraint else lines).append(line)
    own = tuple(one for one in lines if is_own(one))
    packages = [with_places(one, made.folder) for one in for_uv(lines) if not is_own(one)]
    whole = Required(lines=tuple(packages), constraints=tuple(constraints), own=own)
    return whole if whole.is_hashed and whole.has_packages else replace(whole, code=own)


def _walked(
    texts: Mapping[Path, str], file: Path, above: tuple[Path, ...], *, constrains: bool
) -> Iterator[tuple[str, bool]]:
    """Yield each line of *file* and of what it includes, and whether it only constrains."""
    for line in lines_of(texts[file]):
        if not INCLUDES.match(line):
            yield line, constrains
            continue
        inner = included(file, line)
        if inner not in (file, *above):
            limits = constrains or bool(CONSTRAINT.match(line))
            yield from _walked(texts, inner, (file, *above), constrains=limits)


def _is_free(read: Requirement, requested: Sequence[Requirement]) -> bool:
    """Return whether a constraint may not hold: it is of a requested package, or an exact version."""
    names = {normal_name(one) for one in requested}
    return normal_name(read) in names or exact_version(read) is not None


def loosened(line: str) -> str:
    """Return *line* without its hashes, and without its version if that is exact."""
    read = requirement(line)
    if read is None:
        return line
    if exact_version(read) is None or read.url:
        return line.partition("--hash")[0].strip()
    return _written(read, "")


def with_requested(line: str, requested: Sequence[Requirement]) -> str:
    """Return *line* with the versions of the one of *requested* that is the same package, if one is."""
    read = requirement(line)
    if read is None:
        return line
    for one in requested:
        if normal_name(one) == normal_name(read):
            read.extras |= one.extras
            return _written(read, f" @ {one.url}" if one.url else str(one.specifier))
    return line


def _written(read: Requirement, versions: str) -> str:
    extras = f"[{','.join(sorted(read.extras))}]" if read.extras else ""
    return f"{read.name}{extras}{versions}{f' ; {read.marker}' if read.marker else ''}"
