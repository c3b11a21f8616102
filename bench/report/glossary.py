"""The words that a page explains, read from glossary.md beside this file, which is in a wheel too."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

FILE = Path(__file__).with_name("glossary.md")
# The words that a page explains. The others are about the harness.
WORDS = (
    *("contender", "reference", "stack", "check", "scenario", "exchange", "load", "plan"),
    *("round", "sweep", "slice", "lead-in", "warm-up", "window", "control", "fingerprint"),
    *("throughput", "latency", "service time", "lag", "read late"),
    *("as drawn", "queued", "service demand"),
    *("null server", "ceiling", "client-limited", "bound by", "series", "plateau"),
    *("objective", "capacity", "efficiency", "imbalance", "utilisation", "estimate"),
    *("noise floor", "caveat", "void", "statement", "failure", "margin", "tie", "rank"),
    *("verdict", "claim"),
)
# The other words appear too often in sentences, in their everyday sense.
_TELLING = (
    "bound by",
    "caveat",
    "ceiling",
    "client-limited",
    "lag",
    "noise floor",
    "plateau",
    "round",
    "service time",
    "slice",
    "statement",
    "sweep",
    "throughput",
    "verdict",
    "void",
)
_WORDS = re.compile(rf"\b({'|'.join(_TELLING)})(?=s?\b)", re.IGNORECASE)
_ROW = re.compile(r"^\| \*\*(.+?)\*\* \| (.+?) \|", re.MULTILINE)
_MARKUP = re.compile(r"[*`]")
_INTERVAL = re.compile(r"\(\d[\d.,]*–\d[\d.,]*\)")


@cache
def meanings() -> Mapping[str, str]:
    """Return the meaning of each of WORDS as plain text."""
    found = dict(_ROW.findall(FILE.read_text(encoding="utf-8")))
    return {word: _MARKUP.sub("", found[word]) for word in WORDS}


def explained(text: str) -> Markup:
    """Return *text* escaped, with the first use of each explained word linked to its meaning."""
    parts, linked, last = [], set[str](), 0
    for found in _WORDS.finditer(text):
        word = found[1].lower()
        if word not in linked:
            linked.add(word)
            parts += [unbroken(text[last : found.start()]), term(word, found[1])]
            last = found.end()
    return Markup("").join([*parts, unbroken(text[last:])])


def unbroken(text: str) -> Markup:
    """Return *text* escaped, with no line break possible inside an interval."""
    return Markup(_INTERVAL.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


def term(word: str, shown: str = "") -> Markup:
    """Return *shown* as a link to the meaning of *word*, which a script shows beside it."""
    place = anchor(word)
    return Markup('<a class="term" href="#{0}" data-term="{0}">{1}</a>').format(place, shown or word)


def anchor(word: str) -> str:
    return f"word-{word.replace(' ', '-')}"
