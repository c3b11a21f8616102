"""Machines whose runs compare, and what a ratio is across machines."""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from bench.observe.comparable import machine_facts
from bench.site.submission import Submission

LEVEL = 0.95
# What a title says of a fact that tells two groups apart: of a value, of none, and of several cores.
WORDS = {
    "placement.server": ("servers on {}", "servers on any core"),
    "placement.client": ("client on {}", "client on any core"),
    "placement.database": ("database on {}", "database on any core"),
    "limits.cpu_quota": ("{} cores' worth of CPU time", "no limit of CPU time"),
    "machine.virtual": ("{}", "not virtual"),
    "system.governors": ("governor {}", "no governor"),
    "system.turbo": ("turbo {}", "turbo unknown"),
}
IN_SHORT = re.compile(r"\((?:R|TM)\)|\b(?:x86_64|Processor|CPU)\b(?! \d)|@ *[\d.]+ ?GHz|, \d+ GiB$")
FEWEST = 3  # machines: two leave one degree of freedom, which says next to nothing
MOST_FREEDOM = 40  # degrees in the table for the browser
RULE = (
    "Runs compare if their machines do, as for `bench compare`: class of machine (architecture, CPU, cores, "
    "memory), virtualisation, system, governors, turbo, the runtime, the cores of server, client and "
    "database, and a limit of CPU time are the same where both know them. Cells compare if project, "
    "contender, scenario (by the hash of its requests), load and reference are the same. Partial and invalid "
    "runs do not compare."
)
FORMULA = (
    "Across machines: one ratio for each class of machine, that of its newest valid run. These runs have "
    "plan and Python in common, unless more classes come in without. With k classes, m and s are mean and "
    "standard deviation of the logarithms. The ratio is exp(m), its 95 % interval "
    "exp(m ± t(0.975; k − 1) · s / √k), from three classes on. One more machine would lie in "
    "exp(m ± t(0.975; k − 1) · s · √(1 + 1/k)) with 95 %. Both are Student's, of a normal sample (Hahn and "
    "Meeker, Statistical Intervals, chapter 4). They take machines as drawn at random, which those of "
    "volunteers are not."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A group of runs that compare."""

    id: str
    title: str
    short: str  # the same, fit for a list on a telephone
    facts: Mapping[str, Any]  # the rule's facts, by their paths

    @property
    def kind(self) -> str:
        return str(self.facts.get("machine.class", "unknown"))

    @property
    def runtime(self) -> str:
        return str(self.facts.get("runtime", "unknown"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """A ratio across machines: each value is of one class of machine."""

    estimate: float
    low: float | None = None
    high: float | None = None
    next_low: float | None = None  # where one more machine would lie
    next_high: float | None = None


def machines_of(runs: Sequence[Submission]) -> tuple[tuple[Machine, ...], tuple[int, ...]]:
    """Return the groups of *runs* that compare, and the group of each run.

    A fact that only one of two runs knows is no difference, so facts of a group add up. The oldest run founds
    a group: a newer one moves none.
    """
    groups: list[dict[str, Any]] = []
    numbers: dict[int, int] = {}
    for index in sorted(range(len(runs)), key=lambda index: runs[index].started_at):
        facts = facts_of(runs[index])
        number = next((number for number, known in enumerate(groups) if not _differ(known, facts)), None)
        if number is None:
            groups.append(dict(facts))
            number = len(groups) - 1
        else:
            groups[number] |= facts
        numbers[index] = number
    titles = [_title(facts, groups) for facts in groups]
    found = [
        Machine(id=_slug(title, facts), title=", ".join(title), short=_short(title), facts=facts)
        for title, facts in zip(titles, groups, strict=True)
    ]
    return tuple(found), tuple(numbers[index] for index in range(len(runs)))


def facts_of(run: Submission) -> dict[str, Any]:
    return machine_facts({**run.facts, "runtime": run.runtime})


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(path in other and other[path] != value for path, value in one.items())


def _title(facts: Mapping[str, Any], groups: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return its class and runtime, and what else tells it apart from groups with the same."""
    common = ("machine.class", "runtime")
    alike = [other for other in groups if all(other.get(path) == facts.get(path) for path in common)]
    apart = [
        _shown(path, value)
        for path, value in facts.items()
        if path not in common and any(other.get(path, value) != value for other in alike)
    ]
    return str(facts.get("machine.class", "unknown machine")), str(facts.get("runtime")), *apart


def _short(title: tuple[str, ...]) -> str:
    kind, *rest = title
    plain = re.sub(r"\s+", " ", IN_SHORT.sub("", kind)).replace(" ,", ",").strip(" ,")
    return ", ".join([plain or kind, *rest])


def _shown(path: str, value: Any) -> str:
    held, none = WORDS.get(path, (f"{path} {{}}", f"{path} none"))
    if path.startswith("placement.") and value:
        return held.format(f"core{'s' if len(value) > 1 else ''} {'+'.join(map(str, value))}")
    if isinstance(value, bool):
        return held.format("on" if value else "off")
    if isinstance(value, list | tuple):
        return held.format("+".join(map(str, value))) if value else none
    return none if value is None else held.format(f"{value:g}" if isinstance(value, float) else value)


def _slug(title: tuple[str, ...], facts: Mapping[str, Any]) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", ", ".join(title).lower()).strip("-")[:60].strip("-")
    return f"{words}-{hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:6]}"


def across(logs: Sequence[float]) -> Across:
    """Return a ratio across machines from one *log* ratio for each, by the rule of `FORMULA`."""
    centre = fmean(logs)
    if len(logs) < FEWEST:
        return Across(estimate=math.exp(centre))
    spread, quantile = stdev(logs), student(len(logs) - 1)
    half = quantile * spread / math.sqrt(len(logs))
    more = quantile * spread * math.sqrt(1 + 1 / len(logs))
    return Across(
        estimate=math.exp(centre),
        low=math.exp(centre - half),
        high=math.exp(centre + half),
        next_low=math.exp(centre - more),
        next_high=math.exp(centre + more),
    )


def student(freedom: int, level: float = LEVEL) -> float:
    """Return Student's two-sided quantile at *level* with whole degrees of *freedom*, by bisection."""
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """Return P(|T| ≤ t), exactly (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = total = cosine if odd else 1.0
    if freedom == 1:
        total = 0.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= cosine**2 * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
