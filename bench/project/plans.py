"""Plans: experiments as data, with their blocks. Reading one, and what it names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Required

from pydantic import with_config
from typing_extensions import TypedDict

from bench.errors import UsageError
from bench.files import STRICT, near_miss, read_toml
from bench.model import MARGINS, Block, Contender, Plan, Scenario, name_of
from bench.project.claims import ChoiceForm, ClaimForm, InquiryForm, read_choices, read_claims, read_inquiries
from bench.project.contenders import Declared, resolve
from bench.project.loads import LoadForm, read_load


@with_config(STRICT)
class BlockForm(TypedDict, total=False):
    """One [[block]]. *controls* are its contenders that run twice, as their own A/A twins.

    *reference* is the contender that the others are relative to, instead of the plan's.
    """

    contenders: Required[list[str]]
    scenarios: Required[list[str]]
    loads: Required[list[LoadForm]]
    controls: list[str]
    reference: str


def read_blocks(file: Path, forms: Sequence[BlockForm]) -> tuple[Block, ...]:
    """Return the blocks of the plan in *file*; raises UsageError that names file and key."""
    blocks = tuple(_block(f"{file}: block.{number}", form) for number, form in enumerate(forms))
    references: dict[str, str] = {}
    for number, block in enumerate(blocks):
        for name in block.contenders if block.reference else ():
            if (other := references.setdefault(name, str(block.reference))) != block.reference:
                raise UsageError(f"{file}: block.{number}.reference: {name} is relative to {other} already")
    return blocks


def _block(where: str, form: BlockForm) -> Block:
    empty = [key for key in ("contenders", "scenarios", "loads") if not form.get(key)]
    if empty:
        raise UsageError(f"{where}.{empty[0]}: at least one")
    controls, reference = form.get("controls", []), form.get("reference")
    if strange := sorted({*controls} - {*form["contenders"]}):
        raise UsageError(f"{where}.controls: {strange[0]} is none of the block's contenders")
    if reference is not None and reference not in form["contenders"]:
        raise UsageError(f"{where}.reference: {reference} is none of the block's contenders")
    twins = (name_of(control).twin for control in controls)
    return Block(
        contenders=(*form["contenders"], *twins),
        scenarios=tuple(form["scenarios"]),
        loads=tuple(read_load(f"{where}.loads", load) for load in form["loads"]),
        reference=reference,
    )


AUTO = "auto"  # rounds, as many as the spread of a pilot needs; windows, as long as answers need
AUTO_PILOT = 9
AUTO_BUDGET_S = 600.0
AUTO_WINDOW_S, AUTO_LEAD_IN_S = 0.12, 0.03  # where answers take a few ms
LONGEST_WINDOW_S = 30.0


@with_config(STRICT)
class _Required(TypedDict):
    reference: str
    rounds: int | str
    sweeps: int
    window_s: float | str
    block: list[BlockForm]


@with_config(STRICT)
class MarginsForm(TypedDict, total=False):
    """Changes too small to act on, by metric: 0.05 is 5 %."""

    throughput_rps: float
    service_demand_us: float


@with_config(STRICT)
class PlanForm(_Required, total=False):
    about: str
    lead_in_s: float
    warm_up_s: float
    seed: int
    slo_ms: float
    margins: MarginsForm
    spare_sweeps: int
    longest_window_s: float
    budget_s: float
    load_workers: int
    claim: list[ClaimForm]
    evidence: list[InquiryForm]
    choice: list[ChoiceForm]


def names(root: Path) -> list[str]:
    return sorted(file.stem for file in root.glob("plans/*.toml"))


def read(root: Path, name: str) -> Plan:
    """Return the plan called *name*; raises UsageError that names near misses, or file and key."""
    file = root / "plans" / f"{name}.toml"
    if name not in names(root):
        raise UsageError(f"unknown plan {name}{near_miss(name, names(root))}")
    form = read_toml(file, PlanForm)
    blocks = read_blocks(file, form["block"])
    inquiries = read_inquiries(file, form.get("evidence", []))
    window_s, longest_s = _windows(file, form)
    claims = read_claims(file, form.get("claim", []), blocks, inquiries)
    plan = Plan(
        name=name,
        about=form.get("about", ""),
        blocks=blocks,
        reference=form["reference"],
        rounds=_rounds(file, form["rounds"]),
        sweeps=form["sweeps"],
        lead_in_s=form.get("lead_in_s", AUTO_LEAD_IN_S if form["window_s"] == AUTO else 0.1),
        window_s=window_s,
        warm_up_s=form.get("warm_up_s", 0.7),
        seed=form.get("seed", 1),
        budget_s=_budget_s(file, form),
        spare_sweeps=form.get("spare_sweeps", 2),
        longest_window_s=longest_s,
        load_workers=form.get("load_workers", 1),
        slo_ms=form.get("slo_ms"),
        margins={**MARGINS, **_margins(file, form.get("margins", {}))},
        claims=claims,
        inquiries=inquiries,
        choices=read_choices(file, form.get("choice", []), inquiries, claims),
    )
    for key in ("rounds", "sweeps", "window_s", "slo_ms", "budget_s", "load_workers"):
        if (value := getattr(plan, key)) is not None and value <= 0:
            raise UsageError(f"{file}: {key}: must be more than 0")
    for key in ("lead_in_s", "warm_up_s", "spare_sweeps"):
        if getattr(plan, key) < 0:
            raise UsageError(f"{file}: {key}: must not be negative")
    return plan


def _rounds(file: Path, rounds: int | str) -> int:
    if isinstance(rounds, int):
        return rounds
    if rounds != AUTO:
        raise UsageError(f'{file}: rounds: a whole number, or "{AUTO}"')
    return AUTO_PILOT


def _windows(file: Path, form: PlanForm) -> tuple[float, float | None]:
    window_s, longest_s = form["window_s"], form.get("longest_window_s")
    if isinstance(window_s, str):
        if window_s != AUTO:
            raise UsageError(f'{file}: window_s: seconds, or "{AUTO}"')
        window_s, longest_s = AUTO_WINDOW_S, LONGEST_WINDOW_S if longest_s is None else longest_s
    if longest_s is not None and longest_s < window_s:
        raise UsageError(f"{file}: longest_window_s: must not be less than window_s, {window_s:g}")
    return window_s, longest_s


def _budget_s(file: Path, form: PlanForm) -> float | None:
    if form["rounds"] == AUTO:
        return form.get("budget_s", AUTO_BUDGET_S)
    if "budget_s" in form:
        raise UsageError(f'{file}: budget_s: goes with rounds = "{AUTO}"')
    return None


def _margins(file: Path, form: MarginsForm) -> dict[str, float]:
    margins = {metric: float(margin) for metric, margin in form.items() if isinstance(margin, int | float)}
    for metric, margin in margins.items():
        if not 0 < margin < 1:
            raise UsageError(f"{file}: margins.{metric}: must be between 0 and 1; 0.05 is 5 %")
    return margins


def contenders(plan: Plan, tables: Mapping[str, Declared]) -> dict[str, Contender]:
    """Return every contender that *plan* measures, then those of evidence only; raises UsageError."""
    measured = (name for block in plan.blocks for name in block.contenders)
    looked_at = (name for inquiry in plan.inquiries for name in inquiry.contenders)
    return {name: resolve(name, tables) for name in dict.fromkeys((*measured, *looked_at))}


def scenarios(plan: Plan, known: Mapping[str, Scenario]) -> dict[str, Scenario]:
    """Return every scenario that *plan* names, in order of appearance; raises UsageError."""
    named = dict.fromkeys(name for block in plan.blocks for name in block.scenarios)
    for name in named:
        if name not in known:
            raise UsageError(f"plan {plan.name}: unknown scenario {name}{near_miss(name, sorted(known))}")
    return {name: known[name] for name in named}
