"""What an upgrade moved: the versions that a lock states for one Python, before and after."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from bench.runtime.packages.foreign_locks import Wanted
from bench.runtime.packages.own_lines import is_own
from bench.runtime.requirements import OPTION


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageMove:
    """A package whose version differs. None: it is not there on that side."""

    name: str
    was: str | None
    now: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.was or 'none'} → {self.now or 'none'}"


def moves(was: Mapping[str, str], now: Mapping[str, str]) -> tuple[PackageMove, ...]:
    names = sorted(was.keys() | now.keys())
    pairs = ((name, was.get(name), now.get(name)) for name in names)
    return tuple(PackageMove(name=name, was=one, now=other) for name, one, other in pairs if one != other)


def requirement(line: str) -> Requirement | None:
    """Return what a line of a requirements.txt requires; None for an option, or a folder of the user."""
    if OPTION.match(line) or is_own(line):
        return None
    try:
        return Requirement(line.partition("--hash")[0].strip())
    except InvalidRequirement:
        return None


def normal_name(read: Requirement) -> str:
    return str(canonicalize_name(read.name))


def exact_version(read: Requirement) -> str | None:
    """Return the one version that *read* allows; None if it allows more."""
    if read.url:
        return read.url
    one = next(iter(read.specifier), None)
    is_exact = one is not None and one.operator in ("==", "===") and "*" not in one.version
    return one.version if one is not None and is_exact and len(read.specifier) == 1 else None


def pins(lines: Iterable[str], wanted: Wanted) -> dict[str, str]:
    """Return the versions that *lines* state, by name, for one Python on this machine."""
    found = {}
    for read in filter(None, map(requirement, lines)):
        version = exact_version(read)
        if version is not None and wanted.holds(str(read.marker) if read.marker else None):
            found[normal_name(read)] = version
    return found
