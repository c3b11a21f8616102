"""What a text may reveal of a machine or its owner: paths, hosts, addresses. And which names are plain."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

HIDDEN = "…"
# Folders that begin an absolute path. A request may begin with "/users": case counts.
_ROOTS = (
    "bin|builds|data|etc|github|home|mnt|nix|opt|private|proc|root|run|runner|scratch|srv|sys|tmp|usr|var|"
    "Users|Volumes|work|workspace|workspaces"
)
# Names that mean a network of somebody, and the endings of public ones that a machine may have.
_ENDINGS = (
    "local|localdomain|lan|internal|intranet|corp|home|private|test|com|net|org|io|dev|cloud|app|info|biz|"
    "eu|de|fr|uk|nl|ch|at|us|ru|cn|in|jp|br|it|es|pl|se|no|fi|dk|cz|ca|au"
)
PATH = re.compile(
    rf"(?<![\w/.}}:])/(?:{_ROOTS})(?:/[\w.@+~-]+)+/?"
    r"|(?<![\w.])~/[\w.@+-]+(?:/[\w.@+-]+)*"
    r"|\b[A-Za-z]:\\[^\s\"']*"
    r"|\\\\[\w.-]+\\[^\s\"']*"
    r"|\bfile://[^\s\"']*"
)
ADDRESS = re.compile(
    r"(?<![\w.])(?!127\.|0\.0\.0\.0)(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"
    r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}(?![\w:])"
)
HOST = re.compile(
    rf"(?<![\w.@/-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+(?:{_ENDINGS})(?![\w.-])"
    r"|\bip-\d+-\d+-\d+-\d+\b"
)
MAIL = re.compile(r"[\w.+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?![\w.-])")
KINDS = {"an absolute path": PATH, "a network address": ADDRESS, "a mail address": MAIL, "a host": HOST}

# What a browser may take for markup, or for more than a key.
TAG = re.compile(r"<[A-Za-z/!?]|javascript:|__proto__", re.IGNORECASE)
# Without control characters, and those that turn the direction of a line.
HIDING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
NAME = re.compile(r"[\w][\w .,:;=@~+*&()'’/×–%#-]*")
LONGEST_NAME = 120

# Here a number with three dots is a version, and a request begins with a slash.
VERSIONS = re.compile(r"(^|\.)(packages|version|kernel|release)(\.|$)|version$")
PUBLIC = re.compile(r"^plan\.(claims|content\.(about|claims|choices|inquiries))\b|\.request$|^findings\b")


def revealed(path: str, text: str) -> str | None:
    """Return what *text* at *path* of a submission reveals, in words; None if nothing."""
    if PUBLIC.search(path):  # sources of claims have addresses, requests have paths of their server
        return _found(text, {name: kind for name, kind in KINDS.items() if kind in (ADDRESS, MAIL)})
    if VERSIONS.search(path):
        return _found(text, {name: kind for name, kind in KINDS.items() if kind is PATH})
    return _found(text, KINDS)


def hidden(text: str, own_names: tuple[str, ...] = ()) -> str:
    """Return *text* with "…" in place of what it reveals, *own_names* of the machine included."""
    for kind in KINDS.values():
        text = kind.sub(HIDDEN, text)
    for name in own_names:
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", HIDDEN, text)
    return text


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in *value*, plain JSON, with its path; keys of objects are texts too."""
    waiting = [(path, value)]
    while waiting:
        at, held = waiting.pop()
        if isinstance(held, str):
            yield at, held
        elif isinstance(held, dict):
            for key, one in held.items():
                yield at, key
                if isinstance(one, str | dict | list):
                    waiting.append((f"{at}.{key}" if at else key, one))
        elif isinstance(held, list):
            waiting.extend((at, one) for one in held if isinstance(one, str | dict | list))


def _found(text: str, kinds: Mapping[str, re.Pattern[str]]) -> str | None:
    for words, kind in kinds.items():
        if found := kind.search(text):
            return f"{words}: {found[0][:60]!r}"
    return None
