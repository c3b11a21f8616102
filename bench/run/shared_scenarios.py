"""What both sides of a diff can answer: the head's scenarios, without what the base cannot know."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.load.requests import compile_exchange
from bench.model.contender import name_of
from bench.model.plan import Plan
from bench.model.scenario import Exchange, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The scenarios of a head by name, without exchanges that are new to the base."""

    scenarios: Mapping[str, Scenario]  # without those that have no exchange left
    changed: tuple[str, ...]  # exchanges of which the base has another version
    notes: tuple[str, ...]


def common(base: Mapping[str, Scenario], head: Mapping[str, Scenario]) -> Common:
    known = _exchanges(base.values())
    shapes = [replace(one, name="") for one in known.values()]
    shared = [scenario for name, scenario in head.items() if name in base]
    new = {
        one.name
        for scenario in shared
        for one in scenario.exchanges
        if one.name not in known and replace(one, name="") not in shapes
    }
    kept = {scenario.name: without(scenario, new) for scenario in shared}
    there = _exchanges(shared)
    return Common(
        scenarios={name: scenario for name, scenario in kept.items() if scenario.exchanges},
        changed=tuple(name for name, one in there.items() if name in known and known[name] != one),
        notes=tuple(note for scenario in shared for note in _notes(base, scenario, kept, new)),
    )


def without(scenario: Scenario, left_out: Collection[str]) -> Scenario:
    """Return *scenario* without exchanges *left_out* and those whose values no exchange saves any more."""
    pairs = list(zip(scenario.exchanges, scenario.weights, strict=True))
    while True:
        saved = {variable for one, _ in pairs for variable in one.save}
        kept = [(one, weight) for one, weight in pairs if one.name not in left_out and _needs(one) <= saved]
        if not any(weight for _, weight in kept):
            kept = []  # those of weight 0 are only sent for others
        if kept == pairs:
            return replace(
                scenario,
                exchanges=tuple(one for one, _ in kept),
                weights=tuple(weight for _, weight in kept),
            )
        pairs = kept


def narrowed(plan: Plan, scenarios: Sequence[Scenario], left_out: Mapping[str, Collection[str]]) -> Plan:
    """Return *plan* without *scenarios* that are empty, and without those *left_out* of a contender.

    Contenders in *left_out* are named without a revision.
    """
    empty = {one.name for one in scenarios if not one.exchanges}
    blocks = [
        replace(
            block,
            scenarios=tuple(
                name
                for name in block.scenarios
                if name not in empty
                and not any(name in left_out.get(name_of(one).unrevised, ()) for one in block.contenders)
            ),
        )
        for block in plan.blocks
    ]
    return replace(plan, blocks=tuple(block for block in blocks if block.scenarios))


def _needs(exchange: Exchange) -> set[str]:
    return set(compile_exchange(exchange, "host").needs)


def _exchanges(scenarios: Collection[Scenario] | Sequence[Scenario]) -> dict[str, Exchange]:
    return {one.name: one for scenario in scenarios for one in scenario.exchanges}


def _notes(
    base: Mapping[str, Scenario], scenario: Scenario, kept: Mapping[str, Scenario], new: Collection[str]
) -> Iterator[str]:
    left = {one.name for one in kept[scenario.name].exchanges}
    names = [one.name for one in scenario.exchanges]
    if added := [name for name in names if name in new]:
        yield f"scenario {scenario.name}: {_listed(added)} new: not measured"
    if orphans := [name for name in names if name not in new and name not in left]:
        yield f"scenario {scenario.name}: {_listed(orphans)} in need of what is new: not measured"
    if gone := [one.name for one in base[scenario.name].exchanges if one.name not in names]:
        yield f"scenario {scenario.name}: {_listed(gone)} not in the head's any more: not measured"
    if not left:
        yield f"scenario {scenario.name}: nothing of it is left to compare"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
