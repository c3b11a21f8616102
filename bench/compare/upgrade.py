"""One revision beside itself with one thing changed: versions of packages, or the Python."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from bench.compare import diff
from bench.compare.diff import Selection
from bench.compare.sides import Sides, laid_out_twice
from bench.compare.upgrade_move import UpgradeMove
from bench.errors import UsageError
from bench.files import near_miss
from bench.model.contender import Contender, name_of
from bench.project import contenders
from bench.project.contenders import Declared, Overlay
from bench.runtime.environments import interpreter, missing_python
from bench.runtime.upgrading import Upgraded, upgrade, versions

HEAD = "upgraded"  # the label of the head
LOCK = "requirements-upgraded{number}.txt"  # what is written where a lock cannot be written in place
Tables = Mapping[str, Mapping[str, Declared]]
Packages = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadChange:
    """What differs in the head."""

    packages: tuple[Requirement, ...] = ()
    python: str | None = None

    @property
    def names(self) -> set[str]:
        return {str(canonicalize_name(one.name)) for one in self.packages}


def change(packages: Sequence[str], python: str | None) -> HeadChange:
    """Return the change that the command line requested; raises UsageError."""
    read = []
    for written in packages:
        try:
            read.append(Requirement(written))
        except InvalidRequirement as error:
            raise UsageError(
                f'--upgrade {written!r} is no requirement: write "django", "django==6.1.*" or "django>=6"'
            ) from error
    return HeadChange(packages=tuple(read), python=python)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A contender on both sides."""

    name: str
    base: Contender
    head: Contender

    @property
    def packages(self) -> Packages:
        """What is equal for contenders that have the same packages."""
        return tuple(
            (one.app, one.folder, one.install, one.lock, one.extras, one.groups, one.python)
            for one in (self.base, self.head)
        )


@contextmanager
def upgraded(
    root: Path, revision: str | None, wanted: Selection, asked: HeadChange
) -> Iterator[tuple[Sides, Selection]]:
    """Lay out *revision* (None: the working tree) beside itself with *asked* changed.

    Yield both sides, and *wanted* with the contenders in which something moved, which may be none. Raises
    UsageError if it cannot be done, CannotMeasure if the index of packages cannot be reached.
    """
    with laid_out_twice(root, revision, HEAD) as sides:
        tables = sides.tables
        if asked.python is not None:
            tables = _overlaid(tables, HEAD, tables[HEAD], {"python": asked.python})
        sides = replace(sides, tables=tables)
        pairs, notes = _servable(sides, diff.names(sides, wanted), asked)
        known = _versions(pairs) if asked.packages else {}
        concerned, beside = _concerned(pairs, known, asked, named=bool(wanted.contenders))
        moved: list[str] = []
        for number, group in enumerate(_groups(concerned)):
            there = known.get(group[0].packages, {})
            requested = [one for one in asked.packages if str(canonicalize_name(one.name)) in there]
            lock = LOCK.format(number=f"-{number}" if number else "")
            sides, found = _upgraded(sides, group, requested, lock)
            if found.moved or asked.python is not None:
                moved += [one.name for one in group]
            notes += _moves(group, found)
            sides = replace(sides, moved=(*sides.moved, *_moved(group, found)))
        yield replace(sides, notes=(*notes, *beside, *sides.notes)), replace(wanted, contenders=tuple(moved))


def why_nothing(asked: HeadChange) -> str:
    requested = ", ".join(map(str, asked.packages))
    return f"nothing to compare: nothing moves, {requested} is what is installed already"


def _overlaid(
    tables: Tables, label: str, names: Sequence[str] | Mapping[str, Declared], more: Overlay
) -> Tables:
    """Return *tables* in which the contenders of these *names* at *label* have *more*."""
    changed = {
        base: replace(table, overlay={**table.overlay, **more}) if base in names else table
        for base, table in tables[label].items()
    }
    return {**tables, label: changed}


def _pair(sides: Sides, name: str) -> _Pair:
    base, head = (contenders.resolve(name, sides.tables[tree.label]) for tree in (sides.base, sides.head))
    return _Pair(name=name, base=base, head=head)


def _servable(sides: Sides, names: Sequence[str], asked: HeadChange) -> tuple[list[_Pair], list[str]]:
    """Return the contenders whose Python is there, and notes on the others; raises UsageError."""
    pairs, notes = [], []
    for pair in (_pair(sides, name) for name in names):
        if asked.python is not None and pair.head.python != asked.python:
            raise UsageError(f"{pair.name} names its own Python: leave that or --python {asked.python} out")
        if asked.python is not None and (lack := missing_python(pair.head)):
            raise UsageError(f"--python {asked.python}: {lack}")
        if lack := missing_python(pair.base):
            notes.append(f"left out: {pair.name}: {lack}")
        else:
            pairs.append(pair)
    return pairs, notes


def _versions(pairs: Sequence[_Pair]) -> dict[Packages, Mapping[str, str]]:
    found: dict[Packages, Mapping[str, str]] = {}
    for pair in pairs:
        if pair.packages not in found:
            found[pair.packages] = versions(pair.base)
    return found


def _concerned(
    pairs: Sequence[_Pair], found: Mapping[Packages, Mapping[str, str]], asked: HeadChange, *, named: bool
) -> tuple[list[_Pair], list[str]]:
    """Return the contenders that have one of the packages, and notes on the others. Raises UsageError."""
    if not asked.packages:
        return list(pairs), []
    known = {name for one in found.values() for name in one}
    where = ", ".join(dict.fromkeys(pair.base.app for pair in pairs)) or "no contender"
    for name in sorted(asked.names):
        if name not in known:
            raise UsageError(f"--upgrade {name}: no lock has it, of {where}{near_miss(name, sorted(known))}")
    concerned = [pair for pair in pairs if asked.names & found[pair.packages].keys()]
    others = [pair.name for pair in pairs if pair not in concerned]
    names = ", ".join(sorted(asked.names))
    if others and named:
        raise UsageError(
            f"--upgrade {names}: not in the lock of {', '.join(others)}: leave one of the two out"
        )
    return concerned, [f"not compared, as they have no {names}: {', '.join(others)}"] if others else []


def _groups(pairs: Sequence[_Pair]) -> list[list[_Pair]]:
    """Return the contenders by their packages. Raises UsageError if one lock would be resolved twice."""
    groups: dict[Packages, list[_Pair]] = {}
    firsts: dict[Packages, _Pair] = {}
    for pair in pairs:
        first = firsts.setdefault((pair.base.app, pair.base.install, pair.base.lock), pair)
        if first.packages != pair.packages:
            raise UsageError(
                f"{first.name} and {pair.name} have one lock in different ways: upgrade one of them alone, "
                f"`--contender {pair.name}`"
            )
        groups.setdefault(pair.packages, []).append(pair)
    return list(groups.values())


def _upgraded(
    sides: Sides, group: Sequence[_Pair], requested: Sequence[Requirement], lock: str
) -> tuple[Sides, Upgraded]:
    """Upgrade what the contenders of *group* share, and let them use it; raises UsageError."""
    first = group[0]
    found = upgrade(first.base, first.head, requested, lock=lock, copies=(sides.twin.folder,))
    bases = {name_of(pair.name).base for pair in group}
    for tree, written in ((sides.base, found.base_lock), (sides.head, found.head_lock)):
        if written is None:
            continue
        more: Overlay = {"lock": written, "extras": (), "groups": ()}
        sides = replace(sides, tables=_overlaid(sides.tables, tree.label, sorted(bases), more))
        for pair in group:
            if contenders.resolve(pair.name, sides.tables[tree.label]).lock != written:
                raise UsageError(f"{pair.name} cannot be upgraded: one of its switches names its packages")
    return sides, found


def _moved(group: Sequence[_Pair], found: Upgraded) -> Iterator[UpgradeMove]:
    names = tuple(pair.name for pair in group)
    pythons = [interpreter(one)[1] for one in (group[0].base, group[0].head)]
    if pythons[0] != pythons[1]:
        yield UpgradeMove(contenders=names, package="python", was=pythons[0], now=pythons[1])
    for move in found.moved:
        yield UpgradeMove(contenders=names, package=move.name, was=move.was, now=move.now)


def _moves(group: Sequence[_Pair], found: Upgraded) -> Iterator[str]:
    whose = ", ".join(pair.name for pair in group)
    yield f"moved for {whose}: {'; '.join(map(str, found.moved)) or 'no package'}"
    if group[0].base.python != group[0].head.python:
        before = f"Python {group[0].base.python}" if group[0].base.python else "the Python of bench"
        yield f"the head of {whose} has Python {group[0].head.python}, the base {before}"
    if found.base_lock:
        yield f"the packages of {whose} are not locked: both sides have the versions of today"
