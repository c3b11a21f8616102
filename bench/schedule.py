"""The one scheduler: from a plan and what has been measured to what is measured next. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from random import Random
from statistics import median

from bench.loads import PILOT, ceiling_load, slug
from bench.model import SAME_AGAIN, Cell, Plan, Role, Slice
from bench.plan import Group
from bench.records import Record

WARM_UP_SWEEP = 0
BEFORE_SWEEP = (
    0  # of the ceiling slice that comes before the first counted one; the other has the last sweep's
)
PILOT_SWEEPS = 3
NULL_SERVER = "null-server"  # the contender of ceiling slices
# What lies between slices (resets, server starts) as a share of them; measured on plans quick and latency.
OVERHEAD = 1 / 7
LOWEST_RPS = 1.0  # of an open load whose pilot had no right answer: it shows that there is none

Capacities = Mapping[tuple[str, str], float]  # contender and scenario → verified responses per second


def upcoming(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Slice | None:
    """Return the first slice of the schedule that has no record yet; None when all is measured."""
    return next(remaining(plan, groups, records), None)


def remaining(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Iterator[Slice]:
    """Yield what is still to be measured, in order. Rounds before the last one begun are complete."""
    kept = list(records)
    begun = max((record.slice.round for record in kept), default=1)
    done = {_identity(record.slice) for record in kept if record.slice.round == begun}
    steps = schedule(plan, groups, kept, first_round=begun)
    return (step for step in steps if step.round > begun or _identity(step) not in done)


def schedule(
    plan: Plan, groups: Sequence[Group], records: Iterable[Record] = (), *, first_round: int = 1
) -> Iterator[Slice]:
    """Yield every slice of *plan* from *first_round* on: the groups in order, each warmed up, then swept.

    The order of groups is fixed because a server's past shows: one that has read users before it says
    hello has a fuller heap than its A/A twin that has not. A sweep visits a group's contenders in random
    order, all with the same seed. Round 1 begins with the pilots of open loads that are fractions of a
    capacity; their rates are settled by *records* of them, once for all rounds. The null server is asked
    before a scenario's first counted slice and after its last. Everything random comes from the plan's
    seed, so a run can be taken up again where it stopped.
    """
    capacities = _capacities(records)
    first = {_ceiling_cell(group): group for group in reversed(groups)}
    last = {_ceiling_cell(group): group for group in groups}
    for number in range(first_round, plan.rounds + 1):
        if number == 1:
            yield from _pilots(plan, groups)
        for group in groups:
            if plan.warm_up_s:
                yield from _sweep(plan, group, number, WARM_UP_SWEEP, capacities)
            cell = _ceiling_cell(group)
            if number == 1 and first[cell] is group:
                yield _ceiling(plan, cell, number, BEFORE_SWEEP)
            for sweep in range(1, plan.sweeps + 1):
                yield from _sweep(plan, group, number, sweep, capacities)
            if number == plan.rounds and last[cell] is group:
                yield _ceiling(plan, cell, number, plan.sweeps)


def duration_s(steps: Iterable[Slice]) -> float:
    """Return how long *steps* load servers for, in seconds."""
    return sum(step.lead_in_s + step.window_s for step in steps)


def hash_seed(plan: Plan, number: int) -> int:
    """Return PYTHONHASHSEED of round *number*: the same for every server of the round (32 bits)."""
    return Random(f"{plan.seed}/{number}/hash").getrandbits(32)


def rate_rps(group: Group, contender: str, capacities: Capacities) -> float | None:
    """Return the rate of an open load for *contender*; None while its pilots are still to come, or closed."""
    if group.load.fraction is None:
        return group.load.rate
    asked = group.contenders if group.load.of == "slowest" else (contender,)
    known = [capacities.get((_piloted(group, name), group.scenario)) for name in asked]
    reached = [capacity for capacity in known if capacity is not None]
    if len(reached) < len(known):
        return None
    # One that answers nothing must not take all others down with it.
    return max(LOWEST_RPS, group.load.fraction * min(filter(None, reached), default=0.0))


def _capacities(records: Iterable[Record]) -> Capacities:
    pilots: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.slice.role == "capacity":
            cell = record.slice.cell
            pilots.setdefault((cell.contender, cell.scenario), []).append(record.sample.throughput_rps)
    return {pilot: median(rates) for pilot, rates in pilots.items() if len(rates) == PILOT_SWEEPS}


def _piloted(group: Group, contender: str) -> str:
    """Return whose capacity *contender* has: that of its original for a twin."""
    original = contender.removesuffix(SAME_AGAIN)
    return original if original in group.contenders else contender


def _pilots(plan: Plan, groups: Sequence[Group]) -> Iterator[Slice]:
    """Yield the slices that capacity is told from."""
    piloted: dict[str, dict[str, None]] = {}
    for group in groups:
        if group.load.fraction is not None:
            members = dict.fromkeys(_piloted(group, name) for name in group.contenders)
            piloted.setdefault(group.scenario, {}).update(members)
    for scenario, members in piloted.items():
        for sweep in range(1, PILOT_SWEEPS + 1):
            key = (plan.seed, "pilot", scenario, sweep)
            for contender in _shuffled(tuple(members), *key):
                cell = Cell(contender=contender, scenario=scenario, load=PILOT)
                # A warm-up of its own: warm-up slices are counted per cell and round.
                lead_in_s = plan.lead_in_s + plan.warm_up_s
                yield _slice(plan, cell, "capacity", 1, sweep, _seed(*key), lead_in_s=lead_in_s)


def _sweep(plan: Plan, group: Group, number: int, sweep: int, capacities: Capacities) -> Iterator[Slice]:
    warming = sweep == WARM_UP_SWEEP
    key = (plan.seed, number, group.scenario, slug(group.load), sweep)
    for contender in _shuffled(group.contenders, *key):
        yield _slice(
            plan,
            group.cell(contender),
            "warm-up" if warming else "control" if contender.endswith(SAME_AGAIN) else "measure",
            number,
            sweep,
            _seed(*key),
            lead_in_s=0.0 if warming else plan.lead_in_s,
            rate_rps=rate_rps(group, contender, capacities),
        )


def _ceiling_cell(group: Group) -> Cell:
    return Cell(contender=NULL_SERVER, scenario=group.scenario, load=ceiling_load(group.load))


def _ceiling(plan: Plan, cell: Cell, number: int, sweep: int) -> Slice:
    return _slice(plan, cell, "ceiling", number, sweep, _seed(plan.seed, "ceiling", cell.scenario))


def _slice(
    plan: Plan,
    cell: Cell,
    role: Role,
    number: int,
    sweep: int,
    seed: int,
    *,
    lead_in_s: float | None = None,
    rate_rps: float | None = None,
) -> Slice:
    return Slice(
        cell=cell,
        role=role,
        round=number,
        sweep=sweep,
        seed=seed,
        lead_in_s=plan.lead_in_s if lead_in_s is None else lead_in_s,
        window_s=plan.warm_up_s if role == "warm-up" else plan.window_s,
        rate_rps=rate_rps,
    )


@cache
def _seed(*key: object) -> int:
    return Random("/".join(map(str, key))).getrandbits(32)


@cache
def _shuffled(items: tuple[str, ...], *key: object) -> tuple[str, ...]:
    order = list(items)
    Random("/".join(map(str, ("order", *key)))).shuffle(order)
    return tuple(order)


def _identity(step: Slice) -> tuple[Role, Cell, int, int]:
    return step.role, step.cell, step.round, step.sweep
