"""What stands for a parameter of an operation: a text, or a field that draws it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor
from typing import Any

from bench.init.draft import CHANGE_ME
from bench.init.openapi_document import MEND, Document
from bench.init.pattern_texts import matching

GUESSED = (1, 100)  # of a number without bounds, or with bounds that are wider than this:
WIDEST = 100_000
_TEXTS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "http://example.com/",
    "byte": "YWJj",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterValue:
    """*drawn*: the field that draws it; None: the text. *lacks*: why it cannot be sent as it is."""

    text: str = ""
    drawn: Mapping[str, Any] | None = None
    guess: str = ""
    lacks: str = ""


def value_of(parameter: Mapping[str, Any], document: Document, where: str) -> ParameterValue:
    """Return what stands for *parameter*: its examples before what its schema admits."""
    try:
        schema = document.schema(parameter.get("schema", {}), where)
        for given in (_examples(parameter, document), _examples(schema, document)):
            if given:
                return _one_of(given)
        if "schema" not in parameter:
            raise LookupError("it has neither a schema nor an example")
        return _generated(schema, document, where)
    except LookupError as error:
        return ParameterValue(text=CHANGE_ME, lacks=f"{parameter['name']}: {error.args[0]}: write a value")


def _examples(node: Mapping[str, Any], document: Document) -> list[Any]:
    if node.get("example") is not None:
        return [node["example"]]
    several = node.get("examples")
    if isinstance(several, Mapping):
        found = [document.mapping(one, "examples").get("value") for one in several.values()]
    else:
        found = several if isinstance(several, list) else []
    return [one for one in found if one is not None]


def _one_of(values: Sequence[Any]) -> ParameterValue:
    plain = [_plain(one) for one in values]
    return ParameterValue(text=str(plain[0])) if len(plain) == 1 else ParameterValue(drawn={"values": plain})


def _plain(value: Any) -> str | int | float:
    if isinstance(value, date):  # YAML has dates; a datetime is one, too
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise LookupError("its example is a list or an object")
    return value


def _generated(schema: Mapping[str, Any], document: Document, where: str) -> ParameterValue:
    if isinstance(schema.get("enum"), list) and (known := [one for one in schema["enum"] if one is not None]):
        return _one_of(known)
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return _one_of([schema[key]])
    kinds = schema.get("type")
    kind = next((one for one in kinds if one != "null"), None) if isinstance(kinds, list) else kinds
    match kind:
        case "integer" | "number":
            return _number(schema, document, where)
        case "boolean":
            return ParameterValue(text="true")
        case "array":
            return _generated(document.schema(schema.get("items", {}), where), document, where)
        case "string" | None:
            return _text(schema)
    raise LookupError(f"a parameter of type {kind} without an example")


def _number(schema: Mapping[str, Any], document: Document, where: str) -> ParameterValue:
    low = _bounds(schema, "minimum", "exclusiveMinimum", document, where)
    high = _bounds(schema, "maximum", "exclusiveMaximum", document, where)
    lowest = max((floor(one) + 1 if outside else ceil(one) for one, outside in low), default=None)
    highest = min((ceil(one) - 1 if outside else floor(one) for one, outside in high), default=None)
    if lowest is None:
        lowest = GUESSED[0] if highest is None else min(GUESSED[0], highest)
    guess = ""
    if highest is None or highest - lowest >= WIDEST:
        bound = "no upper bound" if highest is None else f"{highest} as its upper bound"
        guess, highest = f"guessed: the document has {bound}", lowest + GUESSED[1] - GUESSED[0]
    step = schema.get("multipleOf")
    if isinstance(step, int) and step > 1:
        lowest = highest = ceil(lowest / step) * step
    elif highest < lowest:
        raise LookupError(f"no whole number from {lowest} to {highest}")
    if lowest == highest:
        return ParameterValue(text=str(lowest), guess=guess)
    return ParameterValue(drawn={"integer": [lowest, highest]}, guess=guess)


def _bounds(
    schema: Mapping[str, Any], key: str, exclusive: str, document: Document, where: str
) -> list[tuple[float, bool]]:
    """Return bounds, each with whether it is itself outside: by a flag in 3.0, by its key in 3.1."""
    flag = schema.get(exclusive)
    found = [(schema.get(key), flag is True), (None if isinstance(flag, bool) else flag, True)]
    for bound, _ in found:
        if bound is not None and (not isinstance(bound, int | float) or not abs(bound) <= 2**63):
            raise document.wrong(where, f"{key} {bound!r} is no bound: {MEND}")
    return [(bound, outside) for bound, outside in found if bound is not None]


def _text(schema: Mapping[str, Any]) -> ParameterValue:
    pattern, shape = schema.get("pattern"), schema.get("format")
    least, most = _length(schema, "minLength", 0), _length(schema, "maxLength", 10_000)
    if shape == "uuid":
        return ParameterValue(drawn={"uuid": True}, guess="guessed: random UUIDs, of nothing that exists")
    if isinstance(pattern, str):
        found = matching(pattern, least, most)
        if found is None:
            raise LookupError(f"nothing was found for its pattern {pattern}")
        return ParameterValue(text=found, guess=f"guessed from its pattern {pattern}")
    if shape in _TEXTS:
        return ParameterValue(text=_TEXTS[str(shape)], guess=f"guessed from its format {shape}")
    return ParameterValue(drawn={"letters": max(min(8, most), least, 1)}, guess="guessed: random letters")


def _length(schema: Mapping[str, Any], key: str, unless: int) -> int:
    value = schema.get(key)
    return min(value, 10_000) if isinstance(value, int) else unless
