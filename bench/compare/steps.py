"""Where the level of a series of runs changed: exact rank tests of the last few runs, run by run. Pure.

The rule and its rivals: docs/adr/0017. What it holds: docs/simulations.md.
"""

import sys
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FALSE_ALARMS = 0.001  # chance, at each run, of one or more among all series that are judged together
AFTER = (4, 5, 6, 7, 8, 10, 14, 20)  # how many of the last runs are compared with those before them
LATER = (30, 60)  # the same, where fewer than FEW_BEFORE are before: a level that did not last
BEFORE = 60  # runs before those, at most
FEW_BEFORE = 20
FEWEST_BEFORE = 3
LOG_MARGIN = 0.003  # a shift up to this is no change: slow drifts and noise with a memory have as much
CLEARER = 0.95  # a step is one if it leaves at most this share of what a straight line leaves
DOUBT = 3.0  # mean distances from the level: places that fit the data nearly as well are possible too

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Towards = Literal[1, -1]
SIDES: tuple[Towards, Towards] = (1, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of level. All are places in the series: 0 is its first run."""

    at: int  # the first run at the new level, most likely
    low: int  # it is one of *low* … *high*
    high: int
    found: int  # the run that showed it: nothing after that was needed
    towards: Towards


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    steps: tuple[Step, ...]
    drifts: Towards | None  # at the last run a shift is shown, and it is no step: where it goes


def steps_of(logs: Sequence[float], families: Sequence[int]) -> Steps:
    """Return the steps of a series of logarithms, without gaps; *families*: series judged with it, per run.

    At each run, the last 4 … 20 runs are compared with up to sixty before them, in both directions. Where few
    are before, up to sixty of the last are. The test is Mann and Whitney's, exact, of the hypothesis that
    they lie no more than `LOG_MARGIN` apart. All tests of a run and its family share `FALSE_ALARMS` evenly
    (Bonferroni). So for noise of any distribution, the chance of a false alarm at a run is at most that. What
    a step shows at a run is never taken back: the next search begins at the new level.
    """
    values = np.asarray(logs, dtype=float)
    sizes = np.array([_rounded_up(size) for size in families], dtype=np.int64)
    found: list[Step] = []
    start, drifts = 0, None
    while True:
        step, drifts = _first(values, sizes, start)
        if step is None:
            return Steps(steps=tuple(_located(values, found)), drifts=drifts)
        found.append(step)
        start = step.at


def moves_of(
    counts: Sequence[float],
    margin_of: Callable[[float], float],
    at_once_of: Callable[[float], float] | None = None,
) -> tuple[Step, ...]:
    """Return where exact *counts* moved by more than the margin that their level has, and stayed.

    A level is the median of its counts so far: one count of instructions alone is a little off. The last one
    may have moved: it is a step at once, if it moved by more than *at_once_of* its level (by
    default the margin). One that is back at the next run is none.
    """
    found: list[Step] = []
    known = [*counts[:1]]  # the counts of the level so far, ascending
    for place, count in enumerate(counts[1:], start=1):
        level = median(known)
        after = counts[place + 1] if place + 1 < len(counts) else count
        towards: Towards = 1 if count > level else -1
        is_last = place + 1 == len(counts)
        margin, at_once = margin_of(level), (at_once_of or margin_of)(level)
        if min(towards * (count - level), towards * (after - level)) > (at_once if is_last else margin):
            shown = place if towards * (count - level) > at_once else place + 1
            found.append(Step(at=place, low=place, high=place, found=shown, towards=towards))
            known = [count]
        elif abs(count - level) <= margin:  # one that is back at the next run is not of the level
            insort(known, count)
    return tuple(found)


def _first(values: Floats, sizes: Ints, start: int) -> tuple[Step | None, Towards | None]:
    """Return the first step after *start*; without one, where the series drifts at its end."""
    drifts = None
    for last, after, towards in _shifts(values[start:], sizes[start:]):
        window = values[max(start, start + last - after + 1 - BEFORE) : start + last + 1]
        begun = start + last + 1 - len(window)
        costs = _costs(window)
        if costs.min() <= CLEARER * _cost_of_line(window):
            at = begun + int(np.argmin(costs)) + 1
            return Step(at=at, low=at, high=at, found=start + last, towards=towards), None
        drifts = towards if start + last == len(values) - 1 else None
    return None, drifts


def _shifts(values: Floats, sizes: Ints) -> list[tuple[int, int, Towards]]:
    """Return the runs that are shown to lie beyond the margin: last run, how many of the last, direction."""
    found: list[tuple[int, int, Towards]] = []
    padded = np.concatenate([np.full(BEFORE, np.nan), values])
    for after in (*AFTER, *LATER):
        if all(_most(after, size).max() < 0 for size in set(sizes.tolist())):
            continue
        last = np.arange(after + FEWEST_BEFORE - 1, min(len(values), after + _highest(after)))
        if not len(last):
            continue
        new = sliding_window_view(values, after)[last - after + 1]
        old = sliding_window_view(padded, BEFORE)[last - after + 1]  # NaN is beyond nothing
        known = np.minimum(BEFORE, last - after + 1)
        most = np.array([_most(after, size) for size in sizes[last]])[np.arange(len(last)), known]
        differences = new[:, None, :] - old[:, :, None]
        for towards in SIDES:
            short_of = known * after - (towards * differences > LOG_MARGIN).sum(axis=(1, 2))
            found += [(int(place), after, towards) for place in last[short_of <= most]]
    return sorted(found)


def _rounded_up(size: int) -> int:
    """Return the next power of two: a new contender then hardly changes what was found before it came."""
    return 1 << (max(1, size) - 1).bit_length()


@cache
def _most(after: int, family: int) -> Ints:
    """Return, by the number of runs before, how many pairs may fall short of the margin; -1: none is enough.

    The shortest looks are left out as long as they could not reach their share of `FALSE_ALARMS`.
    """
    looks = [*AFTER, *LATER]
    while len(looks) > 1 and 1 / _orders(looks[0], BEFORE).sum() > _share(family, looks):
        looks.pop(0)
    if after not in looks:
        return np.full(BEFORE + 1, -1)
    share = _share(family, looks)
    most = np.full(BEFORE + 1, -1)
    for before in range(min(BEFORE, _highest(after)) + 1):
        chances = np.cumsum(ways := _orders(after, before)) / ways.sum()
        most[before] = int(np.searchsorted(chances, share, side="right")) - 1
    return most


def _highest(after: int) -> int:
    """Return how many runs may be before the last ones at most."""
    return FEW_BEFORE - 1 if after in LATER else sys.maxsize


def _share(family: int, looks: Sequence[int]) -> float:
    return FALSE_ALARMS / (family * len(SIDES) * len(looks))


@cache
def _orders(m: int, n: int) -> Floats:
    """Return how many orders of *m* and *n* equals have U = 0, 1, … m·n (Mann & Whitney, 1947, their (1))."""
    if not m or not n:
        return np.ones(1)
    ways = np.zeros(m * n + 1)
    fewer, last = _orders(m, n - 1), _orders(m - 1, n)
    ways[: len(fewer)] += fewer
    ways[n:] += last
    return ways


def _costs(window: Floats) -> Floats:
    """Return what is left beside two medians, for each place 1 … n - 1 at which the second may begin."""
    return np.array([_left(window[:place]) + _left(window[place:]) for place in range(1, len(window))])


def _left(values: Floats) -> float:
    return float(np.abs(values - np.median(values)).sum())


def _cost_of_line(window: Floats) -> float:
    """Return what is left beside a straight line: Theil and Sen's."""
    here, there = np.triu_indices(len(window), 1)
    slope = np.median((window[there] - window[here]) / (there - here))
    return _left(window - slope * np.arange(len(window)))


def _located(values: Floats, found: Sequence[Step]) -> list[Step]:
    """Return the steps with the places that are possible, by all runs between the steps beside each.

    A place is possible if the level moves there to the side that was shown, and no later than it was shown.
    Where later runs leave no such place, the step stays where it was found.
    """
    located: list[Step] = []
    for number, step in enumerate(found):
        begun = max(found[number - 1].at if number else 0, step.at - BEFORE)
        ended = min(found[number + 1].at if number + 1 < len(found) else len(values), step.at + BEFORE)
        window = values[begun:ended]
        places = np.arange(begun + 1, ended)
        moved = np.array([np.median(window[one:]) - np.median(window[:one]) for one in places - begun])
        costs = np.where((step.towards * moved > 0) & (places <= step.found), _costs(window), np.inf)
        if np.isfinite(costs.min(initial=np.inf)):
            possible = places[costs <= costs.min() * (1 + DOUBT / (ended - begun))]
            at, low, high = places[np.argmin(costs)], possible[0], possible[-1]
            step = replace(step, at=int(at), low=int(low), high=int(high))
        located.append(step)
    return located
