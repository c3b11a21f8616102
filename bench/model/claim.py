"""What is claimed, and advice that follows from claims."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from bench.model.constraints import AtLeastOne, Positive, Proportion, Text

WITHIN = 0.25  # the allowed error of a claim that does not state one
# `facts`: neither yes nor no, only facts.
Outcome = Literal["yes", "partly", "no", "facts", "not looked at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A topic of `apps/evidence/`, and its contenders. They need not be timed."""

    topic: str
    asks: str
    contenders: Annotated[tuple[str, ...], AtLeastOne]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The stated finding about a contender."""

    topic: str
    contender: str
    outcome: Literal["yes", "partly", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedFigure:
    """A claimed figure of a contender in a closed loop.

    It is tested by its ratio to the reference's figure.
    """

    contender: str
    scenario: str
    connections: Annotated[int, Ge(1)] = 0  # closed; 0 in a file of a plan: the only such load there
    throughput_rps: Positive
    latency_ms: Positive | None = None
    within: Proportion = WITHIN  # of its ratio; 0.25: 25 %


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRatio:
    """A claimed ratio of a contender to any other: *about* so much, or *at_least*, never both."""

    contender: str
    reference: str
    scenario: str
    connections: Annotated[int, Ge(1)] = 0  # as above
    metric: Literal["throughput_rps", "service_demand_us"] = "throughput_rps"
    about: Positive | None = None
    within: Proportion = WITHIN  # of *about*; 0.25: 25 %
    at_least: Positive | None = None


RATIO, CHOICES = "ratio", "choices"  # for what a place has that is no topic of the evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPlace:
    """Where a claim stands in a table of its source.

    A figure has columns of its own. A need without a *column* stands in each of them.
    """

    table: Text
    row: Text
    column: str = ""
    cell: str = ""  # as written there; "": as claimed
    found: str = ""  # what stands beside a need: "ratio", "choices" or a topic of the evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim: a figure, a ratio, the finding of a probe, or a *need* of another plan."""

    says: Text
    source: Text
    figure: ClaimedFigure | None = None
    ratio: ClaimedRatio | None = None
    evidence: Ground | None = None
    needs: str = ""
    at: ClaimPlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Advice, and all conditions for it: evidence, and claims by their words."""

    choose: str
    when: str
    because: tuple[Ground, ...] = ()
    claims: tuple[str, ...] = ()  # claims that must be supported
