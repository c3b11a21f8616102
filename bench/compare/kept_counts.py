"""Counts of instructions that a repository keeps as a file, and what moved since (docs/adr/0016)."""

import platform
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from bench.analysis.instruction_changes import ratios, verdict_of_seeds
from bench.compare.changes import on_two_sides
from bench.errors import UsageError
from bench.files import read_json, to_json, write_atomically
from bench.model.scenario import Scenario
from bench.project.content_hash import digest_of_scenario
from bench.records import Instructions, Run
from bench.run.instruction_counts import METHOD

# Format history
# 2  the hash of requests does not change with what a later version of bench can request
# 1  first
SCHEMA = 2
# Lengths of paths decide where Python's objects lie, and so how often hashes of their addresses collide.
ELSEWHERE = 0.02  # the least margin between checkouts whose paths are not equally long
LIBC = " ".join(filter(None, platform.libc_ver()))
ANEW = "write the file anew with --keep"
Place = tuple[str, str]  # contender, scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCount:
    """The count of one contender in one scenario, and what it depends on."""

    contender: str
    scenario: str
    requests: str  # a hash of the scenario
    python: str
    built: str = ""  # how that Python was built
    environment: str  # its name has a hash of the lock
    packages: Mapping[str, str]
    by_seed: Mapping[int, float]  # hash seed → instructions per request

    @property
    def per_request(self) -> float:
        return mean(self.by_seed.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file of counts."""

    schema: int = SCHEMA
    method: int = METHOD
    counter: str
    architecture: str
    libc: str = ""  # "glibc 2.36"; empty: unknown
    path_length: int  # of the checkout
    found: tuple[KeptCount, ...]

    @property
    def counts(self) -> Mapping[Place, KeptCount]:
        return {(one.contender, one.scenario): one for one in self.found}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountMove:
    """A count beside the kept one. If it cannot be compared, *why* says so and nothing else is known.

    *doubtful*: hash seeds are on both sides of the margin, perhaps by one start alone.
    """

    contender: str
    scenario: str
    ratio: float | None = None
    low: float | None = None  # of the seeds
    high: float | None = None
    moved: bool = False
    doubtful: bool = False
    margin: float = 0.0
    packages: tuple[str, ...] = ()  # those of another version: "pydantic 2.11.0 → 2.12.0", libc too
    why: str = ""


def of_run(run: Run) -> Kept:
    """Return the counts of a run as they would be kept."""
    architecture = str(run.fingerprint.get("machine", {}).get("architecture", ""))
    scenarios = {one.name: one for one in run.scenarios}
    path_length = len(run.contenders[0].root) if run.contenders else 0
    return of(
        run.instructions,
        run.fingerprint,
        scenarios,
        path_length=path_length,
        architecture=architecture,
        libc="",
    )


def of(
    found: Sequence[Instructions],
    facts: Mapping[str, Any],
    scenarios: Mapping[str, Scenario],
    *,
    path_length: int,
    architecture: str = platform.machine(),
    libc: str = LIBC,
) -> Kept:
    """Return *found* as it is kept. *facts* are those of the runtime."""
    counted = [one for one in found if one.windows]
    kept = []
    for one in sorted(counted, key=lambda one: (one.contender, one.scenario)):
        made = facts.get("environments", {}).get(one.environment, {})
        kept.append(
            KeptCount(
                contender=one.contender,
                scenario=one.scenario,
                requests=digest_of_scenario(scenarios[one.scenario]),
                python=str(made.get("python", "")),
                built=str(made.get("built", "")),
                environment=one.environment,
                packages=dict(sorted(made.get("packages", {}).items())),
                by_seed={seed: round(usual) for seed, usual in one.usual.items()},
            )
        )
    counters = sorted({one.counter for one in counted})
    return Kept(
        counter=", ".join(counters),
        architecture=architecture,
        libc=libc,
        path_length=path_length,
        found=tuple(kept),
    )


def write(file: Path, kept: Kept) -> None:
    write_atomically(file, to_json(asdict(kept)))


def read(file: Path) -> Kept:
    """Return the counts in *file*. Raises UsageError if they are damaged, or of another format."""
    kept = read_json(file, Kept)
    if (kept.schema, kept.method) != (SCHEMA, METHOD):
        raise UsageError(f"{file} was written by another version of bench: {ANEW}")
    return kept


def moves(before: Kept, now: Kept, margin: float) -> tuple[CountMove, ...]:
    """Return each count of *before* that was counted again. *margin*: 0.005 is half a percent.

    Between checkouts whose paths are not equally long it is `ELSEWHERE` at least.
    """
    if before.path_length != now.path_length:
        margin = max(margin, ELSEWHERE)
    return tuple(_moves(before, now, margin))


def lost(before: Kept, found: Sequence[Instructions], wanted: Collection[Place]) -> Iterator[CountMove]:
    """Yield what is kept in *before* and is not counted: it failed, or nobody declares it any more."""
    whys = {(one.contender, one.scenario): one.why for one in found if one.why}
    for contender, scenario in before.counts:
        place = contender, scenario
        if place in whys:
            yield CountMove(contender=contender, scenario=scenario, why=f"not counted: {whys[place]}")
        elif place not in wanted:
            yield CountMove(
                contender=contender, scenario=scenario, why=f"there is no such scenario of it: {ANEW}"
            )


def new(before: Kept, now: Kept) -> Iterator[CountMove]:
    """Yield what was counted and is not kept in *before*."""
    for contender, scenario in sorted(now.counts.keys() - before.counts.keys()):
        yield CountMove(contender=contender, scenario=scenario, why=f"it is not in the file: {ANEW}")


def _moves(before: Kept, now: Kept, margin: float) -> Iterator[CountMove]:
    for place, old in before.counts.items():
        new = now.counts.get(place)
        if new is None:
            continue
        contender, scenario = place
        if why := _unlike(before, now, old, new):
            yield CountMove(contender=contender, scenario=scenario, why=why)
            continue
        by_seed = ratios(old.by_seed, new.by_seed)
        verdict = verdict_of_seeds(by_seed, margin)
        if verdict == "inconclusive":
            yield CountMove(contender=contender, scenario=scenario, doubtful=True, why=on_two_sides(by_seed))
            continue
        yield CountMove(
            contender=contender,
            scenario=scenario,
            ratio=median(by_seed),
            low=by_seed[0],
            high=by_seed[-1],
            moved=verdict != "equivalent",
            margin=margin,
            packages=(*_other_libc(before, now), *_other_versions(old.packages, new.packages)),
        )


def _unlike(before: Kept, now: Kept, old: KeptCount, new: KeptCount) -> str:
    """Return why two counts cannot be compared; empty if they can."""
    facts = (
        ("counted by", before.counter, now.counter),
        ("on", before.architecture, now.architecture),
        ("by Python", old.python, new.python),
    )
    for what, was, is_ in facts:
        if was != is_:
            return f"kept {what} {was or 'an unknown one'}, now {is_ or 'an unknown one'}"
    if old.built and new.built and old.built != new.built:
        return f"kept by a Python that was built otherwise: {old.built}; now {new.built}"
    if old.requests != new.requests:
        return f"scenario {old.scenario} is not what it was: {ANEW}"
    return ""


def _other_libc(before: Kept, now: Kept) -> Iterator[str]:
    if before.libc and now.libc and before.libc != now.libc:
        yield f"{before.libc} → {now.libc}"


def _other_versions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        was, is_ = old.get(name), new.get(name)
        if was != is_:
            yield f"{name} {was or 'none'} → {is_ or 'none'}"
