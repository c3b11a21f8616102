"""Exchanges and their mix as a source suggests them, before they are written."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Any

MOST_EXCHANGES = 30  # of a source that counts requests; the rest is rare
WEIGHTS = 1_000  # a mix adds up to about this much, so a weight is readable
CHANGE_ME = "CHANGE-ME"  # stands where a secret was

_NO_NAME = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An exchange. With *lacks* it is written as a comment: someone must add that first."""

    name: str
    request: str  # "GET /users/{id}"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, Any] | None = None
    text: str | None = None
    multipart: Mapping[str, Any] | None = None
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    status: int = 200
    save: Mapping[str, str] = field(default_factory=dict)
    consumes: str | None = None
    needs: tuple[str, ...] = ()
    requests: float = 1.0  # how often the source has it
    origin: str = ""  # "line 12" of the source
    remarks: tuple[str, ...] = ()  # what was guessed or left out
    lacks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a source has: exchanges, and what was left out of it, counted."""

    source: str  # "shop.har, 812 requests to http://127.0.0.1:8000"
    drafts: tuple[Draft, ...]
    left_out: Mapping[str, float] = field(default_factory=dict)  # what → requests
    notes: tuple[str, ...] = ()
    counts: bool = True  # False: the source does not show how often each is requested
    apart: bool = False  # a scenario for each exchange, too
    locustfile: str = ""  # that it is from, below the folder of the project: its users can run as they are

    @property
    def runs_users(self) -> bool:
        """Whether a scenario names the locustfile: some of what it sends is not translated."""
        return bool(self.locustfile) and (bool(self.left_out) or any(one.lacks for one in self.drafts))

    @property
    def mixed(self) -> tuple[Draft, ...]:
        """The exchanges that are sent."""
        return tuple(one for one in self.drafts if not one.lacks)


def weights(requests: Sequence[float]) -> list[int]:
    """Return whole weights in proportion to *requests*, each at least 1."""
    whole = [int(one) for one in requests]
    if whole != list(requests) or sum(whole) > WEIGHTS or min(whole) < 1:
        total = sum(requests)
        whole = [max(1, round(one / total * WEIGHTS)) for one in requests]
    shared = gcd(*whole)
    return [one // shared for one in whole]


def name_of(method: str, path: str, taken: Collection[str]) -> str:
    """Return a name that *taken* lacks: `users-id` for GET /users/{id}, `post-users` for POST /users."""
    words = _NO_NAME.sub("-", path.partition("?")[0]).strip("-")[:60].strip("-").lower() or "home"
    return unique(words if method == "GET" else f"{method.lower()}-{words}", taken, "-")


def field_name(words: str, taken: Collection[str]) -> str:
    """Return a name for a placeholder that *taken* lacks."""
    plain = _NO_NAME.sub("_", words).strip("_") or "value"
    return unique(f"n_{plain}" if plain[0].isdigit() else plain, taken, "_")


def unique(name: str, taken: Collection[str], joined: str) -> str:
    number, found = 2, name
    while found in taken:
        found, number = f"{name}{joined}{number}", number + 1
    return found
