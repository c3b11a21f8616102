"""Regular expressions that find a value in a page: checked, with an example that the null server answers."""

import re
from collections.abc import Sequence
from typing import Any

_UNBOUNDED = 1_000  # so many repeats are as good as any number
_CANDIDATES = "1aA0_-./ :=\"'<>&;,!?+*%#@\n\t"
_WORD = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def example_of(pattern: str) -> tuple[str, str]:
    """Return a short text that *pattern* matches, and the value that it finds there.

    Raises ValueError if there is none, or if a search could take forever.
    """
    try:
        compiled = re.compile(pattern)
        tree = re._parser.parse(pattern)  # type: ignore[attr-defined]
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"no regular expression: {error}") from error
    if compiled.groups > 1:
        raise ValueError("it has several groups: one shows the value, write others as (?:…)")
    text = _written(tree, within=False)
    found = compiled.search(text)
    if found is None:
        raise ValueError("no example of it can be made: write plain text around one group")
    value = found[compiled.groups]
    if value is None:
        raise ValueError("its group may be left out: write it so that it is always there")
    return text, value


def _written(tree: Sequence[Any], *, within: bool) -> str:
    """Return an example of *tree*. *within*: it is inside of an unbounded repeat."""
    return "".join(_one(str(kind), about, within=within) for kind, about in tree)


def _one(kind: str, about: Any, *, within: bool) -> str:
    match kind:
        case "LITERAL":
            return chr(about)
        case "NOT_LITERAL":
            return next(one for one in _CANDIDATES if ord(one) != about)
        case "ANY":
            return "1"
        case "IN":
            return _of_set(about)
        case "BRANCH":
            if within:
                raise ValueError("a choice inside of a repeat: a search could take forever, write one")
            written: list[str] = [_written(one, within=within) for one in about[1]]
            return written[0]
        case "SUBPATTERN" | "ATOMIC_GROUP":
            return _written(about[-1] if kind == "SUBPATTERN" else about, within=within)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, high, repeated = about
            unbounded = int(high) >= _UNBOUNDED
            if unbounded and within:
                raise ValueError("a repeat inside of a repeat: a search could take forever, write one")
            count = max(low, min(1, int(high)))
            if count > _UNBOUNDED:
                raise ValueError(f"it repeats {count:,} times: {_UNBOUNDED:,} are allowed")
            return _written(repeated, within=within or unbounded) * int(count)
    names = {"AT": "an anchor", "GROUPREF": "a reference to a group"}
    name = names.get(kind, "a look ahead or behind" if kind.startswith("ASSERT") else kind.lower())
    raise ValueError(f"{name} is not known here: write plain text around one group")


def _of_set(items: Sequence[Any]) -> str:
    negated = str(items[0][0]) == "NEGATE"
    members = [(str(kind), about) for kind, about in items[negated:]]
    near = [chr(about) for kind, about in members if kind == "LITERAL"]
    near += [chr(about[0]) for kind, about in members if kind == "RANGE"]
    candidates: list[str] = [*_CANDIDATES, *near]
    for candidate in candidates:
        if any(_is_in(candidate, kind, about) for kind, about in members) != negated:
            return candidate
    raise ValueError("no example of a set of characters can be made: write a simpler one")


def _is_in(one: str, kind: str, about: Any) -> bool:
    match kind:
        case "LITERAL":
            return bool(ord(one) == about)
        case "RANGE":
            return bool(about[0] <= ord(one) <= about[1])
    name = str(about)
    sets = {"DIGIT": one.isdigit(), "SPACE": one.isspace(), "WORD": one in _WORD}
    inside = next((is_in for word, is_in in sets.items() if name.endswith(word)), False)
    return bool(inside) is not ("NOT_" in name)
