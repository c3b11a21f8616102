"""What the locks of a project have, and how far that is behind the index of packages."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from bench.errors import UsageError
from bench.model.contender import Contender
from bench.observe.fingerprint import locks
from bench.project.installs import install_files
from bench.report.wording import plural
from bench.runtime.environments import interpreter, missing_python
from bench.runtime.upgrading import versions

Newest = Callable[[Iterable[str], str, Path], Mapping[str, str]]  # names, interpreter, root → versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    name: str
    version: str
    newest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockAge:
    """A lock, or another file that packages are installed from."""

    lock: str  # its path below the project
    contenders: tuple[str, ...]
    committed_at: str | None  # None: never, or git does not know
    packages: int
    behind: tuple[Behind, ...]
    why: str = ""  # nothing is known of it: the reason


def outdated(root: Path, contenders: Iterable[Contender], newest: Newest) -> list[LockAge]:
    """Return what is behind, by lock. Raises CannotMeasure if the index cannot be reached."""
    groups: dict[tuple[object, ...], list[Contender]] = {}
    for one in contenders:
        groups.setdefault((one.app, one.folder, one.install, one.lock, one.python), []).append(one)
    known = {key: _pinned(group[0]) for key, group in groups.items()}
    wanted: dict[str, set[str]] = {}
    for key, (pins, _) in known.items():
        if pins:
            wanted.setdefault(interpreter(groups[key][0])[0], set()).update(pins)
    found = {python: newest(names, python, root) for python, names in wanted.items()}
    committed = locks(root)
    return [
        _age(root, group, *known[key], found.get(_python(group[0]), {}), committed)
        for key, group in groups.items()
    ]


def _python(contender: Contender) -> str:
    return "" if missing_python(contender) else interpreter(contender)[0]


def _pinned(contender: Contender) -> tuple[dict[str, str], str]:
    """Return the versions of the index's packages, and why none are known."""
    if lack := missing_python(contender):
        return {}, lack
    try:
        pins = versions(contender)
    except UsageError as error:
        return {}, str(error)
    return {name: version for name, version in pins.items() if "://" not in version}, ""


def _age(
    root: Path,
    group: list[Contender],
    pins: Mapping[str, str],
    why: str,
    newest: Mapping[str, str],
    committed: Mapping[str, Mapping[str, Any]],
) -> LockAge:
    files = install_files(group[0]) if not why else ()
    lock = files[0].at if files else group[0].lock or group[0].app
    place = Path(lock)
    key = place.parent.name if place.name == "requirements.txt" else f"{place.parent.name}/{place.name}"
    return LockAge(
        lock=lock,
        contenders=tuple(one.name for one in group),
        committed_at=committed.get(key, {}).get("committed_at"),
        packages=len(pins),
        behind=tuple(
            Behind(name=name, version=version, newest=newest[name])
            for name, version in sorted(pins.items())
            if name in newest and is_older(version, newest[name])
        ),
        why=why,
    )


def is_older(version: str, newest: str) -> bool:
    try:
        return Version(version) < Version(newest)
    except InvalidVersion:
        return version != newest


def document(found: Iterable[LockAge]) -> list[dict[str, Any]]:
    return [asdict(one) for one in found]


def lines(found: Iterable[LockAge]) -> Iterator[str]:
    for one in found:
        whose = f"{one.lock} ({', '.join(one.contenders)})"
        if one.why:
            yield f"{whose}: not known: {one.why}"
            continue
        age = f", committed {one.committed_at[:10]}" if one.committed_at else ""
        yield f"{whose}{age}: {len(one.behind)} of {plural(one.packages, 'package')} behind"
        yield from (f"  {each.name} {each.version} → {each.newest}" for each in one.behind)
