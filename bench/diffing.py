"""Two revisions of a project side by side in one run: what of it is compared, and the plan for that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench import contenders, plan, scenarios
from bench.contenders import Declared
from bench.documents import near_miss
from bench.errors import UsageError
from bench.mixes import Common, common
from bench.model import SAME_AGAIN, Block, Contender, Load, Plan, Scenario
from bench.observe.content import content
from bench.revisions import Tree
from bench.sides import Sides

NAME = "ci"  # the plan whose contenders, scenarios and windows it takes, where the project has it
# Where it has none: every contender that is `of` no other, in every scenario.
PLAIN = Plan(
    name=NAME,
    blocks=(),
    reference="",
    rounds=plan.AUTO_PILOT,
    sweeps=6,
    lead_in_s=0.03,
    window_s=0.12,
    warm_up_s=0.7,
    seed=1,
)
CONNECTIONS = 32
BUDGET_S = 600.0
Twins = Literal["one", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for on the command line; nothing: all."""

    contenders: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    unchanged: bool = False  # compare what did not change as well
    twins: Twins = "one"
    budget_s: float = BUDGET_S


def planned(sides: Sides, wanted: Wanted) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan that compares *sides*, without blocks where nothing changed, and what has to be said.

    Raises UsageError where nothing has a name that was asked for.
    """
    pattern = _pattern(sides)
    named, one_sided = _named(sides, pattern, wanted)
    every, why = _everyone(sides)
    compared = [
        name for name in named if wanted.unchanged or wanted.contenders or every or _changed(sides, name)
    ]
    shared = _common(sides)
    sought, unknown = _scenarios(sides, pattern, wanted, shared)
    loads = pattern.blocks[0].loads
    blocks = [
        Block(
            contenders=(f"{name}@{sides.base.label}", f"{name}@{sides.head.label}"),
            scenarios=sought,
            loads=loads,
        )
        for name in compared
    ]
    for name in compared if wanted.twins == "all" else compared[:1]:
        original = f"{name}@{sides.base.label}"
        twin = f"{original}{SAME_AGAIN}"
        there = sought if wanted.twins == "all" else _served(sides, name, sought)[:1]
        blocks.append(Block(contenders=(original, twin), scenarios=there, loads=loads))
    made = replace(
        pattern,
        name="diff",
        about=f"{sides.head.label} against {sides.base.label}: is it slower?",
        blocks=tuple(blocks) if compared and sought else (),
        reference=f"{compared[0]}@{sides.base.label}" if compared else "",
        rounds=plan.AUTO_PILOT,
        budget_s=wanted.budget_s,
        baseline=sides.base.label,
        changed=shared.changed,
        claims=(),
        inquiries=(),
        choices=(),
    )
    return made, (*sides.notes, *why, *one_sided, *unknown, *_gone(sides))


def asked(sides: Sides, made: Plan) -> tuple[Scenario, ...]:
    """Return the scenarios of the plan *made* for *sides*, as the head has them, without what is new."""
    return tuple(plan.scenarios(made, _common(sides).scenarios).values())


def served(sides: Sides, made: Plan) -> tuple[Contender, ...]:
    """Return the contenders of the plan *made* for *sides*, each in the folder of its revision."""
    named = dict.fromkeys(name for block in made.blocks for name in block.contenders)
    return tuple(_resolved(sides, name) for name in named)


def _common(sides: Sides) -> Common:
    return common(*(scenarios.declared(tree.folder) for tree in (sides.base, sides.head)))


def _resolved(sides: Sides, name: str) -> Contender:
    label = name.partition("@")[2].removesuffix(SAME_AGAIN)
    found = contenders.resolve(name, sides.tables[label], revised=True)
    return replace(found, root=str(sides.again.folder)) if name.endswith(SAME_AGAIN) else found


def _pattern(sides: Sides) -> Plan:
    """Return the project's plan `ci`, or one of everything that the head has."""
    if NAME in plan.names(sides.project):
        return plan.read(sides.project, NAME)
    bases = tuple(name for name, table in sides.tables[sides.head.label].items() if "of" not in table.overlay)
    everything = tuple(scenarios.declared(sides.head.folder))
    load = Load(kind="closed", connections=CONNECTIONS)
    return replace(PLAIN, blocks=(Block(contenders=bases, scenarios=everything, loads=(load,)),))


def _named(sides: Sides, pattern: Plan, wanted: Wanted) -> tuple[list[str], tuple[str, ...]]:
    """Return the contenders that may be compared, there in both and asked for, and a note of the others."""
    head, base = sides.tables[sides.head.label], sides.tables[sides.base.label]
    every = dict.fromkeys(name for block in pattern.blocks for name in block.contenders)
    names = list(wanted.contenders) or [name for name in every if not name.endswith(SAME_AGAIN)]
    for name in names:
        if not _has(base, name):
            contenders.resolve(name, head)  # neither has it: tells what it should have been
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
    sides: Sides, pattern: Plan, wanted: Wanted, shared: Common
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the scenarios that both sides know and that were asked for, and a note of the new ones."""
    known = list(dict.fromkeys(name for block in pattern.blocks for name in block.scenarios))
    for name in wanted.scenarios:
        if name not in known:
            raise UsageError(f"plan {NAME} has no scenario {name}{near_miss(name, sorted(known))}")
    asked = wanted.scenarios or tuple(known)
    before = scenarios.declared(sides.base.folder)
    notes = []
    if new := [name for name in asked if name not in before]:
        notes.append(f"scenarios that the base does not have, asked of nobody: {', '.join(new)}")
    notes += [note for note in shared.notes if note.partition(":")[0].removeprefix("scenario ") in asked]
    return tuple(name for name in asked if name in shared.scenarios), tuple(notes)


def _served(sides: Sides, name: str, asked: Sequence[str]) -> tuple[str, ...]:
    serves = contenders.resolve(name, sides.tables[sides.head.label]).scenarios
    return tuple(scenario for scenario in asked if serves is None or scenario in serves)


def _everyone(sides: Sides) -> tuple[bool, tuple[str, ...]]:
    """Return whether what all contenders share differs, and what has to be said."""
    base, head = content(sides.base.folder), content(sides.head.folder)
    notes = []
    if base["scenarios"] != head["scenarios"]:
        notes.append("scenarios.toml differs: both sides are asked for what the head's asks for")
    shared = base["data"] != head["data"] or _image(sides.base) != _image(sides.head)
    if shared:
        notes.append("schema, seed or Dockerfile differs: every contender is compared")
    return shared, tuple(notes)


def _image(tree: Tree) -> bytes:
    file = tree.folder / "apps" / "Dockerfile"
    return file.read_bytes() if file.is_file() else b""


def _changed(sides: Sides, name: str) -> bool:
    """Return whether the folder of a contender's app differs, also where it is another one by now."""
    here, there = (
        content(tree.folder)["apps"].get(sides.tables[tree.label][_base(name)].app.name)
        for tree in (sides.base, sides.head)
    )
    return bool(here != there)


def _gone(sides: Sides) -> Iterator[str]:
    base, head = sides.tables[sides.base.label], sides.tables[sides.head.label]
    if gone := sorted(base.keys() - head.keys()):
        yield f"not there any more: {', '.join(gone)}"


def _base(name: str) -> str:
    return name.partition(":")[0]
