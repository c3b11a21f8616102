"""A plan with less than its file has, or with another contender in place of its own."""

from collections.abc import Sequence
from dataclasses import replace

from bench.errors import UsageError
from bench.files import check_known, near_miss
from bench.model import Plan, name_of


def narrowed(
    plan: Plan, contenders: Sequence[str] = (), scenarios: Sequence[str] = (), rounds: int | None = None
) -> Plan:
    """Return *plan* with only what was requested; a base name selects every contender of that base.

    Raises UsageError if nothing of the plan has a requested name.
    """
    there = {name for block in plan.blocks for name in block.contenders}
    kept = {name for name in there if not contenders or {name, name_of(name).base} & set(contenders)}
    for asked in contenders:
        if not any(asked in (name, name_of(name).base) for name in there):
            raise UsageError(f"plan {plan.name} has no contender {asked}{near_miss(asked, sorted(there))}")
    asked_for = {name for block in plan.blocks for name in block.scenarios}
    for asked in scenarios:
        check_known(asked, asked_for, f"plan {plan.name} has no scenario {asked}")
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
