"""Finds values in the text of an answer: hidden fields of forms by a selector, others by a pattern.

Pages are read here, as time must stay linear whatever a server sends: `html.parser` takes minutes for a
megabyte of "<a".
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from bench.project.saves import MISSING
from bench.project.selectors import Selector, selector

LONGEST = 1 << 20  # characters that are looked at
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_RAW = ("script", "style", "textarea", "title")  # no tags inside
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*)")
_KEY = re.compile(r"[\s/]*([^\s/>=]?[^\s/>=]*)")
_EQUALS = re.compile(r"\s*=\s*")
_UNQUOTED = re.compile(r"[^\s>]*")


def found_in(body: bytes, place: str, name: str) -> Any:
    """Return the first value that the selector or pattern *name* finds. MISSING if there is none."""
    text = body[: 4 * LONGEST].decode(errors="replace")[:LONGEST]
    if place == "regex":
        found = _compiled(name).search(text)
        value = found[found.re.groups] if found else None
        return MISSING if value is None else value
    return _selected(text, _selector(name))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def _selector(text: str) -> Selector:
    return selector(text)


def _selected(text: str, wanted: Selector) -> Any:
    tags = _tags(text)
    for tag in tags:
        if not tag.closes and wanted.matches(tag.name, tag.attributes):
            if wanted.taken or tag.name in _VOID:
                return tag.attributes.get(wanted.taken, "")
            return " ".join(_unescaped("".join(_inside(text, tag, tags))).split())
    return MISSING


def _inside(text: str, outer: "_Tag", rest: Iterator["_Tag"]) -> Iterator[str]:
    """Yield the text between the tags of the element that begins with *outer*."""
    depth, at = 1, outer.end
    for tag in rest:
        yield text[at : tag.begin]
        at = tag.end
        if tag.name == outer.name:
            depth += -1 if tag.closes else 1
            if not depth:
                return
    yield text[at:]


@dataclass(slots=True)
class _Tag:
    name: str  # in lower case
    closes: bool
    begin: int
    end: int
    attributes: dict[str, str] = field(default_factory=dict)


def _tags(text: str) -> Iterator[_Tag]:
    """Yield the tags of a page in their order, without those in comments and scripts."""
    at = 0
    while (begin := text.find("<", at)) >= 0:
        if text.startswith(("<!", "<?"), begin):
            mark = "-->" if text.startswith("<!--", begin) else ">"
            if (end := text.find(mark, begin + 2)) < 0:
                return
            at = end + len(mark)
            continue
        named = _TAG.match(text, begin)
        if named is None:
            at = begin + 1
            continue
        tag = _Tag(named[2].lower(), bool(named[1]), begin, named.end())
        if not _read_attributes(text, tag):
            return
        yield tag
        at = tag.end
        if tag.name in _RAW and not tag.closes:
            ended = _end_of(tag.name).search(text, at)
            if ended is None:
                return
            at = ended.start()


def _read_attributes(text: str, tag: _Tag) -> bool:
    """Read the attributes of *tag* up to its end. Return whether it has one."""
    at = tag.end
    while (key := _KEY.match(text, at)) and key.end() < len(text):
        at = key.end()
        if text[at] == ">" and not key[1]:
            tag.end = at + 1
            return True
        value = ""
        if equals := _EQUALS.match(text, at):
            at = equals.end()
            quote = text[at : at + 1]
            if quote in ("'", '"') and quote:
                if (end := text.find(quote, at + 1)) < 0:
                    return False
                value, at = text[at + 1 : end], end + 1
            elif unquoted := _UNQUOTED.match(text, at):
                value, at = unquoted[0], unquoted.end()
        tag.attributes.setdefault(key[1].lower(), _unescaped(value))
    return False


@cache
def _end_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character's number with thousands of digits
        return text
