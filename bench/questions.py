"""What is asked beyond a timing, as frozen facts: claims, evidence to look for, choices to ground."""

from dataclasses import dataclass
from typing import Literal

WITHIN = 0.25  # what a claim may be off, where it does not say
# `facts`: neither yes nor no, only what is told.
Outcome = Literal["yes", "partly", "no", "facts", "not looked at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A topic of `apps/evidence/`, and the contenders that it is looked into for; they need not be timed."""

    topic: str
    asks: str
    contenders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is said to be found of a contender."""

    topic: str
    contender: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedFigure:
    """What a contender is said to do in a closed loop; held against a run by its ratio to the reference's."""

    contender: str
    scenario: str
    connections: int
    throughput_rps: float
    latency_ms: float | None = None
    within: float = WITHIN  # of its ratio; 0.25: 25 %


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRatio:
    """What a contender is said to do relative to any other: *about* so much, or *at_least*, never both."""

    contender: str
    reference: str
    scenario: str
    connections: int  # closed
    metric: Literal["throughput_rps", "service_demand_us"] = "throughput_rps"
    about: float | None = None
    within: float = WITHIN  # of *about*; 0.25: 25 %
    at_least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What somebody says: a figure, a ratio, what a probe would see, or what would *need* another plan."""

    says: str
    source: str
    figure: ClaimedFigure | None = None
    ratio: ClaimedRatio | None = None
    evidence: Ground | None = None
    needs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Advice, and everything that has to be found for it to be given: evidence, and claims by their words."""

    choose: str
    when: str
    because: tuple[Ground, ...] = ()
    claims: tuple[str, ...] = ()  # that have to be supported
