"""Values of Python expressions as requests have them. Nothing is executed.

A text may hold placeholders of drawn fields. What is neither constant nor simply random is Unknown.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.init.draft import field_name

MOST_CONSTANT = 10_000  # items of a list or range
_PERCENT = re.compile(r"%(?:%|(?:\((\w+)\))?[sdi])")
_FORMAT = re.compile(r"\{(\w*)\}")


class Unknown(Exception):
    """An expression that cannot be translated; says which."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A random value. One object is one value: used twice in a request, it is the same field."""

    generator: Mapping[str, Any]
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerPart:
    """An answer, or a part of it. *save*: makes a variable of a place in it, and returns its name."""

    save: Callable[[str, str], str]  # place, suggested name
    path: str = ""  # "json:user.token", "header:", "header:Location"; "": all of it
    name: str = ""


@dataclass(frozen=True, slots=True)
class Json:
    """A text that is JSON of this content."""

    content: Any


@dataclass(slots=True, eq=False)
class Fields:
    """The fields of a request while it is put together. *uses*: saved variables in it."""

    generators: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    uses: list[str] = field(default_factory=list)
    _names: dict[int, str] = field(default_factory=dict)

    def plain(self, value: Any) -> Any:
        """Return *value* as JSON, with placeholders for what is drawn or saved."""
        match value:
            case Drawn():
                return self._placeholder(value)
            case AnswerPart():
                return self._saved(value)
            case Text():
                return "".join(self.text(part) for part in value.parts)
            case Mapping():
                return {str(key): self.plain(one) for key, one in value.items()}
            case list() | tuple():
                return [self.plain(one) for one in value]
            case str() | int() | float() | None:
                return value
        raise Unknown("a value that is no JSON")

    def text(self, value: Any) -> str:
        plain = self.plain(value)
        return plain if isinstance(plain, str) else str(plain)

    def _placeholder(self, drawn: Drawn) -> str:
        name = self._names.get(id(drawn))
        if name is None:
            name = field_name(drawn.name or "n", {*self.generators, *self.uses})
            self._names[id(drawn)] = name
            self.generators[name] = drawn.generator
        return f"{{{name}}}"

    def _saved(self, answer: AnswerPart) -> str:
        if not answer.path or answer.path.endswith(":"):
            raise Unknown("a whole answer as a value")
        name = answer.save(answer.path.removeprefix("json:"), answer.name)
        self.uses.append(name)
        return f"{{{name}}}"


@dataclass(frozen=True, slots=True)
class Text:
    """A text of several parts, some of them drawn."""

    parts: tuple[Any, ...]


Scope = Mapping[str, Any]  # name, or "self.name" → value


def value_of(node: ast.expr, scope: Scope) -> Any:
    """Return the value of an expression. Raises Unknown with its source."""
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Name(id=name) if name in scope:
            return scope[name]
        case ast.Attribute(value=ast.Name(id=("self" | "l" | "user") as owner), attr=name) if (
            f"self.{name}" in scope and owner
        ):
            return scope[f"self.{name}"]
        case ast.JoinedStr(values=parts):
            return Text(tuple(_part(part, scope) for part in parts))
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {
                str(value_of(key, scope)): value_of(one, scope)
                for key, one in zip(keys, values, strict=True)
                if key
            }
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [value_of(part, scope) for part in parts]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _sum(value_of(left, scope), value_of(right, scope), node)
        case ast.BinOp(left=left, op=ast.Mod(), right=right):
            return _percent(value_of(left, scope), value_of(right, scope), node)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = value_of(operand, scope)
            if isinstance(value, int | float):
                return -value
        case ast.Subscript(value=inner, slice=key):
            return _item(value_of(inner, scope), value_of(key, scope), node)
        case ast.Attribute(value=inner, attr=("headers" | "cookies") as what):
            answer = value_of(inner, scope)
            if isinstance(answer, AnswerPart) and not answer.path:
                return AnswerPart(answer.save, f"{what.removesuffix('s')}:")
        case ast.Call():
            return _call(node, scope)
    raise Unknown(source_of(node))


def source_of(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 80 else text[:80] + "…"


def _part(node: ast.expr, scope: Scope) -> Any:
    if isinstance(node, ast.FormattedValue):
        if node.format_spec is not None or node.conversion not in (-1, ord("s")):
            raise Unknown(source_of(node))
        return value_of(node.value, scope)
    return value_of(node, scope)


def _sum(left: Any, right: Any, node: ast.expr) -> Any:
    texts = (str, Text)
    if isinstance(left, texts) or isinstance(right, texts):
        return Text((left, right))
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + right
    raise Unknown(source_of(node))


def _percent(template: Any, values: Any, node: ast.expr) -> Text:
    if not isinstance(template, str):
        raise Unknown(source_of(node))
    given = iter(values if isinstance(values, list) else [values])

    def one(found: "re.Match[str]") -> Any:
        if found[0] == "%%":
            return "%"
        if found[1]:
            return _item(values, found[1], node)
        try:
            return next(given)
        except StopIteration:
            raise Unknown(source_of(node)) from None

    return _woven(template, _PERCENT, one)


def _woven(template: str, holes: "re.Pattern[str]", fill: Callable[["re.Match[str]"], Any]) -> Text:
    parts, at = [], 0
    for found in holes.finditer(template):
        parts += [template[at : found.start()], fill(found)]
        at = found.end()
    return Text((*parts, template[at:]))


def _item(owner: Any, key: Any, node: ast.expr) -> Any:
    if isinstance(owner, AnswerPart) and owner.path and isinstance(key, str | int):
        joined = "" if owner.path.endswith(":") else "."
        name = key if isinstance(key, str) else owner.name
        return AnswerPart(owner.save, f"{owner.path}{joined}{key}", name)
    try:
        return owner[key]
    except (TypeError, KeyError, IndexError):
        raise Unknown(source_of(node)) from None


def _call(node: ast.Call, scope: Scope) -> Any:
    if node.keywords:
        return _formatted(node, scope)
    match node.func, node.args:
        case ast.Attribute(attr="json"), []:
            answer = value_of(node.func.value, scope)
            if isinstance(answer, AnswerPart) and not answer.path:
                return AnswerPart(answer.save, "json:")
        case ast.Attribute(attr="get"), [key] | [key, _]:
            return _item(value_of(node.func.value, scope), value_of(key, scope), node)
        case ast.Attribute(attr="format"), _:
            return _formatted(node, scope)
        case ast.Attribute(attr="dumps"), [content]:
            return Json(value_of(content, scope))
        case ast.Name(id="str"), [inner]:
            return Text((value_of(inner, scope),))
        case ast.Name(id="int"), [inner]:
            return value_of(inner, scope)
        case ast.Name(id="range" | "list" | "tuple"), args:
            return _sequence(node, [value_of(one, scope) for one in args])
    drawn = _drawn(node, scope)
    if drawn is None:
        raise Unknown(source_of(node))
    return drawn


def _sequence(node: ast.Call, args: list[Any]) -> list[Any]:
    if len(args) == 1 and isinstance(args[0], list):
        return args[0]
    if source_of(node.func) == "range" and 1 <= len(args) <= 3 and all(type(one) is int for one in args):
        try:
            numbers = range(*args)
        except ValueError:
            raise Unknown(source_of(node)) from None
        if len(numbers) <= MOST_CONSTANT:
            return list(numbers)
    raise Unknown(source_of(node))


def _drawn(node: ast.Call, scope: Scope) -> Drawn | None:
    """Return what a call of `random` or `uuid` draws, None for another call."""
    called = source_of(node.func).rpartition(".")[2]
    if called == "uuid4" and not node.args:
        return Drawn({"uuid": True}, "uuid")
    if called not in ("randint", "randrange", "choice"):
        return None
    args = [value_of(one, scope) for one in node.args]
    match called, args:
        case "randint", [int(low), int(high)] if low <= high:
            return Drawn({"integer": [low, high]})
        case "randrange", [int(high)] if high > 0:
            return Drawn({"integer": [0, high - 1]})
        case "randrange", [int(low), int(high)] if low < high:
            return Drawn({"integer": [low, high - 1]})
        case "choice", [list() | str() as values] if values:
            return drawn_from(list(values))
    return None


def drawn_from(values: list[Any], name: str = "") -> Drawn:
    """Return a value that is one of *values*. Raises Unknown."""
    if not all(isinstance(one, str | int | float) for one in values):
        raise Unknown("a choice of values that are neither texts nor numbers")
    whole = [one for one in values if type(one) is int]
    if len(whole) == len(values) > 1 and whole == list(range(whole[0], whole[-1] + 1)):
        return Drawn({"integer": [whole[0], whole[-1]]}, name)
    return Drawn({"values": values}, name)


def _formatted(node: ast.Call, scope: Scope) -> Any:
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "format":
        raise Unknown(source_of(node))
    template = value_of(node.func.value, scope)
    if not isinstance(template, str) or "{{" in template:
        raise Unknown(source_of(node))
    given = [value_of(one, scope) for one in node.args]
    named = {one.arg: value_of(one.value, scope) for one in node.keywords}
    numbers = iter(range(len(given) + 1))

    def one(found: "re.Match[str]") -> Any:
        if found[1] and not found[1].isdigit():
            return _item(named, found[1], node)
        return _item(given, int(found[1]) if found[1] else next(numbers, -1), node)

    return _woven(template, _FORMAT, one)
