"""What an exchange saves from its answer: where the value stands, and values inside JSON by their paths."""

import re
from typing import Any, Final

from bench.project.patterns import example_of
from bench.project.selectors import selector

MISSING: Final = object()  # the body has no value at this path

PAGE = ("css", "regex")  # places in the text of an answer
PLACES = ("header", "cookie", *PAGE)

_LIKE_PLACES = ("header", "cookie", "body", "json", "statu", "cs", "regex", "re", "regexp", "xpath")
_HOW = (
    'write a path of keys ("user.token", "items.0.id"), "header:Name", "header:Name?", "cookie:name", '
    '"css:input[name=token]@value" or "regex:token=(\\w+)"'
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # the name of a header, RFC 9110 §5.6.2


def is_source(source: str) -> str:
    """Return *source* if a value can be found by it. Raises ValueError."""
    place, colon, name = source.partition(":")
    if colon and place in PLACES:
        _check_name(source, place, name)
    elif (
        (colon and place.strip().lower().removesuffix("s") in _LIKE_PLACES)
        or not all(source.split("."))
        or source != source.strip()
        or source.startswith("$.")
        or "[" in source
    ):
        raise ValueError(f"{source!r} cannot be read: {_HOW}")
    return source


def _check_name(source: str, place: str, name: str) -> None:
    if place in PAGE:
        try:
            selector(name) if place == "css" else example_of(name)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
    elif not _TOKEN.fullmatch(name.removesuffix("?") if place == "header" else name):
        raise ValueError(f"{source!r} names no {place}: {_HOW}")


def at_path(path: str, content: Any) -> Any:
    """Return the value at *path* (such as items.0.id) in *content*, any JSON. MISSING if there is none.

    A key that itself contains dots takes precedence over a path through objects.
    """
    if isinstance(content, list):
        number, _, rest = path.partition(".")
        if not (number.isascii() and number.isdigit() and int(number) < len(content)):
            return MISSING
        return at_path(rest, content[int(number)]) if rest else content[int(number)]
    if not isinstance(content, dict):
        return MISSING
    if path in content:
        return content[path]
    at = path.find(".")
    while at > 0:
        key, rest = path[:at], path[at + 1 :]
        if key in content and (value := at_path(rest, content[key])) is not MISSING:
            return value
        at = path.find(".", at + 1)
    return MISSING


def place_of(source: str) -> tuple[str, str]:
    """Return where *source* is found (one of PLACES, or "json") and its name there."""
    place, colon, name = source.partition(":")
    return (place, name) if colon and place in PLACES else ("json", source)
