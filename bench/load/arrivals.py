"""When requests of an open loop are due.

Times are drawn before a slice begins, so no answer can delay them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import ceil
from random import Random
from typing import TypeVar

from bench.loads import Arrivals

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a slice that one process does: every *of*-th connection or arrival, from *index* on."""

    index: int = 0
    of: int = 1

    def part(self, items: Sequence[T]) -> Sequence[T]:
        return items[self.index :: self.of]


def due_offsets(
    arrivals: Arrivals, rate_rps: float, *, seed: int, lead_in_s: float, window_s: float
) -> list[int]:
    """Return when requests are due, in nanoseconds from the opening of the window, ascending.

    Times in the lead-in are negative. Uniform: the first request is half a gap from the opening, so rounding
    cannot move one across it. A window then has exactly rate × length requests. Poisson: gaps are exponential
    with the mean 1 / rate. They are drawn from *seed* and scaled by the rate, so contenders at the same rate
    share a schedule.
    """
    if arrivals == "uniform":
        first = -int(lead_in_s * rate_rps)
        numbers = range(first, ceil(window_s * rate_rps - 0.5))
        return [round((number + 0.5) / rate_rps * 1e9) for number in numbers]
    span_s = lead_in_s + window_s
    moments = takewhile(lambda at_s: at_s < span_s, _poisson(rate_rps, Random(f"{seed}/arrivals")))
    return [round((at_s - lead_in_s) * 1e9) for at_s in moments]


def _poisson(rate_rps: float, random: Random) -> Iterator[float]:
    at_s = 0.0
    while True:
        at_s += random.expovariate(rate_rps)
        yield at_s
