"""A small part of CSS selectors: one element by tag, id, classes and attributes, and what is taken of it."""

import re
from dataclasses import dataclass

_HOW = 'write one element, as in "css:input[name=csrfmiddlewaretoken]@value"'
_TAG = re.compile(r"\*|[A-Za-z][\w-]*", re.ASCII)
_ID_OR_CLASS = re.compile(r"([#.])(-?[A-Za-z_][\w-]*)", re.ASCII)
_ATTRIBUTE = re.compile(
    r"""\[\s*([A-Za-z_][\w.:-]*)\s*(?:=\s*(?:"([^"]*)"|'([^']*)'|([\w./:-]+))\s*)?\]""", re.ASCII
)
_OTHER_OPERATOR = re.compile(r"\[[^\]=]*([~|^$*]=)")
_TAKEN = re.compile(r"@([A-Za-z_][\w.:-]*)", re.ASCII)
_OTHERS = {
    ":": "a pseudo-class",
    ",": "a list of selectors",
    " ": "a descendant",
    ">": "a child",
    "+": "a sibling",
    "~": "a sibling",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """An element, and the attribute whose value is taken: "" for its text."""

    tag: str = ""  # in lower case; "": any
    attributes: tuple[tuple[str, str | None], ...] = ()  # name in lower case, value; None: any value
    classes: tuple[str, ...] = ()
    taken: str = ""

    def matches(self, tag: str, attributes: dict[str, str]) -> bool:
        """Return whether an element of *tag* with *attributes* (names in lower case) is meant."""
        return (
            self.tag in ("", tag)
            and all(
                name in attributes and value in (None, attributes[name]) for name, value in self.attributes
            )
            and set(self.classes).issubset(attributes.get("class", "").split() if self.classes else ())
            and (not self.taken or self.taken in attributes)
        )


def selector(text: str) -> Selector:
    """Return the selector that *text* stands for. Raises ValueError that names what is not known here."""
    tag, at = "", 0
    if found := _TAG.match(text):
        tag, at = found[0].lower().removeprefix("*"), found.end()
    attributes: list[tuple[str, str | None]] = []
    classes: list[str] = []
    while at < len(text) and text[at] != "@":
        if found := _ID_OR_CLASS.match(text, at):
            if found[1] == "#":
                attributes.append(("id", found[2]))
            else:
                classes.append(found[2])
        elif found := _ATTRIBUTE.match(text, at):
            values = (one for one in found.groups()[1:] if one is not None)
            attributes.append((found[1].lower(), next(values, None)))
        else:
            raise ValueError(f"{_unknown(text, at)}: {_HOW}")
        at = found.end()
    taken = _TAKEN.fullmatch(text, at) if at < len(text) else None
    if not at or (at < len(text) and taken is None):
        raise ValueError(f"{text!r} cannot be read: {_HOW}")
    return Selector(
        tag=tag,
        attributes=tuple(attributes),
        classes=tuple(classes),
        taken=taken[1].lower() if taken else "",
    )


def _unknown(text: str, at: int) -> str:
    if other := _OTHER_OPERATOR.match(text, at):
        return f"{text!r}: {other[1]} is not known here"
    rest = text[at:].strip()
    mark = rest[:1] if rest[:1] in _OTHERS else text[at]
    if mark in _OTHERS:
        return f"{text!r}: {_OTHERS[mark]} ({mark!r}) is not known here"
    return f"{text!r} cannot be read from {text[at:]!r} on"
