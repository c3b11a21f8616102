"""All runs of a site side by side: what they share is listed once, and each run refers to it by number."""

import hashlib
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.loads import Metric
from bench.site.conditions import Conditions, conditions_of
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
    plans: tuple[str, ...]
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
    def machine_kinds(self) -> frozenset[str]:
        return frozenset(machine.kind for machine in self.machines)

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
    def conditions(self) -> tuple[Conditions, ...]:
        """By run."""
        return tuple(map(conditions_of, self.submissions))

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
        """Every ratio that more than one class of machine has, in one setting."""
        found: dict[tuple[Track, tuple[str, ...]], list[Value]] = {}
        for track, value in self.values(self.ranked):
            found.setdefault((track, self.conditions[value.run].setting), []).append(value)
        by_kind = ((track, self._most_kinds(values)) for (track, _), values in found.items())
        return tuple(self._travel(track, values) for track, values in by_kind if len(values) > 1)

    def _most_kinds(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """Return the newest value of each class of machine.

        Plan and Python are held the same, unless more classes come in without: as across.js does.
        """
        ways: tuple[Callable[[Conditions], Hashable], ...] = (
            lambda known: (known.plan, known.python),
            lambda known: known.plan,
            lambda known: None,
        )
        groups: dict[tuple[int, Hashable], dict[str, Value]] = {}
        for number, same in enumerate(ways):
            for value in values:
                kind = self.machines[self.machine_of[value.run]].kind
                group = groups.setdefault((number, same(self.conditions[value.run])), {})
                group.setdefault(kind, value)
        return tuple(max(groups.values(), key=len).values())

    @cached_property
    def newest(self) -> Mapping[Track, tuple[Value, ...]]:
        """Every ratio, of the newest run of each machine under each conditions."""
        found: dict[Track, dict[tuple[int, Conditions], Value]] = {}
        for track, value in self.values(self.ranked):
            found.setdefault(track, {}).setdefault(
                (self.machine_of[value.run], self.conditions[value.run]), value
            )
        return {track: tuple(values.values()) for track, values in found.items()}

    @cached_property
    def ranked(self) -> tuple[int, ...]:
        return tuple(number for number, run in enumerate(self.runs) if run.is_ranked)

    def _travel(self, track: Track, values: tuple[Value, ...]) -> Travel:
        found = across([math.log(value.ratio) for value in values])
        above = found.estimate > 1
        sides = [
            value.low is not None and value.high is not None and (value.low > 1 if above else value.high < 1)
            for value in values
        ]
        return Travel(
            track=track,
            runtime=self.submissions[values[0].run].runtime,
            plans=tuple(dict.fromkeys(self.conditions[value.run].plan for value in values)),
            values=values,
            across=found,
            same_side=sum(sides),
            notes=tuple(f"{what} differ between machines" for what in self._differing(values)),
        )

    def _differing(self, values: Sequence[Value]) -> Iterator[str]:
        """Yield what differs between machines beside the machine."""
        held = [self.held(value) for value in values]
        for what in ("code", "versions of frameworks", "versions of Python"):
            known: dict[str, set[str]] = {}
            for one in held:
                for who, content in one[what].items():
                    known.setdefault(who, set()).add(content)
            if any(len(contents) > 1 for contents in known.values()):
                yield what
        if len({self.conditions[value.run].plan for value in values}) > 1:
            yield "plans"

    def held(self, value: Value) -> Mapping[str, Mapping[str, str]]:
        """Return code and versions of both sides of a ratio, by what and whose, where they are known."""
        run = self.submissions[value.run]
        sides = [
            run.contenders[at] for at in (run.cells[value.stated.cell].contender, value.stated.reference)
        ]
        return {
            "code": {one.name: one.source for one in sides if one.source},
            "versions of frameworks": {
                one.name: one.framework_version for one in sides if one.framework_version
            },
            "versions of Python": {one.name: one.python for one in sides if one.python},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The number of each thing that is listed once."""

    project: Mapping[str, int]
    plan: Mapping[str, int]
    stack: Mapping[str, int]
    contender: Mapping[tuple[str, str], int]
    scenario: Mapping[tuple[str, str], int]
    load: Mapping[str, int]


def short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _numbered(names: Any) -> dict[Any, int]:
    return {name: number for number, name in enumerate(names)}
