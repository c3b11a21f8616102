"""Counts of instructions that a repository keeps as a file, and what moved since (docs/adr/0016)."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from bench.analysis.instruction_changes import STEADY, ratios, verdict_of_seeds
from bench.compare.changes import does_not_hold_still, on_two_sides
from bench.errors import UsageError
from bench.files import read_json, to_json, write_atomically
from bench.model.scenario import Scenario
from bench.project.content_hash import digest_of_scenario
from bench.records import Instructions, Run

# Format history
# 4  environments stand apart, each once
# 3  a count has the build of its Python, the length of its checkout's path and the spread of its windows
# 2  the hash of requests does not change with what a later version of bench can request
# 1  first
SCHEMA = 4
# Lengths of paths decide where Python's objects lie, and so how often hashes of their addresses collide.
ELSEWHERE = 0.02  # the least margin between checkouts whose paths are not equally long
LIBC = " ".join(filter(None, platform.libc_ver()))
ANEW = "write the file anew with --keep"
Place = tuple[str, str]  # contender, scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEnvironment:
    """What a counted server ran in."""

    python: str = ""
    built: str = ""  # how that Python was built
    packages: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Mapping[str, Any], name: str) -> "KeptEnvironment":
        """Return the environment *name* of the *facts* of a runtime."""
        made = facts.get("environments", {}).get(name, {})
        return cls(
            python=str(made.get("python", "")),
            built=str(made.get("built", "")),
            packages=dict(sorted(made.get("packages", {}).items())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCount:
    """The count of one contender in one scenario, and what it depends on."""

    contender: str
    scenario: str
    requests: str  # a hash of the scenario
    environment: str  # its name has a hash of the lock
    path_length: int  # of the checkout
    spread: float  # how far apart its windows were
    by_seed: Mapping[int, int]  # hash seed → instructions per request

    def __post_init__(self) -> None:
        """Raise ValueError if it holds no counts."""
        if not self.by_seed or not all(isfinite(one) and one > 0 for one in self.by_seed.values()):
            raise ValueError("by_seed has a positive count for each hash seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file of counts."""

    schema: int
    counter: str
    architecture: str
    libc: str = ""  # "glibc 2.36"; empty: unknown
    environments: Mapping[str, KeptEnvironment]
    found: tuple[KeptCount, ...]

    @property
    def counts(self) -> Mapping[Place, KeptCount]:
        return {(one.contender, one.scenario): one for one in self.found}

    def environment_of(self, one: KeptCount) -> KeptEnvironment:
        return self.environments[one.environment]

    def packages(self, one: KeptCount) -> Mapping[str, str]:
        return self.environment_of(one).packages


@dataclass(frozen=True, slots=True, kw_only=True)
class CountMove:
    """A count beside the kept one. If it cannot be compared, *why* says so and nothing else is known.

    *doubtful*: hash seeds are on both sides of the margin, perhaps by one start alone.
    """

    contender: str
    scenario: str
    ratio: float | None = None
    moved: bool = False
    doubtful: bool = False
    margin: float = 0.0
    packages: tuple[str, ...] = ()  # those of another version: "pydantic 2.11.0 → 2.12.0", libc too
    why: str = ""


def of_run(run: Run) -> Kept:
    """Return the counts of a run as they would be kept."""
    architecture = str(run.fingerprint.get("machine", {}).get("architecture", ""))
    scenarios = {one.name: one for one in run.scenarios}
    return of(run.instructions, run.fingerprint, scenarios, architecture=architecture, libc="")


def of(
    found: Sequence[Instructions],
    facts: Mapping[str, Any],
    scenarios: Mapping[str, Scenario],
    *,
    architecture: str = platform.machine(),
    libc: str = LIBC,
) -> Kept:
    """Return *found* as it is kept. *facts* are those of the runtime."""
    counted = [one for one in found if one.windows]
    made = {one.environment: KeptEnvironment.of(facts, one.environment) for one in counted}
    kept = tuple(
        KeptCount(
            contender=one.contender,
            scenario=one.scenario,
            requests=digest_of_scenario(scenarios[one.scenario]),
            environment=_lasting(one.environment, made[one.environment]),
            path_length=one.path_length,
            spread=round(one.spread or 0.0, 5),
            by_seed={seed: round(usual) for seed, usual in one.usual.items()},
        )
        for one in sorted(counted, key=lambda one: (one.contender, one.scenario))
    )
    return Kept(
        schema=SCHEMA,
        counter=", ".join(sorted({one.counter for one in counted})),
        architecture=architecture,
        libc=libc,
        environments=dict(sorted((_lasting(name, one), one) for name, one in made.items())),
        found=kept,
    )


def _lasting(name: str, environment: KeptEnvironment) -> str:
    """Return a name that lasts as long as the environment. An image has another with each change of code."""
    if ":" not in name:
        return name
    content = repr((environment.python, environment.built, sorted(environment.packages.items())))
    app = name.partition(":")[0].rpartition("/")[2]
    return f"{app}:{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def why_not_kept(one: Instructions) -> str:
    """Return why a count is not worth keeping; empty if it is."""
    unsteady = (one.spread or 0.0) > STEADY
    return does_not_hold_still(one.spread or 0.0) if unsteady else one.why


def write(file: Path, kept: Kept) -> None:
    """Write the file. It is read by people too, in the diff of a commit."""
    write_atomically(
        file, json.dumps(json.loads(to_json(kept)), indent=1, ensure_ascii=False).encode() + b"\n"
    )


def read(file: Path) -> Kept:
    """Return the counts in *file*. Raises UsageError if it has none, is damaged, or of another format."""
    try:
        kept = read_json(file, Kept)
    except UsageError as error:
        raise UsageError(f"{error}: {ANEW}") from error
    if kept.schema != SCHEMA:
        raise UsageError(f"{file} was written by another version of bench: {ANEW}")
    if not kept.found:
        raise UsageError(f"{file} holds no counts: {ANEW}")
    if lacks := sorted({one.environment for one in kept.found} - kept.environments.keys()):
        raise UsageError(f"{file} has counts of {lacks[0]} and no such environment: {ANEW}")
    return kept


def added(before: Kept, now: Kept) -> Kept:
    """Return *before* with the counts of *now* in their places. Raises UsageError if they do not compare."""
    for what, was, is_ in _of_files(before, now):
        if was != is_:
            raise UsageError(f"kept {what} {was}, now {is_}: {ANEW}, with all that it is to hold")
    places = {**before.counts, **now.counts}
    found = tuple(places[place] for place in sorted(places))
    known = {**before.environments, **now.environments}
    stay = {before.counts[place].environment for place in before.counts.keys() - now.counts.keys()}
    if other := [name for name in sorted(stay) if known[name] != before.environments[name]]:
        raise UsageError(f"{other[0]} is another environment now: {ANEW}, with all that it is to hold")
    return replace(now, environments={name: known[name] for name in _environments(found)}, found=found)


def moves(before: Kept, now: Kept, margin: float) -> Iterator[CountMove]:
    """Yield each count of *before* that was counted again. *margin*: 0.005 is half a percent."""
    for place, old in before.counts.items():
        new = now.counts.get(place)
        if new is None:
            continue
        contender, scenario = place
        if why := _unlike(before, now, old, new):
            yield CountMove(contender=contender, scenario=scenario, why=why)
            continue
        here = old.path_length == new.path_length != 0
        within = margin if here else max(margin, ELSEWHERE)
        by_seed = ratios(old.by_seed, new.by_seed)
        verdict = verdict_of_seeds(by_seed, within)
        if verdict == "inconclusive":
            why = on_two_sides(by_seed)
            yield CountMove(contender=contender, scenario=scenario, doubtful=True, why=why)
            continue
        yield CountMove(
            contender=contender,
            scenario=scenario,
            ratio=median(by_seed),
            moved=verdict != "equivalent",
            margin=within,
            packages=(*_other_libc(before, now), *_other_versions(before.packages(old), now.packages(new))),
        )


def not_kept(before: Kept, now: Kept) -> Iterator[CountMove]:
    """Yield what was counted and *before* does not hold."""
    for contender, scenario in sorted(now.counts.keys() - before.counts.keys()):
        yield CountMove(contender=contender, scenario=scenario, why=f"it is not in the file: {ANEW}")


def lost(before: Kept, found: Sequence[Instructions], *, whole: bool) -> Iterator[CountMove]:
    """Yield what *before* holds and what is not counted.

    *whole*: all of it was requested, so what is not in *found* is declared by nobody any more.
    """
    by_place = {(one.contender, one.scenario): one for one in found}
    for place in before.counts:
        one = by_place.get(place)
        if one and not one.windows:
            yield CountMove(contender=place[0], scenario=place[1], why=one.why)
        elif one is None and whole:
            why = f"there is no such contender, or scenario of it, any more: {ANEW}"
            yield CountMove(contender=place[0], scenario=place[1], why=why)


def _of_files(before: Kept, now: Kept) -> tuple[tuple[str, str, str], ...]:
    return ("counted by", before.counter, now.counter), ("on", before.architecture, now.architecture)


def unlike(old: KeptEnvironment, new: KeptEnvironment) -> str:
    """Return why counts of two environments cannot be compared; empty if they can."""
    if old.python != new.python:
        return f"{_kept_and_now('by Python', old.python, new.python)}: {ANEW}"
    if old.built and new.built and old.built != new.built:  # older runs do not know
        return f"kept by a Python that was built otherwise: {old.built}; now {new.built}"
    return ""


def _kept_and_now(what: str, was: str, is_: str) -> str:
    return f"kept {what} {was or 'an unknown one'}, now {is_ or 'an unknown one'}"


def _environments(found: Sequence[KeptCount]) -> list[str]:
    return sorted({one.environment for one in found})


def _unlike(before: Kept, now: Kept, old: KeptCount, new: KeptCount) -> str:
    """Return why two counts cannot be compared; empty if they can."""
    for what, was, is_ in _of_files(before, now):
        if was != is_:
            return _kept_and_now(what, was, is_)
    if why := unlike(before.environment_of(old), now.environment_of(new)):
        return why
    if old.requests != new.requests:
        return f"scenario {old.scenario} is not what it was: {ANEW}"
    if not old.by_seed.keys() & new.by_seed.keys():
        return f"it was counted with other hash seeds: {ANEW}"
    if (spread := max(old.spread, new.spread)) > STEADY:
        return does_not_hold_still(spread)
    return ""


def _other_libc(before: Kept, now: Kept) -> Iterator[str]:
    if before.libc and now.libc and before.libc != now.libc:
        yield f"{before.libc} → {now.libc}"


def _other_versions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        was, is_ = old.get(name), new.get(name)
        if was != is_:
            yield f"{name} {was or 'none'} → {is_ or 'none'}"
