"""What a plan leaves open and records settle: rates of open loads, spare sweeps, how many rounds. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bench.analysis import log_ratios, metrics_of, rounds_for, spread_of
from bench.heats import Group
from bench.model import SAME_AGAIN, Plan
from bench.records import Record

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
    original = contender.removesuffix(SAME_AGAIN)
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


def rounds(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> int:
    """Return how many rounds the plan has, as far as *records* can tell.

    With a budget its own rounds are a pilot. From their spread alone, not from what they say of anyone, and
    from nothing that comes later, it is settled how many there are in all: as many as every interval needs
    to be as wide as its margin at most, and as the budget has room for. It is a pilot in Stein's sense, so
    the level of the intervals holds; looking at effects and going on until one is proven would break it.
    """
    pilot = [record for record in records if record.slice.round <= plan.rounds]
    begun = {record.slice.round for record in pilot}
    if plan.budget_s is None or len(begun) < max(plan.rounds, 2):
        return plan.rounds
    took_s = round_s(pilot)
    room = int(plan.budget_s / took_s) if took_s else plan.rounds
    return max(plan.rounds, min(room, _needed(plan, groups, pilot)))


def round_s(records: Iterable[Record]) -> float | None:
    """Return how long a round takes, fresh servers included; None where *records* are of fewer than two."""
    starts: dict[int, float] = {}
    for record in records:
        starts.setdefault(record.slice.round, record.started_s)
    return (max(starts.values()) - min(starts.values())) / (len(starts) - 1) if len(starts) > 1 else None


def _needed(plan: Plan, groups: Sequence[Group], pilot: Sequence[Record]) -> int:
    """Return how many rounds bring every comparison's half-width down to half of its margin."""
    needed = [plan.rounds]
    for group in groups:
        for cell in map(group.cell, group.contenders):
            reference = group.cell(plan.reference_of(cell.contender))
            for metric in metrics_of(group.load):
                spread = spread_of([*log_ratios(pilot, cell, reference, metric).values()])
                if cell != reference and spread:
                    wanted = math.log1p(plan.margins[metric]) / 2
                    needed.append(rounds_for(spread, wanted, pilot=plan.rounds))
    return max(needed)
