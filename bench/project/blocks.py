"""Blocks as plans write them: contenders × scenarios × loads that are measured side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Required  # pydantic needs this one below Python 3.12

from pydantic import with_config
from typing_extensions import TypedDict

from bench.errors import UsageError
from bench.files import STRICT
from bench.model import Block, name_of
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
