"""The one scheduler: from a plan and what has been measured to what is measured next. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import TypeVar

from bench.model import Cell, Plan, Role, Slice
from bench.plan import Group
from bench.records import Record

WARM_UP_SWEEP = 0
T = TypeVar("T")


def upcoming(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Slice | None:
    """Return the first slice of the schedule that has no record yet; None when all is measured."""
    return next(remaining(plan, groups, records), None)


def remaining(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Iterator[Slice]:
    """Yield what is still to be measured, in order."""
    done = {_identity(record.slice) for record in records}
    return (step for step in schedule(plan, groups) if _identity(step) not in done)


def schedule(plan: Plan, groups: Sequence[Group]) -> Iterator[Slice]:
    """Yield every slice of *plan*: per round the groups in the plan's order, each warmed up, then swept.

    The order of groups is fixed because a server's past shows: one that has read users before it says
    hello has a fuller heap than its A/A twin that has not. A sweep visits a group's contenders in random
    order, all with the same seed. Everything random comes from the plan's seed, so a run can be taken up
    again where it stopped.
    """
    for number in range(1, plan.rounds + 1):
        for group in groups:
            for sweep in range(WARM_UP_SWEEP, plan.sweeps + 1):
                if sweep > WARM_UP_SWEEP or plan.warm_up_s:
                    yield from _sweep(plan, group, number, sweep)


def duration_s(steps: Iterable[Slice]) -> float:
    """Return how long *steps* load servers for, in seconds."""
    return sum(step.lead_in_s + step.window_s for step in steps)


def hash_seed(plan: Plan, number: int) -> int:
    """Return PYTHONHASHSEED of round *number*: the same for every server of the round (32 bits)."""
    return Random(f"{plan.seed}/{number}/hash").getrandbits(32)


def _sweep(plan: Plan, group: Group, number: int, sweep: int) -> Iterator[Slice]:
    warming = sweep == WARM_UP_SWEEP
    key = (plan.seed, number, group.scenario, group.load.connections, sweep)
    seed = Random("/".join(map(str, key))).getrandbits(32)
    for contender in _shuffled(group.contenders, *key):
        yield Slice(
            cell=group.cell(contender),
            role="warm-up" if warming else _role(contender),
            round=number,
            sweep=sweep,
            seed=seed,
            lead_in_s=0.0 if warming else plan.lead_in_s,
            window_s=plan.warm_up_s if warming else plan.window_s,
        )


def _role(contender: str) -> Role:
    return "control" if contender.endswith("~aa") else "measure"


def _shuffled(items: Sequence[T], *key: object) -> list[T]:
    order = list(items)
    Random("/".join(map(str, ("order", *key)))).shuffle(order)
    return order


def _identity(step: Slice) -> tuple[Cell, int, int]:
    return step.cell, step.round, step.sweep
