"""Plans: experiments as data, with their blocks. Reading one, what it names, and a part of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Self

from annotated_types import Ge, Gt
from pydantic import (
    AfterValidator,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from bench.errors import UsageError
from bench.files import check_known, near_miss, read_toml
from bench.loads import KINDS, Closed, Load
from bench.model.claim import Choice, Claim, Inquiry
from bench.model.constraints import AtLeastOne, Positive, Proportion
from bench.model.contender import Contender, name_of
from bench.model.plan import MARGINS, Block, Plan
from bench.model.scenario import Scenario
from bench.project.claim_rules import check_choices, distinct, grounded, of_one_kind, placed
from bench.project.contenders import Declared, declared, resolve
from bench.project.scenarios import declared as scenarios_of

AUTO = "auto"  # rounds, as many as the spread of a pilot needs; windows, as long as answers need
AUTO_PILOT = 9
AUTO_BUDGET_S = 600.0
AUTO_WINDOW_S, AUTO_LEAD_IN_S = 0.12, 0.03  # where answers take a few ms
LONGEST_WINDOW_S = 30.0
WARM_UP_S = 0.7
BUILT_IN, BUILT_IN_BUDGET_S, BUILT_IN_SWEEPS, CONNECTIONS = "quick", 180.0, 6, 32
# Of a built-in plan, where answers on those take long: the most of which each has four answers in a window of
# forty, the fewest in it (docs/adr/0013).
FEWER_CONNECTIONS = 10
Count = Annotated[int, Gt(0)]
NotNegative = Annotated[float, Ge(0)]


def _as_written(written: Any, read: ValidatorFunctionWrapHandler) -> Load:
    """Read a load. A key of another kind is named as such, after mistakes in the keys of its own kind."""
    kind = KINDS.get(str(written.get("kind"))) if isinstance(written, dict) else None
    if kind is None:
        load: Load = read(written)
        return load
    own = {one.name for one in fields(kind)}
    others = {one.name: other.called for other in KINDS.values() for one in fields(other)}
    elsewhere = [key for key in written if key in others and key not in own]
    load = read({key: value for key, value in written.items() if key not in elsewhere})
    for key in elsewhere:
        raise ValueError(key, f"belongs to {others[key]}")
    load.check()
    return load


WrittenLoad = Annotated[Load, WrapValidator(_as_written)]


def _auto_or_more(written: int | float | str) -> int | float | str:
    if written != AUTO and (isinstance(written, str) or not written > 0):
        raise ValueError(f'must be a number above 0, or "{AUTO}"')
    return written


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenBlock:
    """One [[block]]. *controls* are its contenders that run twice, as their own A/A twins.

    *reference* is the contender that the others are relative to, instead of the plan's.
    """

    contenders: Annotated[tuple[str, ...], AtLeastOne]
    scenarios: Annotated[tuple[str, ...], AtLeastOne]
    loads: Annotated[tuple[WrittenLoad, ...], AtLeastOne]
    controls: tuple[str, ...] = ()
    reference: str | None = None

    @field_validator("controls", "reference")
    @classmethod
    def _is_of_the_block(cls, named: tuple[str, ...] | str, info: ValidationInfo) -> tuple[str, ...] | str:
        for name in (named,) if isinstance(named, str) else named:
            if name not in info.data.get("contenders", (name,)):
                raise ValueError(f"{name} is none of the block's contenders")
        return named

    @property
    def block(self) -> Block:
        twins = (name_of(control).twin for control in self.controls)
        return Block(
            contenders=(*self.contenders, *twins),
            scenarios=self.scenarios,
            loads=self.loads,
            reference=self.reference,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Changes too small to act on, by metric."""

    throughput_rps: Proportion = MARGINS["throughput_rps"]
    service_demand_us: Proportion = MARGINS["service_demand_us"]
    instructions: Proportion = MARGINS["instructions"]


@dataclass(frozen=True, kw_only=True)
class WrittenPlan:
    """A file of plans/."""

    reference: str
    rounds: Annotated[int | str, AfterValidator(_auto_or_more)]
    sweeps: Count
    window_s: Annotated[float | str, AfterValidator(_auto_or_more)]
    block: tuple[WrittenBlock, ...]
    about: str = ""
    lead_in_s: NotNegative | None = None
    warm_up_s: NotNegative = WARM_UP_S
    seed: int = 1
    slo_ms: Positive | None = None
    margins: Margins = field(default_factory=Margins)
    spare_sweeps: Annotated[int, Ge(0)] = 2
    longest_window_s: float | None = None
    budget_s: Positive | None = None
    load_workers: Count = 1
    count: bool = False
    claim: tuple[Annotated[Claim, WrapValidator(of_one_kind)], ...] = ()
    evidence: Annotated[tuple[Inquiry, ...], AfterValidator(distinct)] = ()
    choice: tuple[Annotated[Choice, AfterValidator(grounded)], ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        references: dict[str, str] = {}
        for number, block in enumerate(self.block):
            for name in block.block.contenders if block.reference else ():
                if (other := references.setdefault(name, str(block.reference))) != block.reference:
                    raise ValueError("block", number, "reference", f"{name} is relative to {other} already")
        if self.budget_s is not None and self.rounds != AUTO:
            raise ValueError("budget_s", f'goes with rounds = "{AUTO}"')
        shortest_s = AUTO_WINDOW_S if isinstance(self.window_s, str) else self.window_s
        if self.longest_window_s is not None and self.longest_window_s < shortest_s:
            raise ValueError("longest_window_s", f"must not be less than window_s, {shortest_s:g}")
        return self


def names(root: Path) -> list[str]:
    return sorted(file.stem for file in root.glob("plans/*.toml")) or [BUILT_IN]


def read(root: Path, name: str) -> Plan:
    """Return the plan called *name*; raises UsageError that names near misses, or file and key."""
    file = root / "plans" / f"{name}.toml"
    check_known(name, names(root), f"unknown plan {name}")
    if not file.is_file():
        return _built_in(root)
    written = read_toml(file, WrittenPlan)
    settings = vars(written)
    kept = {key: settings[key] for key in settings.keys() - {"block", "claim", "evidence", "choice"}}
    if written.rounds == AUTO:
        kept |= {"rounds": AUTO_PILOT, "budget_s": written.budget_s or AUTO_BUDGET_S}
    if written.window_s == AUTO:
        kept |= {"window_s": AUTO_WINDOW_S, "longest_window_s": written.longest_window_s or LONGEST_WINDOW_S}
    if written.lead_in_s is None:
        kept["lead_in_s"] = AUTO_LEAD_IN_S if written.window_s == AUTO else 0.1
    blocks = tuple(one.block for one in written.block)
    claims = placed(file, written.claim, blocks, written.evidence)
    check_choices(file, written.choice, written.evidence, claims)
    return Plan(
        name=name,
        blocks=blocks,
        claims=claims,
        inquiries=written.evidence,
        choices=written.choice,
        **{**kept, "margins": asdict(written.margins)},
    )


def _built_in(root: Path) -> Plan:
    """Return the plan of a project without plans: every contender, every scenario, one closed load."""
    tables = declared(root)
    everyone = tuple(name for name, table in tables.items() if "of" not in table.overlay)
    loads = (Closed(connections=CONNECTIONS),)
    return Plan(
        name=BUILT_IN,
        about="Every contender in every scenario: a plan of its own lies in plans/",
        blocks=(Block(contenders=everyone, scenarios=tuple(scenarios_of(root)), loads=loads),),
        reference=everyone[0],
        rounds=AUTO_PILOT,
        budget_s=BUILT_IN_BUDGET_S,
        sweeps=BUILT_IN_SWEEPS,
        lead_in_s=AUTO_LEAD_IN_S,
        window_s=AUTO_WINDOW_S,
        longest_window_s=LONGEST_WINDOW_S,
        fewer_connections=FEWER_CONNECTIONS,
        warm_up_s=WARM_UP_S,
        seed=1,
    )


def contenders(plan: Plan, tables: Mapping[str, Declared]) -> dict[str, Contender]:
    """Return every contender that *plan* measures, then those of evidence only; raises UsageError."""
    measured = (name for block in plan.blocks for name in block.contenders)
    looked_at = (name for inquiry in plan.inquiries for name in inquiry.contenders)
    return {name: resolve(name, tables) for name in dict.fromkeys((*measured, *looked_at))}


def scenarios(plan: Plan, known: Mapping[str, Scenario]) -> dict[str, Scenario]:
    """Return every scenario that *plan* names, in order of appearance; raises UsageError."""
    named = dict.fromkeys(name for block in plan.blocks for name in block.scenarios)
    for name in named:
        check_known(name, known, f"plan {plan.name}: unknown scenario {name}")
    _check_loads(plan, known)
    return {name: known[name] for name in named}


def _check_loads(plan: Plan, known: Mapping[str, Scenario]) -> None:
    for block in plan.blocks:
        due = [load.title for load in block.loads if load.has_due_times]
        if due and (own := [name for name in block.scenarios if known[name].locustfile]):
            raise UsageError(
                f"plan {plan.name}: {own[0]} under {due[0]}: users of a locustfile request when they want: "
                "measure it under closed loads, in a block of its own"
            )
        if due and (streams := [name for name in block.scenarios if known[name].streams]):
            raise UsageError(
                f"plan {plan.name}: {streams[0]} under {due[0]}: connections hold streams open, so their "
                "number is the load: measure it under closed loads, in a block of its own"
            )


def narrowed(
    plan: Plan, contenders: Sequence[str] = (), scenarios: Sequence[str] = (), rounds: int | None = None
) -> Plan:
    """Return *plan* with only what was requested; a base name selects every contender of that base.

    Raises UsageError if nothing of the plan has a requested name.
    """
    there = {name for block in plan.blocks for name in block.contenders}
    kept = {name for name in there if not contenders or {name, name_of(name).base} & set(contenders)}
    for requested in contenders:
        if not any(requested in (name, name_of(name).base) for name in there):
            raise UsageError(
                f"plan {plan.name} has no contender {requested}{near_miss(requested, sorted(there))}"
            )
    planned = {name for block in plan.blocks for name in block.scenarios}
    for requested in scenarios:
        check_known(requested, planned, f"plan {plan.name} has no scenario {requested}")
    blocks = [
        replace(
            block,
            contenders=tuple(name for name in block.contenders if name in kept),
            scenarios=tuple(name for name in block.scenarios if not scenarios or name in scenarios),
        )
        for block in plan.blocks
    ]
    kept_blocks = tuple(block for block in blocks if block.contenders and block.scenarios)
    if not kept_blocks:
        raise UsageError(f"plan {plan.name}: no block has both {contenders} and {scenarios}")
    kept_plan = replace(plan, blocks=kept_blocks)
    if contenders:  # evidence is for its own variants, which the request did not name
        kept_plan = replace(kept_plan, inquiries=())
    return replace(kept_plan, rounds=rounds, budget_s=None) if rounds else kept_plan


def aimed(plan: Plan, contender: str) -> Plan:
    """Return *plan* with *contender* in place of all of its own, without claims."""
    blocks = tuple(replace(block, contenders=(contender,), reference=None) for block in plan.blocks)
    return replace(plan, blocks=blocks, reference=contender, claims=(), inquiries=(), choices=())
