"""Which versions are the newest of a set of runs, and what is older in each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from packaging.version import InvalidVersion, Version

from bench.site.submission import StatedContender, Submission

PYTHON = "Python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The newest version of a package that a run has, and when it was first measured."""

    version: str
    first_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """A package of a contender of which a newer release is in the set."""

    package: str
    here: str
    newest: str


def releases_of(runs: Sequence[Submission]) -> Mapping[str, Release]:
    """Return the newest release of each framework, server and minor version of Python in *runs*."""
    found: dict[str, Release] = {}
    for run in runs:
        at = datetime.fromisoformat(run.started_at)
        for one in run.contenders:
            for package, version in versions_of(one):
                known = found.get(package)
                if _parsed(version) is None:
                    continue
                earlier = known and version == known.version and at < known.first_at
                if known is None or earlier or _is_newer(version, known.version):
                    found[package] = Release(version=version, first_at=at)
    return found


def outdated(one: StatedContender, newest: Mapping[str, Release]) -> tuple[Outdated, ...]:
    return tuple(
        Outdated(package=package, here=version, newest=newest[package].version)
        for package, version in versions_of(one)
        if package in newest and _is_newer(newest[package].version, version)
    )


def versions_of(one: StatedContender) -> Iterator[tuple[str, str]]:
    """Yield what a reader knows a contender by, with versions. Each minor version of Python is its own."""
    if one.framework_version:
        yield one.framework, one.framework_version
    if one.server_version and one.server != one.framework:
        yield one.server, one.server_version
    if one.python:
        yield f"{PYTHON} {'.'.join(one.python.split('.')[:2])}", one.python


def stack_of(run: Submission) -> str:
    """Return the versions of a run in one line: "Python 3.11.7, django 5.2.19, flask 3.1.3"."""
    pythons = sorted({one.python for one in run.contenders if one.python})
    frameworks = dict(
        sorted((one.framework, one.framework_version) for one in run.contenders if one.framework_version)
    )
    return ", ".join(
        [
            *(f"{PYTHON} {version}" for version in pythons),
            *(f"{name} {held}" for name, held in frameworks.items()),
        ]
    )


def _is_newer(one: str, other: str) -> bool:
    here, there = _parsed(one), _parsed(other)
    return here is not None and there is not None and here > there


def _parsed(text: str) -> Version | None:
    """Return a final release; None of any other version, which nobody has to move to."""
    try:
        found = Version(text)
    except InvalidVersion:
        return None
    return None if found.is_prerelease else found
