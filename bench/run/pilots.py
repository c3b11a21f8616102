"""Pilots: slices that settle the rates of open loads, and rounds that settle how many follow. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bench.analysis.comparisons import log_ratios
from bench.analysis.statistics import rounds_for, spread_of
from bench.model.contender import name_of
from bench.model.plan import Plan
from bench.project.heats import Group
from bench.records import Record
from bench.run.windows import Course

PILOT_SWEEPS = 3

Capacities = Mapping[tuple[str, str], float]  # contender and scenario → verified responses per second


def capacities(records: Iterable[Record]) -> Capacities:
    pilots: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.slice.role == "capacity":
            cell = record.slice.cell
            pilots.setdefault((cell.contender, cell.scenario), []).append(record.sample.throughput_rps)
    return {pilot: median(rates) for pilot, rates in pilots.items() if len(rates) == PILOT_SWEEPS}


def rate_rps(group: Group, contender: str, known: Capacities) -> float | None:
    """Return the rate of the group's load for *contender*.

    None if its pilots are incomplete, or the load has no rate.
    """
    names = group.load.rate_depends_on(contender, group.contenders)
    found = [known.get((piloted(group, name), group.scenario)) for name in names]
    reached = [capacity for capacity in found if capacity is not None]
    return group.load.rate_rps(reached) if len(reached) == len(found) else None


def piloted(group: Group, contender: str) -> str:
    """Return the contender whose capacity *contender* uses: its original, if it is a twin."""
    original = name_of(contender).original
    return original if original in group.contenders else contender


def rounds(plan: Plan, groups: Sequence[Group], records: Iterable[Record], settled: Course) -> int:
    """Return how many rounds the plan has, as far as *records* show.

    With a budget, the first rounds are a pilot. The number of rounds depends on the pilot's spread alone, not
    on its effects and not on later rounds. It is as many as every interval needs to be no wider than its
    margin, and no more than fit the budget. This is a pilot in Stein's sense, so the level of the intervals
    holds. Looking at effects and going on until one is proven would break it.
    """
    before = settled.uncounted
    pilot = [record for record in records if before < record.slice.round <= settled.rounds]
    begun = {record.slice.round for record in pilot}
    if plan.budget_s is None or len(begun) < max(settled.rounds - before, 2):
        return settled.rounds
    took_s = round_s(pilot)
    room = int((plan.budget_s - settled.probe_s) / took_s) if took_s else settled.rounds
    return max(settled.rounds, before + min(room, _needed(plan, groups, pilot)))


def round_s(records: Iterable[Record]) -> float | None:
    """Return the seconds of a round, fresh servers included; None if *records* cover fewer than two."""
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
            for metric in group.load.metrics:
                spread = spread_of([*log_ratios(pilot, cell, reference, metric).values()])
                if cell != reference and spread:
                    wanted = math.log1p(plan.margins[metric]) / 2
                    needed.append(rounds_for(spread, wanted, pilot=begun))
    return max(needed)
