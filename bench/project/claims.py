"""Claims as plans write them, the evidence they stand on, and the choices that follow."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, Required

from pydantic import with_config
from typing_extensions import TypedDict

from bench.errors import UsageError
from bench.files import STRICT, near_miss
from bench.model import MARGINS, WITHIN, Block, Choice, Claim, ClaimedFigure, ClaimedRatio, Ground, Inquiry


@with_config(STRICT)
class InquiryForm(TypedDict):
    """One [[evidence]]: a topic of apps/evidence, its question, and its contenders."""

    topic: str
    asks: str
    contenders: list[str]


@with_config(STRICT)
class GroundForm(TypedDict):
    """A stated finding about a contender that an [[evidence]] of that topic names."""

    topic: str
    contender: str
    outcome: Literal["yes", "partly", "no"]


@with_config(STRICT)
class ChoiceForm(TypedDict, total=False):
    """One [[choice]]: advice, with the evidence and the claims that it depends on."""

    choose: Required[str]
    when: Required[str]
    because: list[GroundForm]
    claims: list[str]


def read_inquiries(file: Path, forms: Sequence[InquiryForm]) -> tuple[Inquiry, ...]:
    """Return the inquiries of the plan in *file*; raises UsageError that names file and key."""
    for number, form in enumerate(forms):
        if not form["contenders"]:
            raise UsageError(f"{file}: evidence.{number}.contenders: at least one")
        if form["topic"] in [other["topic"] for other in forms[:number]]:
            raise UsageError(f"{file}: evidence.{number}.topic: {form['topic']} is asked for twice")
    return tuple(
        Inquiry(topic=form["topic"], asks=form["asks"], contenders=tuple(form["contenders"]))
        for form in forms
    )


def read_ground(where: str, form: GroundForm, inquiries: Sequence[Inquiry]) -> Ground:
    """Return the ground of *form*; raises UsageError if none of *inquiries* looks for it."""
    asked = {inquiry.topic: inquiry.contenders for inquiry in inquiries}
    topic, contender = form["topic"], form["contender"]
    if topic not in asked:
        raise UsageError(f"{where}.topic: the plan has no evidence {topic}{near_miss(topic, sorted(asked))}")
    if contender not in asked[topic]:
        near = near_miss(contender, sorted(asked[topic]))
        raise UsageError(f"{where}.contender: evidence {topic} does not ask {contender}{near}")
    return Ground(topic=topic, contender=contender, outcome=form["outcome"])


def read_choices(
    file: Path, forms: Sequence[ChoiceForm], inquiries: Sequence[Inquiry], claims: Sequence[Claim]
) -> tuple[Choice, ...]:
    """Return the choices of the plan in *file*; raises UsageError if one has no ground in the plan."""
    known = sorted({claim.says for claim in claims})
    choices = []
    for number, form in enumerate(forms):
        where = f"{file}: choice.{number}"
        grounds = [
            read_ground(f"{where}.because.{place}", ground, inquiries)
            for place, ground in enumerate(form.get("because", []))
        ]
        for words in form.get("claims", []):
            if words not in known:
                raise UsageError(
                    f"{where}.claims: the plan does not claim {words!r}{near_miss(words, known)}"
                )
        if not grounds and not form.get("claims"):
            raise UsageError(f"{where}: needs because or claims: advice without a ground is an opinion")
        choices.append(
            Choice(
                choose=form["choose"],
                when=form["when"],
                because=tuple(grounds),
                claims=tuple(form.get("claims", [])),
            )
        )
    return tuple(choices)


KINDS = ("figure", "ratio", "evidence", "needs")


@with_config(STRICT)
class FigureForm(TypedDict, total=False):
    """Requests per second of a contender, and the time of one."""

    contender: Required[str]
    scenario: Required[str]
    throughput_rps: Required[float]
    latency_ms: float
    within: float
    connections: int


@with_config(STRICT)
class RatioForm(TypedDict, total=False):
    """A contender relative to another one: *about* (give or take *within*), or *at_least*."""

    contender: Required[str]
    reference: Required[str]
    scenario: Required[str]
    metric: str
    about: float
    within: float
    at_least: float
    connections: int


@with_config(STRICT)
class ClaimForm(TypedDict, total=False):
    """One [[claim]]: its words and source, and one of figure, ratio, evidence, needs."""

    says: Required[str]
    source: Required[str]
    figure: FigureForm
    ratio: RatioForm
    evidence: GroundForm
    needs: str


def read_claims(
    file: Path, forms: Sequence[ClaimForm], blocks: Sequence[Block], inquiries: Sequence[Inquiry]
) -> tuple[Claim, ...]:
    """Return the claims of the plan in *file*; raises UsageError that names file and key.

    A figure or ratio is of contenders that *blocks* measure side by side under a closed load. It is the only
    such load, or the one whose `connections` it names. Evidence is on the topics of *inquiries*.
    """
    return tuple(
        _claim(f"{file}: claim.{number}", form, blocks, inquiries) for number, form in enumerate(forms)
    )


def _claim(where: str, form: ClaimForm, blocks: Sequence[Block], inquiries: Sequence[Inquiry]) -> Claim:
    for key in ("says", "source", "needs"):
        if key in form and not str(form.get(key)).strip():
            raise UsageError(f"{where}.{key}: must not be empty")
    if sum(kind in form for kind in KINDS) != 1:
        raise UsageError(f"{where}: needs exactly one of {', '.join(KINDS)}")
    return Claim(
        says=form["says"],
        source=form["source"],
        figure=_figure(f"{where}.figure", form["figure"], blocks) if "figure" in form else None,
        ratio=_ratio(f"{where}.ratio", form["ratio"], blocks) if "ratio" in form else None,
        evidence=(
            read_ground(f"{where}.evidence", form["evidence"], inquiries) if "evidence" in form else None
        ),
        needs=form.get("needs", ""),
    )


def _figure(where: str, form: FigureForm, blocks: Sequence[Block]) -> ClaimedFigure:
    _check_numbers(where, form)
    _check_name(where, "contender", form["contender"], _contenders(blocks))
    return ClaimedFigure(
        contender=form["contender"],
        scenario=form["scenario"],
        connections=_connections(where, form, (form["contender"],), blocks),
        throughput_rps=form["throughput_rps"],
        latency_ms=form.get("latency_ms"),
        within=form.get("within", WITHIN),
    )


def _ratio(where: str, form: RatioForm, blocks: Sequence[Block]) -> ClaimedRatio:
    _check_numbers(where, form)
    contender, reference, metric = form["contender"], form["reference"], form.get("metric", "throughput_rps")
    _check_name(where, "contender", contender, _contenders(blocks))
    _check_name(where, "reference", reference, _contenders(blocks))
    _check_name(where, "metric", metric, list(MARGINS))
    if contender == reference:
        raise UsageError(f"{where}.reference: another one than the contender")
    if ("about" in form) == ("at_least" in form):
        raise UsageError(f"{where}: needs about or at_least, and not both")
    if "within" in form and "about" not in form:
        raise UsageError(f"{where}.within: goes with about")
    return ClaimedRatio(
        contender=contender,
        reference=reference,
        scenario=form["scenario"],
        connections=_connections(where, form, (contender, reference), blocks),
        metric="throughput_rps" if metric == "throughput_rps" else "service_demand_us",
        about=form.get("about"),
        within=form.get("within", WITHIN),
        at_least=form.get("at_least"),
    )


def _connections(
    where: str, form: FigureForm | RatioForm, names: Collection[str], blocks: Sequence[Block]
) -> int:
    scenario = form["scenario"]
    _check_name(where, "scenario", scenario, [name for block in blocks for name in block.scenarios])
    beside: dict[int, set[str]] = {}
    for block in blocks:
        closed = [load.connections for load in block.loads if load.kind == "closed"]
        for connections in closed if scenario in block.scenarios else ():
            beside.setdefault(connections, set()).update(block.contenders)
    possible = sorted(connections for connections, members in beside.items() if members.issuperset(names))
    if not possible:
        raise UsageError(f"{where}: no block asks {' and '.join(names)} for {scenario} under a closed load")
    asked = form.get("connections", possible[0] if len(possible) == 1 else None)
    if asked not in possible:
        raise UsageError(f"{where}.connections: one of {', '.join(map(str, possible))}, as in the plan")
    return asked


def _contenders(blocks: Sequence[Block]) -> list[str]:
    return [name for block in blocks for name in block.contenders]


def _check_name(where: str, key: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise UsageError(f"{where}.{key}: the plan has no {name}{near_miss(name, sorted(set(known)))}")


def _check_numbers(where: str, form: FigureForm | RatioForm) -> None:
    for key in ("throughput_rps", "latency_ms", "about", "at_least"):
        value = form.get(key)
        if isinstance(value, int | float) and not 0 < value < math.inf:
            raise UsageError(f"{where}.{key}: must be a number above 0")
    if not 0 < form.get("within", WITHIN) < 1:
        raise UsageError(f"{where}.within: must be between 0 and 1; 0.25 is 25 %")
