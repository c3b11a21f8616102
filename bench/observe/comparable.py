"""Whether two runs may be compared: where their fingerprints differ. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.records import Run

Kind = Literal["machine", "code", "versions"]

# Facts by their paths in a fingerprint; each stands for all facts below it, and "*" for every name. Other
# facts do not count, such as the exact bytes of memory, the time a lock was committed, and what was measured
# again.
KINDS: Mapping[str, Kind] = {
    "machine.class": "machine",
    "machine.virtual": "machine",
    "system.name": "machine",
    "system.governors": "machine",
    "system.turbo": "machine",
    "runtime": "machine",
    "placement.server": "machine",
    "placement.client": "machine",
    "placement.database": "machine",
    "limits.cpu_quota": "machine",
    "content": "code",
    "services.*.settings": "code",
    "system.kernel": "versions",
    "python": "versions",
    "harness": "versions",
    "services.*.version": "versions",
    "environments": "versions",
}
COMMIT: Mapping[str, Kind] = {"project": "code"}  # compared by content if both have hashes of it
BY_APP = ("environments", "content.apps")  # runs need not have the same apps
_UNKNOWN = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A fact that differs in two fingerprints. Kind "machine": the numbers of the runs do not compare."""

    fact: str  # its path: "machine.class", "environments.flask_app-py313.flask"
    here: Any  # plain JSON; None: absent
    there: Any
    kind: Kind

    @property
    def text(self) -> str:
        return f"{self.fact}: {_format_value(self.here)} here, {_format_value(self.there)} there"


def facts_of(run: Run) -> dict[str, Any]:
    return {**run.fingerprint, "runtime": run.runtime}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return how *one* ("here") and *other* ("there") differ: machine first, then code, then versions.

    A fact that only one of them knows is no difference. A run that has not begun lacks what the runtime adds
    later. An environment that only one of them has belongs to a contender that the other did not measure.
    """
    here, there = _readable(one), _readable(other)
    kinds = dict(KINDS) if "content" in here and "content" in there else {**KINDS, **COMMIT}
    found = [
        Difference(fact=fact, here=mine, there=yours, kind=kind)
        for pattern, kind in kinds.items()
        for path in _paths(pattern, here)
        for fact, mine, yours in _unlike(path, _at(here, path), _at(there, path))
    ]
    order: list[Kind] = ["machine", "code", "versions"]
    return tuple(sorted(found, key=lambda difference: order.index(difference.kind)))


def machine_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts by their paths that must be equal for the numbers of runs to compare."""
    return {
        path: found
        for pattern, kind in KINDS.items()
        if kind == "machine"
        for path in _paths(pattern, facts)
        if (found := _at(facts, path)) is not _UNKNOWN
    }


def _unlike(path: str, mine: Any, yours: Any) -> Iterator[tuple[str, Any, Any]]:
    if mine is _UNKNOWN or yours is _UNKNOWN:
        return
    if isinstance(mine, Mapping) and isinstance(yours, Mapping):
        missing = _UNKNOWN if path in BY_APP else None
        for key in dict.fromkeys([*mine, *yours]):
            yield from _unlike(f"{path}.{key}", mine.get(key, missing), yours.get(key, missing))
    elif mine != yours:
        yield path, mine, yours


def _paths(pattern: str, facts: Any) -> list[str]:
    folder, star, rest = pattern.partition(".*.")
    names = _at(facts, folder) if star else _UNKNOWN
    if isinstance(names, Mapping):
        return [f"{folder}.{name}.{rest}" for name in names]
    return [pattern]


def _at(facts: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(facts, Mapping) or key not in facts:
            return _UNKNOWN
        facts = facts[key]
    return facts


def _readable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return *facts* as they are after saving and loading, with one entry for each app's environment.

    An environment's folder name ends with the hash of its lock, so folders with equal names always have equal
    versions.
    """
    plain = {key: _plain(value) for key, value in facts.items()}
    if "environments" in plain:
        plain["environments"] = _environments(plain["environments"])
    return plain


def _environments(folders: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    versions: dict[str, dict[str, set[str]]] = {}
    for folder, made in folders.items():
        packages = versions.setdefault(folder.rpartition("-")[0] or folder, {})
        for package, version in {"python": made.get("python"), **made.get("packages", {})}.items():
            packages.setdefault(package, set()).add(str(version))
    return {
        app: {package: ", ".join(sorted(known)) for package, known in packages.items()}
        for app, packages in versions.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _format_value(value: Any) -> str:
    return (
        "nothing" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    )
