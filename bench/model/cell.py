"""What one row of a table is about, and the slices that measure it."""

from dataclasses import dataclass
from typing import Literal

from bench.loads import Load

# capacity: a closed loop whose result open rates are fractions of; ceiling: the null server; probe: runs
# before round 1 on servers that are not timed, and sets the length of windows.
Role = Literal["warm-up", "measure", "control", "capacity", "ceiling", "probe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The subject of one row of a table."""

    contender: str
    scenario: str
    load: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One contender, one scenario, one load, once: the step that the scheduler hands out."""

    cell: Cell
    role: Role
    round: int
    sweep: int
    seed: int  # same for every contender of the sweep
    lead_in_s: float
    window_s: float
    rate_rps: float | None = None  # of an open load, as set when the slice was handed out
