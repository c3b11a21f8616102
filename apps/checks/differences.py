"""What is expected against what came, in one line."""

import json
from collections.abc import Iterator
from enum import Enum
from itertools import zip_longest
from typing import Any, NoReturn

import pytest


class Mark(Enum):
    """What stands for a value where JSON has no word for it."""

    ANYTHING = "anything"
    NOTHING = "nothing"


ANYTHING, NOTHING = Mark


def differs(request: str, expected: str, got: str) -> NoReturn:
    """Fail the check with one line."""
    pytest.fail(f"{request}: expected {expected}, got {got}", pytrace=False)


def expect(request: str, expected: Any, got: Any) -> None:
    """Fail unless *got* is the same JSON as *expected*, in which ANYTHING stands for any value."""
    for where, wanted, found in _differences(expected, got):
        differs(request, f"{where} = {shown(wanted)}" if where else shown(wanted), shown(found))


def shown(value: Any, limit: int = 200) -> str:
    """Return *value* on one line, shortened."""
    match value:
        case Mark():
            return value.value
        case bytes():
            text = value.decode(errors="backslashreplace")
        case _:
            text = json.dumps(value, ensure_ascii=False, default=lambda mark: mark.value)
    line = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text[:limit].strip())
    return f"{line}…" if len(text) > limit else line


def _differences(expected: Any, got: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (where, expected, got) depth first; strict about types, since True == 1 == 1.0 in Python."""
    if expected is ANYTHING and got is not NOTHING:
        return
    if type(expected) is not type(got):
        yield where, expected, got
    elif isinstance(expected, dict):
        for key in expected | got:
            inside = f"{where}.{key}".lstrip(".")
            yield from _differences(expected.get(key, NOTHING), got.get(key, NOTHING), inside)
    elif isinstance(expected, list):
        for position, pair in enumerate(zip_longest(expected, got, fillvalue=NOTHING)):
            yield from _differences(*pair, f"{where}[{position}]")
    elif expected != got:
        yield where, expected, got
