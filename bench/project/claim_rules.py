"""Claims of a plan, the evidence they stand on, and the choices that follow: held to the plan they are in."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidatorFunctionWrapHandler

from bench.errors import UsageError
from bench.files import check_known
from bench.loads import Closed
from bench.model.claim import CHOICES, RATIO, Choice, Claim, ClaimedFigure, ClaimedRatio, Ground, Inquiry
from bench.model.plan import Block

Claimed = TypeVar("Claimed", ClaimedFigure, ClaimedRatio)
KINDS = ("figure", "ratio", "evidence", "needs")  # of claims


def distinct(inquiries: tuple[Inquiry, ...]) -> tuple[Inquiry, ...]:
    topics = [inquiry.topic for inquiry in inquiries]
    for number, topic in enumerate(topics):
        if topic in topics[:number]:
            raise ValueError(number, "topic", f"{topic} is listed twice")
    return inquiries


def grounded(choice: Choice) -> Choice:
    if not choice.because and not choice.claims:
        raise ValueError("needs because or claims: advice without a ground is an opinion")
    return choice


def of_one_kind(written: Any, handler: ValidatorFunctionWrapHandler) -> Claim:
    """Return the claim *written*. What contradicts is its keys: a value may be the same as its default."""
    claim: Claim = handler(written)
    kinds = [kind for kind in KINDS if kind in written]
    if len(kinds) != 1 or (kinds == ["needs"] and not claim.needs.strip()):
        raise ValueError(f"needs exactly one of {', '.join(KINDS)}, not empty")
    ratio = claim.ratio
    if ratio and ratio.contender == ratio.reference:
        raise ValueError("ratio", "reference", "another one than the contender")
    if ratio and (ratio.about is None) == (ratio.at_least is None):
        raise ValueError("ratio", "needs about or at_least, and not both")
    if ratio and ratio.about is None and "within" in written["ratio"]:
        raise ValueError("ratio", "within", "goes with about")
    _check_place(claim)
    return claim


def _check_place(claim: Claim) -> None:
    """Raise ValueError if what is claimed cannot stand where it is said to."""
    if claim.at is None:
        return
    if claim.figure and claim.at.column:
        raise ValueError("at", "column", "a figure has columns of its own")
    if (claim.ratio or claim.evidence) and not claim.at.column:
        raise ValueError("at", "column", "is missing")
    if claim.at.found and not claim.needs:
        raise ValueError("at", "found", "goes with needs: other claims have a finding of their own")


def check_choices(
    file: Path, choices: Sequence[Choice], inquiries: Sequence[Inquiry], claims: Sequence[Claim]
) -> None:
    """Raise UsageError if one of *choices* has no ground in the plan in *file*."""
    known = {claim.says for claim in claims}
    for number, choice in enumerate(choices):
        where = f"{file}: choice.{number}"
        for place, ground in enumerate(choice.because):
            _check_ground(f"{where}.because.{place}", ground, inquiries)
        for words in choice.claims:
            check_known(words, known, f"{where}.claims: the plan does not claim {words!r}")


def placed(
    file: Path, claims: Sequence[Claim], blocks: Sequence[Block], inquiries: Sequence[Inquiry]
) -> tuple[Claim, ...]:
    """Return *claims* of the plan in *file* with their connections; raises UsageError that names the key.

    A figure or ratio is of contenders that *blocks* measure side by side under a closed load. It is the only
    such load, or the one whose `connections` it names. Evidence is on the topics of *inquiries*.
    """
    found = []
    for number, claim in enumerate(claims):
        where = f"{file}: claim.{number}"
        if claim.evidence:
            _check_ground(f"{where}.evidence", claim.evidence, inquiries)
        if claim.at and claim.at.found:
            known = (RATIO, CHOICES, *(inquiry.topic for inquiry in inquiries))
            check_known(claim.at.found, known, f"{where}.at.found: the plan has no evidence {claim.at.found}")
        figure = claim.figure and _placed(f"{where}.figure", claim.figure, blocks)
        ratio = claim.ratio and _placed(f"{where}.ratio", claim.ratio, blocks)
        found.append(replace(claim, figure=figure, ratio=ratio))
    return tuple(found)


def _check_ground(where: str, ground: Ground, inquiries: Sequence[Inquiry]) -> None:
    inquired = {inquiry.topic: inquiry.contenders for inquiry in inquiries}
    topic, contender = ground.topic, ground.contender
    check_known(topic, inquired, f"{where}.topic: the plan has no evidence {topic}")
    words = f"{where}.contender: evidence {topic} does not cover {contender}"
    check_known(contender, inquired[topic], words)


def _placed(where: str, claimed: Claimed, blocks: Sequence[Block]) -> Claimed:
    contenders = {one for block in blocks for one in block.contenders}
    scenarios = {one for block in blocks for one in block.scenarios}
    names = [claimed.contender]
    check_known(claimed.contender, contenders, f"{where}.contender: the plan has no {claimed.contender}")
    if isinstance(claimed, ClaimedRatio):
        names.append(claimed.reference)
        check_known(claimed.reference, contenders, f"{where}.reference: the plan has no {claimed.reference}")
    check_known(claimed.scenario, scenarios, f"{where}.scenario: the plan has no {claimed.scenario}")
    return replace(claimed, connections=_connections(where, claimed, names, blocks))


def _connections(
    where: str, claimed: ClaimedFigure | ClaimedRatio, names: Collection[str], blocks: Sequence[Block]
) -> int:
    scenario = claimed.scenario
    beside: dict[int, set[str]] = {}
    for block in blocks:
        closed = [load.connections for load in block.loads if isinstance(load, Closed)]
        for connections in closed if scenario in block.scenarios else ():
            beside.setdefault(connections, set()).update(block.contenders)
    possible = sorted(connections for connections, members in beside.items() if members.issuperset(names))
    if not possible:
        raise UsageError(
            f"{where}: no block measures {' and '.join(names)} in {scenario} under a closed load"
        )
    chosen = claimed.connections or (possible[0] if len(possible) == 1 else 0)
    if chosen not in possible:
        raise UsageError(f"{where}.connections: one of {', '.join(map(str, possible))}, as in the plan")
    return chosen
