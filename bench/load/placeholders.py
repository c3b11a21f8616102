"""Fills placeholders: `{name}` and `{name+1}` stand for values, `{name:text}` for the text of one.

A string that is only one placeholder takes the value with its type, or as a text. In a longer text, braces
around anything else stay as they are: GraphQL and JSON have their own.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from bench.errors import UsageError
from bench.project.scenarios import PLACEHOLDER

AS_TEXT = ":text"
_WHOLE_NUMBER = re.compile(r"-?\d+", re.ASCII)


class Values(dict[str, Any]):
    """Values by placeholder. `name+1` and `name:text` are made from `name`."""

    def __missing__(self, placeholder: str) -> Any:
        if placeholder.endswith(AS_TEXT):
            return as_text(self[placeholder.removesuffix(AS_TEXT)])
        name, plus, step = placeholder.partition("+")
        if not plus:
            raise KeyError(placeholder)
        value = self[name]
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
            return str(int(value) + int(step))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{{{placeholder}}}: {name} is {value!r}, not a number that can be added to")
        return value + int(step)


def filled(node: Any, values: Values) -> Any:
    """Return *node*, any JSON, with its placeholders replaced. Those without a value in *values* stay."""
    if isinstance(node, str):
        whole = PLACEHOLDER.fullmatch(node)
        return values[node[1:-1]] if whole and whole[1] in values else filled_text(node, values)
    if isinstance(node, Mapping):
        return {key: filled(value, values) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [filled(item, values) for item in node]
    return node


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def filled_text(text: str, values: Values, written: Callable[[Any], str] = as_text) -> str:
    """Return *text* with its placeholders replaced by *values*, each converted by *written*."""
    return PLACEHOLDER.sub(
        lambda found: written(values[found[0][1:-1]]) if found[1] in values else found[0], text
    )
