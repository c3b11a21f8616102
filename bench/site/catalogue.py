"""All runs of a site side by side: what they share is listed once, and each run refers to it by number."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.analysis.comparisons import MORE_IS_BETTER
from bench.loads import Metric
from bench.site.gathering import Gathered, Gathering
from bench.site.machines import Across, Machine, across, machines_of
from bench.site.releases import Outdated, Release, outdated, releases_of, stack_of
from bench.site.submission import StatedContender, StatedRatio, StatedScenario, Submission

Series = tuple[int, int, str]  # project, machine, plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A stated ratio of a run that is complete and valid."""

    run: int
    stated: StatedRatio

    @property
    def ratio(self) -> float:
        return self.stated.ratio[0] if self.stated.ratio else math.nan

    @property
    def low(self) -> float | None:
        return self.stated.ratio[1] if self.stated.ratio else None

    @property
    def high(self) -> float | None:
        return self.stated.ratio[2] if self.stated.ratio else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What is the same in values that may be put beside each other. Numbers are of the catalogue."""

    project: int
    contender: int
    reference: int
    scenario: int
    load: int
    metric: Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """A ratio on several classes of machines: one value of each, its newest."""

    track: Track
    runtime: str
    values: tuple[Value, ...]
    across: Across
    same_side: int  # classes whose interval excludes 1 on the side of the estimate
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The runs of a site, the newest first."""

    runs: tuple[Gathered, ...]
    left_out: tuple[str, ...]
    machines: tuple[Machine, ...]
    machine_of: tuple[int, ...]  # by run
    releases: Mapping[str, Release]

    @classmethod
    def of(cls, gathering: Gathering) -> "Catalogue":
        submissions = [one.submission for one in gathering.runs]
        machines, numbers = machines_of(submissions)
        return cls(
            runs=gathering.runs,
            left_out=tuple(one.published for one in gathering.left_out),
            machines=machines,
            machine_of=numbers,
            releases=releases_of(submissions),
        )

    @cached_property
    def submissions(self) -> tuple[Submission, ...]:
        return tuple(one.submission for one in self.runs)

    @cached_property
    def projects(self) -> tuple[tuple[str, str], ...]:
        """Ids, each with the newest name that a run gives it."""
        names: dict[str, str] = {}
        for run in self.submissions:
            names[run.project.id] = names.get(run.project.id) or run.project.name
        return tuple(names.items())

    @cached_property
    def plans(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run.plan.name for run in self.submissions))

    @cached_property
    def stacks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(stack_of, self.submissions)))

    @cached_property
    def contenders(self) -> Mapping[tuple[str, str], StatedContender]:
        """By project and name, as in the newest run that has it."""
        found: dict[tuple[str, str], StatedContender] = {}
        for run in self.submissions:
            for one in run.contenders:
                found.setdefault((run.project.id, one.name), one)
        return found

    @cached_property
    def scenarios(self) -> Mapping[tuple[str, str], StatedScenario]:
        """By name and hash."""
        found: dict[tuple[str, str], StatedScenario] = {}
        for run in self.submissions:
            for one in run.scenarios:
                found.setdefault((one.name, one.hash), one)
        return found

    @cached_property
    def loads(self) -> Mapping[str, str]:
        """Titles by slugs."""
        return {one.slug: one.title for run in self.submissions for one in run.loads}

    @cached_property
    def numbers(self) -> "Numbers":
        return Numbers(
            project=_numbered(name for name, _ in self.projects),
            plan=_numbered(self.plans),
            stack=_numbered(self.stacks),
            contender=_numbered(self.contenders),
            scenario=_numbered(self.scenarios),
            load=_numbered(self.loads),
        )

    @cached_property
    def outdated(self) -> tuple[Mapping[int, tuple[Outdated, ...]], ...]:
        """By run, and by number of its contender."""
        return tuple(
            {
                number: found
                for number, one in enumerate(run.contenders)
                if (found := outdated(one, self.releases))
            }
            for run in self.submissions
        )

    @cached_property
    def series(self) -> Mapping[Series, tuple[int, ...]]:
        """The complete and valid runs of each project, machine and plan, the newest first."""
        found: dict[Series, list[int]] = {}
        for number, run in enumerate(self.runs):
            if run.is_ranked:
                found.setdefault(self.series_of(number), []).append(number)
        return {key: tuple(numbers) for key, numbers in found.items()}

    def series_of(self, run: int) -> Series:
        found = self.submissions[run]
        return self.numbers.project[found.project.id], self.machine_of[run], found.plan.name

    def values(self, runs: Sequence[int]) -> Iterator[tuple[Track, Value]]:
        """Yield every ratio that complete and valid *runs* state, without controls."""
        for number in runs:
            run = self.submissions[number]
            for stated in run.ratios:
                if stated.ratio and not run.contenders[run.cells[stated.cell].contender].is_twin:
                    yield self.track(run, stated), Value(run=number, stated=stated)

    def track(self, run: Submission, stated: StatedRatio) -> Track:
        cell, whose = run.cells[stated.cell], run.project.id
        scenario = run.scenarios[cell.scenario]
        return Track(
            project=self.numbers.project[whose],
            contender=self.numbers.contender[whose, run.contenders[cell.contender].name],
            reference=self.numbers.contender[whose, run.contenders[stated.reference].name],
            scenario=self.numbers.scenario[scenario.name, scenario.hash],
            load=self.numbers.load[run.loads[cell.load].slug],
            metric=stated.metric,
        )

    @cached_property
    def travels(self) -> tuple[Travel, ...]:
        """Every ratio that more than one class of machine has, under one runtime."""
        ranked = [number for number, run in enumerate(self.runs) if run.is_ranked]
        found: dict[tuple[Track, str], dict[str, Value]] = {}
        for track, value in self.values(ranked):
            machine = self.machines[self.machine_of[value.run]]
            found.setdefault((track, machine.runtime), {}).setdefault(machine.kind, value)
        return tuple(
            self._travel(track, runtime, tuple(values.values()))
            for (track, runtime), values in found.items()
            if len(values) > 1
        )

    def _travel(self, track: Track, runtime: str, values: tuple[Value, ...]) -> Travel:
        found = across([math.log(value.ratio) for value in values])
        above = found.estimate > 1
        sides = [
            value.low is not None and value.high is not None and (value.low > 1 if above else value.high < 1)
            for value in values
        ]
        return Travel(
            track=track,
            runtime=runtime,
            values=values,
            across=found,
            same_side=sum(sides),
            notes=tuple(self._differing(track, values)),
        )

    def _differing(self, track: Track, values: Sequence[Value]) -> Iterator[str]:
        """Yield what differs between machines beside the machine."""
        sides: dict[str, set[Any]] = {"source": set(), "framework_version": set(), "python": set()}
        for value in values:
            run = self.submissions[value.run]
            for number in (run.cells[value.stated.cell].contender, value.stated.reference):
                one = run.contenders[number]
                for name, known in sides.items():
                    if held := getattr(one, name):
                        known.add((one.name, held))
        words = {
            "source": "code",
            "framework_version": "versions of frameworks",
            "python": "versions of Python",
        }
        for name, known in sides.items():
            if len(known) > len({who for who, _ in known}):
                yield f"{words[name]} differ between machines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The number of each thing that is listed once."""

    project: Mapping[str, int]
    plan: Mapping[str, int]
    stack: Mapping[str, int]
    contender: Mapping[tuple[str, str], int]
    scenario: Mapping[tuple[str, str], int]
    load: Mapping[str, int]


def is_faster(metric: Metric, ratio: float) -> bool:
    return (ratio > 1) == MORE_IS_BETTER[metric]


def short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _numbered(names: Any) -> dict[Any, int]:
    return {name: number for number, name in enumerate(names)}
