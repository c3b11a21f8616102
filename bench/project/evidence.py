"""Evidence as plans request it, and the choices that are grounded on what was found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Required  # pydantic needs this one below Python 3.12

from pydantic import with_config
from typing_extensions import TypedDict

from bench.errors import UsageError
from bench.files import STRICT, near_miss
from bench.model import Choice, Claim, Ground, Inquiry


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
