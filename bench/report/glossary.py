"""The words that a page explains, as in docs/glossary.md. A test checks that both are equal.

The page must not need docs/, which is not in a wheel.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from markupsafe import Markup, escape

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "contender": (
            "one fully specified system under test: source tree, variant, interface, server, workers,"
            " environment"
        ),
        "reference": (
            "the contender that ratios are relative to, in the same run; a block of a plan may have its own"
        ),
        "stack": 'what a headline calls a contender: "Flask on gunicorn gthread"',
        "check": "a test of the contract against a URL, in apps/checks/",
        "scenario": "what is asked: exchanges and how often each is drawn",
        "exchange": "one request template and what its response must be",
        "load": "how hard: closed with N connections, or open at a rate",
        "plan": "an experiment as a file",
        "round": "a fresh start of everything; the unit of inference",
        "sweep": "one pass over the contenders of a cell's scenario and load, in random order",
        "slice": "one contender, one scenario, one load, counted for a second or less",
        "lead-in": "load at the start of a slice that is not counted",
        "warm-up": "load on a fresh server before its first sweep; recorded, not counted",
        "window": "the counted part of a slice",
        "control": "a cell that should show no difference: the A/A twin flask~aa",
        "fingerprint": "machine, versions, commit",
        "throughput": "verified responses per second",
        "latency": (
            'always with its load. Closed: send to last byte, "at saturation, 32 in flight". Open: '
            "from when a request was due to its last byte"
        ),
        "service time": "open loop: send to last byte, of the same requests",
        "lag": (
            "open loop: how late the client sent a request, or queued it where no connection was "
            "free: its own lateness"
        ),
        "queued": "open loop: due while every connection was in use",
        "service demand": "server CPU time per verified request",
        "null server": (
            "answers what a scenario expects and does nothing else; asked under a contender's load"
        ),
        "ceiling": (
            "what the load generator reaches on a null server, where it was shown to be the limit itself"
        ),
        "client-limited": "of a row: the client may have been its limit; a bound, in no order, not compared",
        "bound by": "what was saturated: server, client, database, or nothing",
        "series": "a scenario under at least three loads of a kind, from weak to strong",
        "plateau": "the highest throughput of a series over connections",
        "objective": "how long p99 may be: a plan's slo_ms",
        "capacity": (
            "of a contender: its throughput with 32 connections, which open rates are fractions of; "
            "under an objective: the highest rate that keeps it"
        ),
        "efficiency": (
            "of several workers: throughput relative to one, over how many they are; 1 where each brings as "
            "much as the first"
        ),
        "imbalance": "of workers: CPU of the busiest over that of the least busy one",
        "utilisation": "CPU seconds per second: cores in use",
        "estimate": "a point and its interval",
        "noise floor": "what the A/A pair of the run shows",
        "caveat": "a measured reason to trust a cell less",
        "void": "a slice left out on evidence that does not look at its result",
        "statement": (
            "one SQL command as PostgreSQL or a driver in the server counts it, transaction commands included"
        ),
        "failure": "the contender answered wrongly or not at all; a result",
        "margin": "a change too small to act on; the plan's",
        "tie": "a ratio whose interval contains 1: nobody could tell the two apart",
        "rank": "one more than how many were proven faster; shared is a tie",
        "verdict": "faster, slower, equivalent, inconclusive, invalid",
        "claim": (
            "what somebody says of contenders, in a plan with its source: a figure, a ratio, what a "
            "probe would see, or what the plan cannot tell; found supported, not supported or cannot tell"
        ),
    }
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
_INTERVAL = re.compile(r"\(\d[\d.,]*–\d[\d.,]*\)")


def explained(text: str) -> Markup:
    """Return *text* escaped, with the first use of each explained word linked to its meaning."""
    parts, seen, last = [], set[str](), 0
    for found in _WORDS.finditer(text):
        word = found[1].lower()
        if word not in seen:
            seen.add(word)
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
