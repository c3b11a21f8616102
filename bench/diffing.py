"""Two revisions of a project side by side in one run: what of it is compared, and the plan for that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench import contenders, plan, scenarios
from bench.documents import near_miss
from bench.errors import UsageError
from bench.model import SAME_AGAIN, Block, Contender, Load, Plan, Scenario
from bench.observe.content import content
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
    named = _named(sides, pattern, wanted)
    changed, why = _changed(sides)
    compared = [
        name for name in named if wanted.unchanged or wanted.contenders or _app(sides, name) in changed
    ]
    sought = _scenarios(pattern, wanted)
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
        blocks=tuple(blocks) if compared else (),
        reference=f"{compared[0]}@{sides.base.label}" if compared else "",
        rounds=plan.AUTO_PILOT,
        budget_s=wanted.budget_s,
        baseline=sides.base.label,
        claims=(),
        inquiries=(),
        choices=(),
    )
    return made, (*sides.notes, *why, *_one_sided(sides))


def asked(sides: Sides, made: Plan) -> tuple[Scenario, ...]:
    """Return the scenarios of the plan *made* for *sides*, as the head has them."""
    return tuple(plan.scenarios(made, scenarios.declared(sides.head.folder)).values())


def served(sides: Sides, made: Plan) -> tuple[Contender, ...]:
    """Return the contenders of the plan *made* for *sides*, each in the folder of its revision."""
    named = dict.fromkeys(name for block in made.blocks for name in block.contenders)
    return tuple(_resolved(sides, name) for name in named)


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


def _named(sides: Sides, pattern: Plan, wanted: Wanted) -> list[str]:
    """Return the contenders that may be compared: there in both, and asked for."""
    head, base = sides.tables[sides.head.label], sides.tables[sides.base.label]
    for name in wanted.contenders:
        contenders.resolve(name, head)  # tells what it should have been
    every = dict.fromkeys(name for block in pattern.blocks for name in block.contenders)
    names = list(wanted.contenders) or [name for name in every if not name.endswith(SAME_AGAIN)]
    return [name for name in names if _base(name) in base and _base(name) in head]


def _scenarios(pattern: Plan, wanted: Wanted) -> tuple[str, ...]:
    known = list(dict.fromkeys(name for block in pattern.blocks for name in block.scenarios))
    for name in wanted.scenarios:
        if name not in known:
            raise UsageError(f"plan {NAME} has no scenario {name}{near_miss(name, sorted(known))}")
    return wanted.scenarios or tuple(known)


def _served(sides: Sides, name: str, asked: Sequence[str]) -> tuple[str, ...]:
    serves = contenders.resolve(name, sides.tables[sides.head.label]).scenarios
    return tuple(scenario for scenario in asked if serves is None or scenario in serves)


def _changed(sides: Sides) -> tuple[set[str], tuple[str, ...]]:
    """Return the apps that differ, all of them where their data do, and what else differs."""
    base, head = content(sides.base.folder), content(sides.head.folder)
    apps = set(head["apps"]) & set(base["apps"])
    notes = []
    if base["scenarios"] != head["scenarios"]:
        notes.append("scenarios.toml differs: both sides are asked for what the head's asks for")
    if base["data"] != head["data"]:
        return apps, (*notes, "schema or seed differs: every contender is compared")
    return {app for app in apps if base["apps"][app] != head["apps"][app]}, tuple(notes)


def _one_sided(sides: Sides) -> Iterator[str]:
    base, head = sides.tables[sides.base.label], sides.tables[sides.head.label]
    if gone := sorted(base.keys() - head.keys()):
        yield f"only in the base, compared with nothing: {', '.join(gone)}"
    if new := sorted(head.keys() - base.keys()):
        yield f"only in the head, compared with nothing: {', '.join(new)}"


def _app(sides: Sides, name: str) -> str:
    return sides.tables[sides.head.label][_base(name)].app.name


def _base(name: str) -> str:
    return name.partition(":")[0]
