"""What a plan leaves open and records settle: rates of open loads, spare sweeps, how many rounds. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bench.analysis.comparisons import log_ratios
from bench.analysis.measures import metrics_of
from bench.analysis.resolution import duration
from bench.analysis.statistics import rounds_for, spread_of
from bench.model import Plan, name_of
from bench.project.heats import Group
from bench.records import Record
from bench.run.windows import Course

PILOT_SWEEPS = 3
LOWEST_RPS = 1.0  # of an open load whose pilot had no right answer: it shows that there is none

Capacities = Mapping[tuple[str, str], float]  # contender and scenario → verified responses per second


def capacities(records: Iterable[Record]) -> Capacities:
    """Return the capacity of each contender in each scenario whose pilots are complete."""
    pilots: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.slice.role == "capacity":
            cell = record.slice.cell
            pilots.setdefault((cell.contender, cell.scenario), []).append(record.sample.throughput_rps)
    return {pilot: median(rates) for pilot, rates in pilots.items() if len(rates) == PILOT_SWEEPS}


def rate_rps(group: Group, contender: str, known: Capacities) -> float | None:
    """Return the rate of an open load for *contender*; None while its pilots are still to come, or closed."""
    if group.load.fraction is None:
        return group.load.rate
    asked = group.contenders if group.load.of == "slowest" else (contender,)
    found = [known.get((piloted(group, name), group.scenario)) for name in asked]
    reached = [capacity for capacity in found if capacity is not None]
    if len(reached) < len(found):
        return None
    # One that answers nothing must not take all others down with it.
    return max(LOWEST_RPS, group.load.fraction * min(filter(None, reached), default=0.0))


def piloted(group: Group, contender: str) -> str:
    """Return whose capacity *contender* has: that of its original for a twin."""
    original = name_of(contender).original
    return original if original in group.contenders else contender


def spares(plan: Plan, group: Group, number: int, records: Iterable[Record]) -> int:
    """Return how many spare sweeps *group* has in round *number*: so many as its worst lost slices.

    All contenders take part, so that there is a partner for each; a slice that is lost in a spare sweep
    counts, too.
    """
    members = {group.cell(contender) for contender in group.contenders}
    lost = Counter(
        record.slice.cell
        for record in records
        if record.void is not None
        and not record.sample.broken  # it would be again
        and record.slice.round == number
        and record.slice.role in ("measure", "control")
        and record.slice.cell in members
    )
    return min(plan.spare_sweeps, max(lost.values(), default=0))


def rounds(plan: Plan, groups: Sequence[Group], records: Iterable[Record], settled: Course) -> int:
    """Return how many rounds the plan has, as far as *records* can tell.

    With a budget its first rounds are a pilot. From their spread alone, not from what they say of anyone, and
    from nothing that comes later, it is settled how many there are in all: as many as every interval needs
    to be as wide as its margin at most, and as the budget has room for. It is a pilot in Stein's sense, so
    the level of the intervals holds; looking at effects and going on until one is proven would break it.
    """
    pilot = [record for record in records if 0 < record.slice.round <= settled.rounds]
    begun = {record.slice.round for record in pilot}
    if plan.budget_s is None or len(begun) < max(settled.rounds, 2):
        return settled.rounds
    took_s = round_s(pilot)
    room = int((plan.budget_s - settled.probe_s) / took_s) if took_s else settled.rounds
    return max(settled.rounds, min(room, _needed(plan, groups, pilot)))


def round_s(records: Iterable[Record]) -> float | None:
    """Return how long a round takes, fresh servers included; None where *records* are of fewer than two."""
    starts: dict[int, float] = {}
    for record in records:
        starts.setdefault(record.slice.round, record.started_s)
    return (max(starts.values()) - min(starts.values())) / (len(starts) - 1) if len(starts) > 1 else None


def _needed(plan: Plan, groups: Sequence[Group], pilot: Sequence[Record]) -> int:
    """Return how many rounds bring every comparison's half-width down to half of its margin."""
    begun = len({record.slice.round for record in pilot})
    needed = [begun]
    for group in groups:
        for cell in map(group.cell, group.contenders):
            reference = group.cell(plan.reference_of(cell.contender))
            for metric in metrics_of(group.load):
                spread = spread_of([*log_ratios(pilot, cell, reference, metric).values()])
                if cell != reference and spread:
                    wanted = math.log1p(plan.margins[metric]) / 2
                    needed.append(rounds_for(spread, wanted, pilot=begun))
    return max(needed)


def hopeless(plan: Plan, groups: Sequence[Group], records: Iterable[Record], number: int) -> str | None:
    """Return why nothing more is worth measuring after round *number*; None where something is.

    That is so where nobody gave a right answer in it; of two revisions, where neither side did in a scenario.
    """
    taken = [
        record
        for record in records
        if record.slice.round == number and record.slice.role in ("measure", "control")
    ]
    if not taken:
        return None
    for group in groups:
        members = {group.cell(name) for name in group.contenders}
        own = [record for record in taken if record.slice.cell in members]
        silent = bool(own) and not any(record.sample.requests for record in own)
        if silent and (plan.baseline or not any(record.sample.requests for record in taken)):
            return f"{group.scenario}: nobody gave a right answer in round {number}: {_instead(own)}"
    return None


def _instead(records: Sequence[Record]) -> str:
    """Return what came instead of right answers in *records*: the first failure, or how many were cut off."""
    if example := next((one for record in records for one in record.sample.examples), None):
        return example
    kinds = Counter(kind for record in records for kind in record.sample.failures)
    if kinds:
        return ", ".join(kinds)
    waiting = sum(record.sample.unfinished for record in records)
    if not waiting:
        return "nothing came"
    window_s = records[0].slice.window_s
    return (
        f"{waiting:,} requests were still waiting when their windows of {duration(window_s)} closed: "
        'longer windows (window_s, or window_s = "auto"), or fewer connections'
    )
