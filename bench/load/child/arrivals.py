"""When requests of an open loop are due: drawn before a slice begins, so that no answer can pace it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import ceil
from random import Random
from typing import TypeVar

from bench.model import Arrivals

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of a slice a process does: every *of*-th connection or arrival, from *index* on."""

    index: int = 0
    of: int = 1

    def part(self, items: Sequence[T]) -> Sequence[T]:
        """Return those of *items* that are its own; the parts of all shares make up the whole."""
        return items[self.index :: self.of]


def due_offsets(
    arrivals: Arrivals, rate_rps: float, *, seed: int, lead_in_s: float, window_s: float
) -> list[int]:
    """Return when requests are due, in nanoseconds from the opening of the window, ascending.

    Those of the lead-in are negative. Uniform: half a gap away from the opening, so that rounding cannot move
    one across it, and a window has exactly rate × length of them. Poisson: gaps are exponential with the mean
    1 / rate, drawn from *seed* and scaled by the rate, so that contenders asked at one rate share a schedule.
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
