"""Two revisions of a project side by side in one run: what is compared, and the plan for that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bench.compare.sides import Sides
from bench.errors import UsageError
from bench.files import near_miss
from bench.loads import Closed, Load
from bench.model.contender import Contender, name_of
from bench.model.plan import Block, Plan
from bench.model.scenario import Scenario
from bench.project import contenders, plans, scenarios
from bench.project.contenders import Declared
from bench.project.sources import SCENARIOS, listed
from bench.run.shared_scenarios import Common, common

NAME = "ci"  # the plan whose contenders, scenarios and windows are used, if the project has it
# Without it: every contender that is `of` no other, in every scenario.
PLAIN = Plan(
    name=NAME,
    blocks=(),
    reference="",
    rounds=plans.AUTO_PILOT,
    sweeps=6,
    lead_in_s=0.03,
    window_s=0.12,
    warm_up_s=0.7,
    seed=1,
    fewer_connections=plans.FEWER_CONNECTIONS,
)
CONNECTIONS = plans.CONNECTIONS
BUDGET_S = 600.0
Twins = Literal["one", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the command line requested; nothing: all."""

    contenders: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    unchanged: bool = False  # compare what did not change too
    twins: Twins = "one"
    budget_s: float = BUDGET_S
    count: bool = True  # instructions too
    timed: bool = True  # False: only what is counted
    margins: Mapping[str, float] = field(default_factory=dict)  # in place of the plan's


def planned(sides: Sides, wanted: Selection) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan that compares *sides*, and its notes; it has no blocks if nothing changed.

    Raises UsageError if nothing has a requested name.
    """
    if sides.lacking:
        return replace(PLAIN, baseline=sides.base.label), sides.notes
    pattern = _pattern(sides)
    named, one_sided = _named(sides, pattern, wanted)
    compared = [name for name in named if wanted.unchanged or wanted.contenders or _is_changed(sides, name)]
    shared = _common(sides)
    sought, unknown = _scenarios(sides, pattern, wanted, shared)
    blocks = tuple(_blocks(sides, pattern, compared, sought))
    if compared and sought and not blocks:
        raise UsageError(f"plan {NAME} measures {', '.join(compared)} in none of {', '.join(sought)}")
    made = replace(
        pattern,
        name="diff",
        about=f"{sides.head.label} against {sides.base.label}: is it slower?",
        blocks=(*blocks, *_twins(sides, blocks, wanted)),
        reference=f"{compared[0]}@{sides.base.label}" if compared else "",
        rounds=plans.AUTO_PILOT,
        budget_s=wanted.budget_s,
        longest_window_s=max(plans.LONGEST_WINDOW_S, pattern.window_s),
        baseline=sides.base.label,
        changed=shared.changed,
        claims=(),
        inquiries=(),
        choices=(),
        count=wanted.count,
        timed=wanted.timed,
        margins={**pattern.margins, **wanted.margins},
    )
    beside = sides.changed.beside(_apps(sides, made)) if made.blocks else ()
    others = [f"changed, and compared with nothing here: {listed(beside)}"] if beside else []
    return made, (*sides.notes, *_differing(sides), *one_sided, *unknown, *_gone(sides), *others)


def names(sides: Sides, wanted: Selection) -> list[str]:
    """Return the requested contenders, or those of the plan, that both sides have; raises UsageError."""
    return _named(sides, _pattern(sides), wanted)[0]


def _blocks(sides: Sides, pattern: Plan, compared: Sequence[str], sought: Sequence[str]) -> Iterator[Block]:
    """Yield the blocks of *pattern*, reduced to what is compared: each contender beside its base.

    They keep their scenarios and loads. A block's own reference has no meaning here, because every contender
    is relative to its base.
    """
    for name in compared:
        for block in _measuring(pattern, name):
            there = tuple(scenario for scenario in block.scenarios if scenario in sought)
            if _served(sides, name, there):
                yield Block(
                    contenders=(f"{name}@{sides.base.label}", f"{name}@{sides.head.label}"),
                    scenarios=there,
                    loads=block.loads,
                )


def _measuring(pattern: Plan, name: str) -> Sequence[Block]:
    """Return the blocks in which a contender is measured: those that name it, or its base, or else all."""
    named = [block for block in pattern.blocks if name in block.contenders]
    of_its_base = [
        block
        for block in pattern.blocks
        if name_of(name).base in {name_of(one).base for one in block.contenders}
    ]
    return named or of_its_base or pattern.blocks


def _twins(sides: Sides, blocks: Sequence[Block], wanted: Selection) -> Iterator[Block]:
    """Yield the base beside itself: in every cell, or in one, under a closed load if possible."""
    if wanted.twins == "all":
        for block in blocks:
            original = block.contenders[0]
            yield replace(block, contenders=(original, name_of(original).twin))
    elif blocks:
        block = min(blocks, key=lambda one: not closed_first(one.loads)[0].compares_throughput)
        original = block.contenders[0]
        yield Block(
            contenders=(original, name_of(original).twin),
            scenarios=_served(sides, name_of(original).unrevised, block.scenarios)[:1],
            loads=closed_first(block.loads)[:1],
        )


def closed_first(loads: Sequence[Load]) -> tuple[Load, ...]:
    """Return *loads* with those first whose noise shows in both metrics."""
    return tuple(sorted(loads, key=lambda load: not load.compares_throughput))


def requested_scenarios(sides: Sides, made: Plan) -> tuple[Scenario, ...]:
    return tuple(plans.scenarios(made, _common(sides).scenarios).values())


def served(sides: Sides, made: Plan) -> tuple[Contender, ...]:
    named = dict.fromkeys(name for block in made.blocks for name in block.contenders)
    return tuple(_resolved(sides, name) for name in named)


def _common(sides: Sides) -> Common:
    return common(*(scenarios.declared(tree.folder) for tree in (sides.base, sides.head)))


def _resolved(sides: Sides, name: str) -> Contender:
    parts = name_of(name)
    found = contenders.resolve(name, sides.tables[parts.revision], revised=True)
    return replace(found, root=str(sides.twin.folder)) if parts.is_twin else found


def _pattern(sides: Sides) -> Plan:
    if NAME in plans.names(sides.project):
        return plans.read(sides.project, NAME)
    bases = tuple(name for name, table in sides.tables[sides.head.label].items() if "of" not in table.overlay)
    everything = tuple(scenarios.declared(sides.head.folder))
    load = Closed(connections=CONNECTIONS)
    return replace(PLAIN, blocks=(Block(contenders=bases, scenarios=everything, loads=(load,)),))


def _named(sides: Sides, pattern: Plan, wanted: Selection) -> tuple[list[str], tuple[str, ...]]:
    """Return the requested contenders that both sides have, and a note on the others."""
    head, base = sides.tables[sides.head.label], sides.tables[sides.base.label]
    every = dict.fromkeys(name for block in pattern.blocks for name in block.contenders)
    names = list(wanted.contenders) or [name for name in every if not name_of(name).is_twin]
    for name in names:
        if not _has(base, name):
            contenders.resolve(name, head)  # neither has it: the error shows what it could have been
    both = [name for name in names if _has(head, name) and _has(base, name)]
    sides_of = (("head", head, base), ("base", base, head))
    notes = tuple(
        f"only in the {side}, compared with nothing: {', '.join(single)}"
        for side, mine, other in sides_of
        if (single := [name for name in names if _has(mine, name) and not _has(other, name)])
    )
    return both, notes


def _has(tables: Mapping[str, Declared], name: str) -> bool:
    try:
        contenders.resolve(name, tables)
    except UsageError:
        return False
    return True


def _scenarios(
    sides: Sides, pattern: Plan, wanted: Selection, shared: Common
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    known = list(dict.fromkeys(name for block in pattern.blocks for name in block.scenarios))
    for name in wanted.scenarios:
        if name not in known:
            raise UsageError(f"plan {NAME} has no scenario {name}{near_miss(name, sorted(known))}")
    chosen = wanted.scenarios or tuple(known)
    before = scenarios.declared(sides.base.folder)
    notes = []
    if new := [name for name in chosen if name not in before]:
        notes.append(f"scenarios that the base does not have, not measured: {', '.join(new)}")
    notes += [note for note in shared.notes if note.partition(":")[0].removeprefix("scenario ") in chosen]
    return tuple(name for name in chosen if name in shared.scenarios), tuple(notes)


def _served(sides: Sides, name: str, chosen: Sequence[str]) -> tuple[str, ...]:
    serves = contenders.resolve(name, sides.tables[sides.head.label]).scenarios
    return tuple(scenario for scenario in chosen if serves is None or scenario in serves)


def why_nothing(sides: Sides, made: Plan) -> tuple[Literal["EQUIVALENT", "NOT COMPARED"], str]:
    """Return the conclusion and its reason, for a plan *made* without blocks."""
    if sides.lacking:
        return "NOT COMPARED", f"the base ({sides.base.label}) has nothing to compare with: {sides.lacking}"
    if made.reference:
        return "NOT COMPARED", "nothing was compared: both sides have no scenario in common"
    if sides.changed.relevant:
        return "NOT COMPARED", "nothing was compared: files differ, of no contender that both sides have here"
    return "EQUIVALENT", (
        "nothing to compare: no file that could matter to a server differs from "
        f"{sides.base.label}; see --all"
    )


def left_out(sides: Sides, made: Plan) -> Mapping[str, str]:
    why = "a shared file, but there is nothing to compare"
    others = {path: _others(sides, path) or why for path in sides.changed.beside(_apps(sides, made))}
    return dict(sorted({**sides.changed.irrelevant, **others}.items()))


def _apps(sides: Sides, made: Plan) -> set[str]:
    bases = {name_of(name).base for block in made.blocks for name in block.contenders}
    return {table[base].app for table in sides.tables.values() for base in bases if base in table}


def _others(sides: Sides, path: str) -> str:
    app = next((app for app, paths in sides.changed.own.items() if path in paths), None)
    return f"of {app}, of which nothing is compared" if app else ""


def _differing(sides: Sides) -> Iterator[str]:
    if SCENARIOS in sides.changed.irrelevant:
        yield "scenarios.toml differs: both sides are measured with the head's"
    if sides.changed.shared:
        yield f"shared files differ, so every contender is compared: {listed(sides.changed.shared)}"
    if sides.changed.databases:
        yield f"databases differ, each side reads its own: {listed(sides.changed.databases)}"


def _is_changed(sides: Sides, name: str) -> bool:
    before, now = (sides.tables[tree.label][name_of(name).base].app for tree in (sides.base, sides.head))
    return before != now or sides.changed.concern(now)


def _gone(sides: Sides) -> Iterator[str]:
    base, head = sides.tables[sides.base.label], sides.tables[sides.head.label]
    if gone := sorted(base.keys() - head.keys()):
        yield f"not there any more: {', '.join(gone)}"
