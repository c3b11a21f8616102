"""Trends: what every cell and count showed, run after run."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import median
from typing import Any, Literal

from bench.compare.entries import Entry, EntryCell, load_text
from bench.model.contender import name_of
from bench.observe.comparable import machine_facts

USUAL = 30  # runs before the last; their median is the usual value
Followed = Literal[
    "throughput_rps", "service_demand_us", "memory_bytes", "response_bytes", "statements", "instructions"
]
MEASURED: tuple[Followed, ...] = ("throughput_rps", "service_demand_us", "memory_bytes")  # others are counts


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTrack:
    """What is followed: a metric of a cell, on a class of machine, under a runtime and a plan."""

    machine: str  # of instructions: its architecture
    runtime: str
    plan: str
    scenario: str  # of statements: the exchange
    load: str  # "": counted under none
    contender: str
    metric: Followed = "throughput_rps"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """One run of a track. *ratio* is to *reference* in the same rounds; *raw* has the unit of the metric."""

    at: datetime
    commit: str
    ratio: float | None
    raw: float | None
    reference: str | None = None
    dirty: bool = False
    judged: float | None = None  # what steps are looked for in; None: nothing, as it is the machine's too
    family: int = 1  # series of the run with noise that are judged together
    conditions: str = ""  # runs under others do not compare: settings, scenario, machine, counter
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A track with its runs, the oldest first."""

    track: CellTrack
    anchor: str | None  # the base of all its ratios; None: there is none, and raw figures are used instead
    points: tuple[TrackPoint, ...]

    @property
    def values(self) -> tuple[float | None, ...]:
        """The ratio of each run to the anchor, or its raw figure without an anchor."""
        return tuple(point.ratio if self.anchor else point.raw for point in self.points)

    @property
    def latest(self) -> float | None:
        return self.values[-1]

    @property
    def usual(self) -> float | None:
        """The median of up to thirty runs before the last."""
        known = [value for value in self.values[-1 - USUAL : -1] if value is not None]
        return median(known) if known else None


def trends(runs: Iterable[Entry]) -> tuple[Trend, ...]:
    """Return the trend of every cell and count over *runs*, the oldest first."""
    points: dict[CellTrack, list[tuple[TrackPoint, str | None]]] = {}
    for entry in runs:
        for track, point in _points(entry):
            points.setdefault(track, []).append((point, entry.anchor))
    return tuple(_trend(track, known) for track, known in points.items())


def _trend(track: CellTrack, known: Sequence[tuple[TrackPoint, str | None]]) -> Trend:
    anchors = {anchor for _, anchor in known}
    anchored = len(anchors) == 1 and any(point.ratio is not None for point, _ in known)
    return Trend(
        track=track,
        anchor=next(iter(anchors)) if anchored else None,
        points=tuple(point for point, _ in known),
    )


def _points(entry: Entry) -> Iterator[tuple[CellTrack, TrackPoint]]:
    found = [one for cell in entry.cells for one in _of_cell(entry, cell)]
    family = sum(
        point.judged is not None and track.metric in MEASURED and not name_of(track.contender).is_twin
        for track, point in found
    )
    for track, point in (*found, *_of_counts(entry)):
        yield track, replace(point, family=max(1, family))


def _of_cell(entry: Entry, cell: EntryCell) -> Iterator[tuple[CellTrack, TrackPoint]]:
    reference = cell.reference or (entry.anchor if cell.ratio is not None else None)
    alone = entry.anchor is None and not any(one.reference for one in entry.cells)
    conditions = _conditions(
        entry, cell.scenario, settings=entry.settings, machine=machine_facts(entry.facts)
    )
    compared: tuple[tuple[Followed, float | None, float | None], ...] = (
        ("throughput_rps", cell.throughput_rps, cell.ratio),
        ("service_demand_us", cell.service_demand_us, cell.service_demand_ratio),
    )
    for metric, raw, ratio in compared:
        if metric == "throughput_rps" or raw is not None:
            yield _pair(
                entry,
                (metric, cell.contender, cell.scenario, load_text(cell.load)),
                raw=raw,
                ratio=ratio,
                reference=reference,
                judged=raw if alone else ratio,
                conditions=f"{conditions} {reference}",
            )
    counted: tuple[tuple[Followed, float | None, str], ...] = (
        ("memory_bytes", cell.memory_bytes, conditions),
        ("response_bytes", cell.response_bytes, _conditions(entry, cell.scenario)),
    )
    for metric, raw, under in counted:
        if raw is not None:
            what = (metric, cell.contender, cell.scenario, load_text(cell.load))
            yield _pair(entry, what, raw=raw, judged=raw, conditions=under)


def _of_counts(entry: Entry) -> Iterator[tuple[CellTrack, TrackPoint]]:
    for one in entry.counts:
        metric: Followed = "statements" if one.counted == "statements" else "instructions"
        pythons = {} if metric == "statements" else {"pythons": _pythons(entry)}
        conditions = _conditions(entry, one.of, counter=one.by, **pythons)
        what = (metric, one.contender, one.of, "")
        track, point = _pair(entry, what, raw=one.per_request, judged=one.per_request, conditions=conditions)
        if metric == "instructions":  # equal on all machines of an architecture
            track = replace(track, machine=_fact(entry, "machine").get("architecture", entry.machine))
        yield track, point


def _pythons(entry: Entry) -> list[tuple[str, str]]:
    """Return versions and builds: an interpreter that was built otherwise executes other instructions."""
    made = _fact(entry, "environments").values()
    return sorted({(str(one.get("python", "")), str(one.get("built", ""))) for one in made if one})


def _fact(entry: Entry, name: str) -> Mapping[str, Any]:
    return entry.facts.get(name) or {}


def _pair(
    entry: Entry,
    what: tuple[Followed, str, str, str],
    *,
    raw: float | None,
    judged: float | None,
    conditions: str,
    ratio: float | None = None,
    reference: str | None = None,
) -> tuple[CellTrack, TrackPoint]:
    metric, contender, scenario, load = what
    track = CellTrack(
        machine=entry.machine,
        runtime=entry.runtime,
        plan=entry.plan,
        scenario=scenario,
        load=load,
        contender=contender,
        metric=metric,
    )
    return track, TrackPoint(
        at=entry.started_at,
        commit=entry.commit,
        dirty=entry.dirty,
        ratio=ratio,
        raw=raw,
        reference=reference,
        judged=judged,
        conditions=conditions,
        facts=entry.facts,
    )


def _conditions(entry: Entry, scenario: str, **others: Any) -> str:
    return json.dumps({"scenario": entry.scenarios.get(scenario), **others}, sort_keys=True, default=str)
