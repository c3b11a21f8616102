"""What a plan leaves open and records settle: rates of open loads, spare sweeps, number of rounds. Pure."""

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
    pilots: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.slice.role == "capacity":
            cell = record.slice.cell
            pilots.setdefault((cell.contender, cell.scenario), []).append(record.sample.throughput_rps)
    return {pilot: median(rates) for pilot, rates in pilots.items() if len(rates) == PILOT_SWEEPS}


def rate_rps(group: Group, contender: str, known: Capacities) -> float | None:
    """Return the rate of an open load for *contender*.

    None if its pilots are incomplete, or the load is closed.
    """
    if group.load.fraction is None:
        return group.load.rate
    asked = group.contenders if group.load.of == "slowest" else (contender,)
    found = [known.get((piloted(group, name), group.scenario)) for name in asked]
    reached = [capacity for capacity in found if capacity is not None]
    if len(reached) < len(found):
        return None
    # One that answers nothing must not stop all others.
    return max(LOWEST_RPS, group.load.fraction * min(filter(None, reached), default=0.0))


def piloted(group: Group, contender: str) -> str:
    """Return the contender whose capacity *contender* uses: its original, if it is a twin."""
    original = name_of(contender).original
    return original if original in group.contenders else contender


def spares(plan: Plan, group: Group, number: int, records: Iterable[Record]) -> int:
    """Return how many spare sweeps *group* has in round *number*: the most slices lost by one contender.

    All contenders take part, so that each slice has a partner. A slice lost in a spare sweep counts, too.
    """
    members = {group.cell(contender) for contender in group.contenders}
    lost = Counter(
        record.slice.cell
        for record in records
        if record.void is not None
        and not record.sample.broken  # it would fail again
        and record.slice.round == number
        and record.slice.role in ("measure", "control")
        and record.slice.cell in members
    )
    return min(plan.spare_sweeps, max(lost.values(), default=0))


def rounds(plan: Plan, groups: Sequence[Group], records: Iterable[Record], settled: Course) -> int:
    """Return how many rounds the plan has, as far as *records* show.

    With a budget, the first rounds are a pilot. The number of rounds depends on the pilot's spread alone, not
    on its effects and not on later rounds. It is as many as every interval needs to be no wider than its
    margin, and no more than fit the budget. This is a pilot in Stein's sense, so the level of the intervals
    holds. Looking at effects and going on until one is proven would break it.
    """
    pilot = [record for record in records if 0 < record.slice.round <= settled.rounds]
    begun = {record.slice.round for record in pilot}
    if plan.budget_s is None or len(begun) < max(settled.rounds, 2):
        return settled.rounds
    took_s = round_s(pilot)
    room = int((plan.budget_s - settled.probe_s) / took_s) if took_s else settled.rounds
    return max(settled.rounds, min(room, _needed(plan, groups, pilot)))


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
            for metric in metrics_of(group.load):
                spread = spread_of([*log_ratios(pilot, cell, reference, metric).values()])
                if cell != reference and spread:
                    wanted = math.log1p(plan.margins[metric]) / 2
                    needed.append(rounds_for(spread, wanted, pilot=begun))
    return max(needed)


def hopeless(plan: Plan, groups: Sequence[Group], records: Iterable[Record], number: int) -> str | None:
    """Return why measuring more after round *number* is useless; None if it is not.

    It is useless if no contender gave a right answer in the round. For two revisions, it is enough that
    neither side gave one in some scenario.
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
