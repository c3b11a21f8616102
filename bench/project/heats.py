"""Heats: contenders of a plan that are compared, up at the same time, and swept over together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product

from bench.loads import Load
from bench.model.cell import Cell
from bench.model.contender import Contender
from bench.model.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Contenders of one heat that are swept over together: the same scenario under the same load."""

    scenario: str
    load: Load
    contenders: tuple[str, ...]
    heat: tuple[str, ...]  # its servers are up meanwhile

    def cell(self, contender: str) -> Cell:
        return Cell(contender=contender, scenario=self.scenario, load=self.load)


def groups(plan: Plan, served: Mapping[str, Contender]) -> tuple[Group, ...]:
    """Return the groups, heat by heat, without scenarios that a contender does not serve.

    Each cell is in one of them, however many blocks name it. Contenders of *plan* that are not in *served*
    (those that failed verification) are left out.
    """
    return tuple(group for heat in heats(plan) for group in _of_heat(plan, heat, served))


def heats(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Return the contenders of *plan* in heats: those that are compared, directly or through others.

    An idle server is not free: the system manages its memory, and its processes are counted. A server runs
    only while it is compared, and both sides are measured closer together.
    """
    named = _named(plan)
    found: list[set[str]] = []
    for pair in _compared(plan):
        met = [heat for heat in found if not heat.isdisjoint(pair)]
        found = [heat for heat in found if heat not in met] + [set(pair).union(*met)]
    found.sort(key=lambda heat: min(named.index(name) for name in heat if name in named))
    return tuple(tuple(name for name in named if name in heat) for heat in found)


def by_heat(groups: Sequence[Group], number: int) -> Sequence[Sequence[Group]]:
    """Return the groups of each heat, in the order of round *number*. Every other round reverses it.

    So no heat is always at the start or the end of a round.
    """
    found = [tuple(members) for _, members in groupby(groups, lambda group: group.heat)]
    return found if number % 2 else found[::-1]


def _named(plan: Plan) -> list[str]:
    return list(dict.fromkeys(name for block in plan.blocks for name in block.contenders))


def _compared(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the pairs that are compared. One of two may be missing from a narrowed plan."""
    named = _named(plan)
    for name in named:
        yield name, plan.reference_of(name)
    for claim in plan.claims:
        if claim.ratio and claim.ratio.contender in named:
            yield claim.ratio.contender, claim.ratio.reference
        if claim.figure and claim.figure.contender in named and plan.reference in named:
            yield claim.figure.contender, plan.reference


def _of_heat(plan: Plan, heat: tuple[str, ...], served: Mapping[str, Contender]) -> Iterator[Group]:
    swept: dict[tuple[str, Load], dict[str, None]] = {}
    for block in plan.blocks:
        for scenario, load, name in product(block.scenarios, block.loads, block.contenders):
            if name in heat and name in served and _serves(served[name], scenario):
                swept.setdefault((scenario, load), {})[name] = None
    up = tuple(name for name in heat if any(name in members for members in swept.values()))
    for (scenario, load), members in swept.items():
        yield Group(scenario=scenario, load=load, contenders=tuple(members), heat=up)


def _serves(contender: Contender, scenario: str) -> bool:
    return contender.scenarios is None or scenario in contender.scenarios
