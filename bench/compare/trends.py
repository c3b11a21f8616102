"""What became of a cell over many runs."""

from dataclasses import dataclass
from datetime import datetime
from statistics import median

USUAL = 30  # runs before the last, of which the median is what is usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What is followed: a cell, on a class of machine, under a runtime and a plan."""

    machine: str
    runtime: str
    plan: str
    scenario: str
    load: str
    contender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run of a track; *ratio* is to the anchor, the run's reference, in the same rounds."""

    at: datetime
    commit: str
    ratio: float | None
    throughput_rps: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A track with its runs, the oldest first."""

    track: Track
    anchor: str | None  # what all of its ratios are to; None: there is none, and raw figures stand for it
    points: tuple[Point, ...]

    @property
    def values(self) -> tuple[float | None, ...]:
        """The ratio of each run to the anchor, or its requests per second where there is no anchor."""
        return tuple(point.ratio if self.anchor else point.throughput_rps for point in self.points)

    @property
    def latest(self) -> float | None:
        """The last run's value."""
        return self.values[-1]

    @property
    def usual(self) -> float | None:
        """The median of up to thirty runs before the last."""
        known = [value for value in self.values[-1 - USUAL : -1] if value is not None]
        return median(known) if known else None
