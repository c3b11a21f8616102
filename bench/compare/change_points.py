"""Change points: between which commits a cell or count of a history became worse or better, and by how much.

Runs compare under equal conditions only: one class of machine, one reference, the same settings and requests.
So another machine or plan begins a series of its own, even where runs of several interleave. Instructions are
the same on all machines of an architecture, so these have one series.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median
from typing import Any, Literal

from bench.analysis.statistics import Estimate
from bench.compare.changes import COUNT_MARGINS, HALF
from bench.compare.history import MEASURED, CellTrack, Followed, TrackPoint, Trend
from bench.compare.kept_counts import ELSEWHERE
from bench.compare.significance import shift_of
from bench.compare.steps import Step, moves_of, steps_of
from bench.model.contender import name_of
from bench.model.plan import MARGINS
from bench.observe.comparable import Difference, differences

BESIDE = 30  # runs on either side that size and levels are taken from
FEWEST_ALIKE = 2  # contenders that move together, before their reference is suspected
CAUSES = 6  # more of them name none


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedRun:
    """A run on the line of time."""

    at: datetime
    commit: str
    dirty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """A step of a track, with the commits that it lies between."""

    track: CellTrack
    reference: str | None  # None: of raw figures
    worse: bool
    after: DatedRun  # the last run that certainly was at the level before
    likely: DatedRun  # the first at the new level, most likely
    by: DatedRun  # the first that certainly was at the new level
    found: DatedRun  # the run that showed it
    size: Estimate | None  # new level to old; None: the old one is 0
    before: float
    now: float
    causes: tuple[str, ...]  # what differs in the fingerprints from *after* to *by*
    conditions: str = ""  # of all its runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A track that moves, in no step: no commit is to blame."""

    track: CellTrack
    reference: str | None
    worse: bool
    latest: DatedRun
    change: float  # the last runs to those before


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    points: tuple[ChangePoint, ...]  # in the order in which they were found
    drifts: tuple[Drift, ...]


def changes_in(trends: Iterable[Trend]) -> Changes:
    """Return the change points of *trends*, without A/A twins."""
    points: list[ChangePoint] = []
    drifts: list[Drift] = []
    for trend in trends:
        if name_of(trend.track.contender).is_twin:
            continue
        for series in _series(trend):
            if trend.track.metric in MEASURED:
                steps = steps_of([math.log(_of(one)) for one in series], [one.family for one in series])
                points += _points(trend.track, series, steps.steps)
                if steps.drifts:
                    drifts.append(_drift(trend.track, series, steps.drifts))
            else:
                moves = moves_of(
                    [*map(_of, series)], _margin_of(trend.track.metric), _at_once_of(trend.track.metric)
                )
                points += _points(trend.track, series, moves)
    found = sorted(_with_reference(points), key=lambda point: point.found.at)
    return Changes(points=tuple(found), drifts=tuple(drifts))


def _series(trend: Trend) -> list[list[TrackPoint]]:
    """Return the runs of each condition that have a value; gaps close up. Only a count may be 0."""
    found: dict[str, list[TrackPoint]] = {}
    is_count = trend.track.metric not in MEASURED
    for point in trend.points:
        if point.judged is not None and (point.judged > 0 or is_count):
            found.setdefault(point.conditions, []).append(point)
    return [series for series in found.values() if len(series) > 1]


def _of(point: TrackPoint) -> float:
    assert point.judged is not None
    return point.judged


def _margin_of(metric: Followed) -> Callable[[float], float]:
    if metric == "statements":
        return lambda level: min(HALF, COUNT_MARGINS["statements"] * max(1.0, level))
    if metric == "response_bytes":
        return lambda level: COUNT_MARGINS["response_bytes"] * level
    return lambda level: MARGINS["instructions"] * level


def _at_once_of(metric: Followed) -> Callable[[float], float] | None:
    """Return what one run alone shows: a server that laid its objects out otherwise moves instructions."""
    return (lambda level: ELSEWHERE * level) if metric == "instructions" else None


def _points(track: CellTrack, series: Sequence[TrackPoint], steps: Sequence[Step]) -> Iterator[ChangePoint]:
    for number, step in enumerate(steps):
        begun = steps[number - 1].at if number else 0
        ended = steps[number + 1].at if number + 1 < len(steps) else len(series)
        old = [_of(one) for one in series[max(begun, step.at - BESIDE) : step.at]]
        new = [_of(one) for one in series[step.at : min(ended, step.at + BESIDE)]]
        after, by = series[step.low - 1], series[step.high]
        yield ChangePoint(
            track=track,
            reference=by.reference,
            worse=_is_worse(track.metric, step.towards),
            after=_dated(after),
            likely=_dated(series[step.at]),
            by=_dated(by),
            found=_dated(series[step.found]),
            size=_size(track.metric, old, new),
            before=median(old),
            now=median(new),
            causes=tuple(_causes(track, after.facts, by.facts)),
            conditions=by.conditions,
        )


def _size(metric: Followed, old: Sequence[float], new: Sequence[float]) -> Estimate | None:
    if metric not in MEASURED:
        return Estimate(estimate=median(new) / median(old)) if median(old) else None
    shift = shift_of([*map(math.log, new)], [*map(math.log, old)])
    return shift.exp() if shift else None


def _drift(track: CellTrack, series: Sequence[TrackPoint], towards: Literal[1, -1]) -> Drift:
    last = max(1, min(BESIDE, len(series) // 4))
    return Drift(
        track=track,
        reference=series[-1].reference,
        worse=_is_worse(track.metric, towards),
        latest=_dated(series[-1]),
        change=median(map(_of, series[-last:])) / median(map(_of, series[-BESIDE * 2 : -last])),
    )


def _is_worse(metric: Followed, towards: Literal[1, -1]) -> bool:
    return (towards == -1) == (metric == "throughput_rps")


def _dated(point: TrackPoint) -> DatedRun:
    return DatedRun(at=point.at, commit=point.commit, dirty=point.dirty)


def _causes(track: CellTrack, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs: versions first, and of those the contender's own."""
    base = name_of(track.contender).base.partition("-")[0]
    found = [one for one in differences(before, after) if one.kind != "machine"]
    found.sort(key=lambda one: (one.kind == "code", base not in one.fact, one.fact))
    yield from (_cause(one) for one in found[:CAUSES])
    if len(found) > CAUSES:
        yield f"{len(found) - CAUSES} more differences"


def _cause(one: Difference) -> str:
    if one.kind == "code":
        return f"files of {one.fact.removeprefix('content.').removeprefix('apps.')}"
    place, _, name = one.fact.removeprefix("environments.").rpartition(".")
    return f"{name} {one.here or 'none'} → {one.there or 'none'}{f' ({place})' if place else ''}"


def _with_reference(points: Sequence[ChangePoint]) -> Iterator[ChangePoint]:
    """Yield *points*. Where all contenders of a reference moved alike, it may be what changed."""
    beside: dict[Any, list[ChangePoint]] = {}
    for point in points:
        if point.reference:
            beside.setdefault((replace(point.track, contender=""), point.reference), []).append(point)
    for point in points:
        others = beside.get((replace(point.track, contender=""), point.reference), [])
        alike = {
            one.track.contender
            for one in others
            if one.worse == point.worse and one.after.at < point.by.at and point.after.at < one.by.at
        }
        if len(alike) >= FEWEST_ALIKE:
            why = f"{point.reference}, the reference: {len(alike)} contenders moved alike"
            point = replace(point, causes=(why, *point.causes))
        yield point


def since(points: Iterable[ChangePoint], at: datetime) -> tuple[ChangePoint, ...]:
    """Return those that a run later than *at* showed."""
    return tuple(point for point in points if point.found.at > at)
