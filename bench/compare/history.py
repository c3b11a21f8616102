"""Runs over time: one small immutable file for each, in a folder for each class of machine."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.errors import UsageError
from bench.files import write_atomically
from bench.profile import record

USUAL = 30  # runs before the last; their median is the usual value


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
    """One run of a track. *ratio* is to the anchor, the run's reference, in the same rounds."""

    at: datetime
    commit: str
    ratio: float | None
    throughput_rps: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A track with its runs, the oldest first."""

    track: Track
    anchor: str | None  # the base of all its ratios; None: there is none, and raw figures are used instead
    points: tuple[Point, ...]

    @property
    def values(self) -> tuple[float | None, ...]:
        """The ratio of each run to the anchor, or its requests per second without an anchor."""
        return tuple(point.ratio if self.anchor else point.throughput_rps for point in self.points)

    @property
    def latest(self) -> float | None:
        return self.values[-1]

    @property
    def usual(self) -> float | None:
        """The median of up to thirty runs before the last."""
        known = [value for value in self.values[-1 - USUAL : -1] if value is not None]
        return median(known) if known else None


# Format history
# 1  first
SCHEMA = 1
SUMMARY = "summary.json"  # in a run's folder; it holds all that an entry has


def entry_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    project = summary["fingerprint"].get("project", {})
    ratios = {
        _place(one): one["ratio"]["estimate"]
        for one in summary["comparisons"]
        if one["metric"] == "throughput_rps" and one["ratio"]
    }
    references = {one["reference"] for one in summary["comparisons"]}
    return {
        "schema": SCHEMA,
        "machine": summary["fingerprint"].get("machine", {}).get("class", "unknown"),
        "runtime": summary["runtime"],
        "plan": summary["plan"],
        "started_at": summary["started_at"],
        "commit": project.get("commit") or "",
        "dirty": bool(project.get("dirty")),
        "anchor": next(iter(references)) if len(references) == 1 else None,
        "cells": [
            {
                "contender": row["contender"],
                "scenario": row["scenario"],
                "load": row["load"],
                "throughput_rps": _estimate(None if row.get("withheld") else row["throughput_rps"]),
                "service_demand_us": _estimate(None if row.get("withheld") else row["service_demand_us"]),
                "ratio": ratios.get(_place(row)),
            }
            for row in summary["rows"]
        ],
    }


def keep(run: Path, history: Path) -> Path:
    """Keep the complete, valid run in folder *run* below *history*, and return its file.

    Raises UsageError if the run is not complete and valid, or if its file holds something else.
    """
    summary = _read(run / SUMMARY)
    if summary.get("partial") or not summary.get("valid"):
        raise UsageError(f"{run} is partial or not valid: it would bend the trend")
    entry = entry_of(summary)
    stamp = re.sub(r"[^0-9TZ]", "", entry["started_at"].replace("+00:00", "Z"))
    name = f"{stamp}-{entry['plan']}-{entry['commit'][:8] or 'nocommit'}.json"
    file = history / _slug(f"{entry['machine']}-{entry['runtime']}") / name
    text = json.dumps(entry, indent=1, allow_nan=False).encode() + b"\n"
    if file.exists() and file.read_bytes() != text:
        raise UsageError(f"{file} is there already, and entries do not change: was it edited?")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text)
    return file


def trends(places: Iterable[Path]) -> tuple[Trend, ...]:
    """Return the trend of every cell over the runs at *places*: folders of runs, of entries, or entries.

    Partial and invalid runs are left out. Raises UsageError for a damaged run, or if there is none.
    """
    places = tuple(places)
    entries = sorted(
        (entry for place in places for entry in _entries(place)), key=lambda entry: entry["started_at"]
    )
    if not entries:
        raise UsageError(
            f"no complete run in {', '.join(map(str, places))}: name folders of runs, or of entries"
        )
    points: dict[Track, list[tuple[Point, str | None]]] = {}
    for entry in entries:
        for cell in entry["cells"]:
            points.setdefault(_track(entry, cell), []).append((_point(entry, cell), entry["anchor"]))
    return tuple(_trend(track, known) for track, known in points.items())


def _trend(track: Track, known: Sequence[tuple[Point, str | None]]) -> Trend:
    anchors = {anchor for _, anchor in known}
    anchored = len(anchors) == 1 and any(point.ratio is not None for point, _ in known)
    return Trend(
        track=track,
        anchor=next(iter(anchors)) if anchored else None,
        points=tuple(point for point, _ in known),
    )


def _entries(place: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries at *place*; in a folder of runs, those that have a summary."""
    if place.is_file():
        files = [place] if place.suffix == ".json" else []
    elif (place / SUMMARY).is_file():
        files = [place / SUMMARY]
    elif (place / record.FILE).is_file():
        files = []  # a profile lies among runs, and times nothing
    else:
        files = [*place.glob(f"*/{SUMMARY}")] or [*place.rglob("*.json")]
    for file in files:
        read = _read(file)
        if "rows" not in read:
            yield read
        elif read.get("valid") and not read.get("partial"):
            yield entry_of(read)


def _read(file: Path) -> dict[str, Any]:
    """Return a summary or an entry; raises UsageError if *file* is neither."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{file}: there is no such file: `bench report` writes it from run.json") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} is damaged: {error}") from error
    if not isinstance(read, dict) or read.get("schema") != SCHEMA or not {"rows", "cells"} & read.keys():
        raise UsageError(f"{file} is no summary and no entry of a history that this bench reads")
    return read


def _track(entry: Mapping[str, Any], cell: Mapping[str, Any]) -> Track:
    return Track(
        machine=entry["machine"],
        runtime=entry["runtime"],
        plan=entry["plan"],
        scenario=cell["scenario"],
        load=_load(cell["load"]),
        contender=cell["contender"],
    )


def _point(entry: Mapping[str, Any], cell: Mapping[str, Any]) -> Point:
    return Point(
        at=datetime.fromisoformat(entry["started_at"]),
        commit=entry["commit"],
        ratio=cell["ratio"],
        throughput_rps=cell["throughput_rps"],
    )


def _place(cell: Mapping[str, Any]) -> tuple[str, str, str]:
    return cell["contender"], cell["scenario"], _load(cell["load"])


def _load(load: Mapping[str, Any]) -> str:
    levels = {name: value for name, value in load.items() if name != "kind"}
    if [*levels] == ["connections"]:
        return f"{levels['connections']} connections"
    return ", ".join(f"{name} {value}" for name, value in levels.items())


def _estimate(estimate: Mapping[str, Any] | None) -> float | None:
    return estimate["estimate"] if estimate else None


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
