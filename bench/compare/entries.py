"""Runs as a history keeps them: one small immutable file for each, in a folder for each class of machine."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.analysis.instruction_changes import STEADY
from bench.errors import UsageError
from bench.files import read_json, to_json, write_atomically
from bench.profile import record

# Format history
# 1  first
# 2  ratios of CPU, memory, counts, and the facts that decide whether runs compare
SCHEMA = 2
OLDEST = 1
SUMMARY = "summary.json"  # in a run's folder; it holds all that an entry has
SUMMARY_SCHEMA = 1
FACTS = ("machine", "system", "python", "harness", "services", "environments", "placement", "content")
MEASURED = (
    *("throughput_rps", "service_demand_us", "ratio", "service_demand_ratio"),
    *("memory_bytes", "response_bytes"),
)
CLOCKS = timedelta(hours=1)  # two clocks may be so far apart


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCell:
    """The figures of a cell. Ratios are to *reference*, in the same rounds."""

    contender: str
    scenario: str
    load: Mapping[str, Any]
    throughput_rps: float | None = None
    service_demand_us: float | None = None
    ratio: float | None = None  # of throughput
    service_demand_ratio: float | None = None
    reference: str | None = None
    memory_bytes: float | None = None
    response_bytes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCount:
    """What was counted of an exchange (statements) or a scenario (instructions), per request."""

    contender: str
    counted: str  # "statements" or "instructions"
    of: str
    per_request: float
    by: str = ""  # the counter: counts of two do not compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run. Entries of format 1 lack facts, settings and scenarios."""

    schema: int
    machine: str
    runtime: str
    plan: str
    started_at: datetime
    commit: str = ""
    committed_at: datetime | None = None
    dirty: bool = False
    anchor: str | None = None  # the reference of all its ratios; None: there are several, or none
    cells: tuple[EntryCell, ...]
    counts: tuple[EntryCount, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the fingerprint
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the plan
    scenarios: Mapping[str, str] = field(default_factory=dict)  # name → hash of what is requested

    @property
    def identity(self) -> tuple[str, str, str, datetime]:
        return self.machine, self.runtime, self.plan, self.started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The runs of a history, the oldest first, and why others are left out."""

    runs: tuple[Entry, ...]
    left_out: tuple[str, ...]


def entry_of(summary: Mapping[str, Any]) -> Entry:
    """Return the entry of a run; raises LookupError, TypeError or ValueError if *summary* is damaged."""
    fingerprint = summary["fingerprint"]
    project = fingerprint.get("project", {})
    ratios = {(one["metric"], _place(one)): one for one in summary["comparisons"] if one["ratio"]}
    references = {_place(one): one["reference"] for one in summary["comparisons"]}
    committed_at = project.get("committed_at")
    return Entry(
        schema=SCHEMA,
        machine=fingerprint.get("machine", {}).get("class", "unknown"),
        runtime=summary["runtime"],
        plan=summary["plan"],
        started_at=datetime.fromisoformat(summary["started_at"]),
        commit=project.get("commit") or "",
        committed_at=datetime.fromisoformat(committed_at) if committed_at else None,
        dirty=bool(project.get("dirty")),
        anchor=next(iter(set(references.values()))) if len(set(references.values())) == 1 else None,
        cells=tuple(_cell(row, ratios, references) for row in summary["rows"]),
        counts=tuple(_counts(summary)),
        facts={name: fingerprint[name] for name in FACTS if name in fingerprint},
        settings=summary.get("settings", {}),
        scenarios=summary.get("scenarios", {}),
    )


def _cell(row: Mapping[str, Any], ratios: Mapping[Any, Any], references: Mapping[Any, str]) -> EntryCell:
    place, fit = _place(row), not row.get("withheld")
    return EntryCell(
        contender=row["contender"],
        scenario=row["scenario"],
        load=row["load"],
        throughput_rps=_estimate(row["throughput_rps"]) if fit else None,
        service_demand_us=_estimate(row["service_demand_us"]) if fit else None,
        ratio=_ratio(ratios.get(("throughput_rps", place))),
        service_demand_ratio=_ratio(ratios.get(("service_demand_us", place))),
        reference=references.get(place),
        memory_bytes=row.get("memory_peak_bytes") if fit else None,
        response_bytes=row.get("response_bytes") if fit else None,
    )


def _counts(summary: Mapping[str, Any]) -> Iterator[EntryCount]:
    counting = {one["contender"] for one in summary.get("queries", ()) if one["statements"]}
    for one in summary.get("queries", ()):
        if one["per_request"] is not None and one["contender"] in counting:
            yield EntryCount(
                contender=one["contender"],
                counted="statements",
                of=one["exchange"],
                per_request=one["per_request"],
                by=one.get("counted_by", "PostgreSQL") or "",
            )
    for one in summary.get("instructions", ()):
        if one["per_request"] and (one["spread"] or 0.0) <= STEADY:
            yield EntryCount(
                contender=one["contender"],
                counted="instructions",
                of=one["scenario"],
                per_request=one["per_request"],
                by=_counter(one),
            )


def keep(run: Path, history: Path) -> Path:
    """Keep the complete run in folder *run* below *history*, and return its file.

    Raises UsageError if the run is partial, or not valid and without counts, or if its file holds something
    else.
    """
    entry = _read(run / SUMMARY)
    if entry is None:
        raise UsageError(f"{run} is partial or not valid, and has no counts: it would bend the trend")
    stamp = entry.started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{stamp}-{entry.plan}-{entry.commit[:8] or 'nocommit'}.json"
    file = history / _slug(f"{entry.machine}-{entry.runtime}") / name
    text = to_json(asdict(entry)) + b"\n"
    if file.exists() and file.read_bytes() != text and not _is_older(file, entry):
        raise UsageError(f"{file} is there already, and entries do not change: was it edited?")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text)
    return file


def _is_older(file: Path, entry: Entry) -> bool:
    """Return whether *file* has the same run in an older format, or only its counts."""
    try:
        kept = read_json(file, Entry)
    except UsageError:
        return False
    if kept.identity != entry.identity:
        return False
    return kept.schema < entry.schema or bool(entry.cells and not kept.cells)


def entries(places: Iterable[Path], now: datetime) -> Entries:
    """Return the runs at *places*: folders of runs, of entries, or entries. Each run counts once.

    Partial runs are left out, and of invalid ones all but the counts. So are damaged files, and runs whose
    clock was wrong, with the reason. Raises UsageError if there is none.
    """
    places = tuple(places)
    found: dict[Any, Entry] = {}
    left_out: list[str] = []
    for file in (file for place in places for file in _files(place)):
        try:
            entry = _read(file)
        except UsageError as error:
            left_out.append(str(error))
            continue
        if entry is None:
            continue
        if wrong := _wrong_clock(entry, now):
            left_out.append(f"{file}: {wrong}")
        else:
            known = found.setdefault(entry.identity, entry)
            if entry.cells and not known.cells:
                found[entry.identity] = entry
    if not found:
        where = ", ".join(map(str, places))
        whys = "".join(f"; {why}" for why in left_out[:3])
        raise UsageError(f"no complete run in {where}: name folders of runs, or of entries{whys}")
    return Entries(
        runs=tuple(sorted(found.values(), key=lambda entry: entry.started_at)), left_out=tuple(left_out)
    )


def _wrong_clock(entry: Entry, now: datetime) -> str:
    if entry.started_at > now + CLOCKS:
        return f"it started in the future, {entry.started_at:%Y-%m-%d %H:%M}: its clock or this one is wrong"
    if entry.committed_at and entry.started_at + CLOCKS < entry.committed_at:
        return (
            f"it started before its commit was made, {entry.committed_at:%Y-%m-%d %H:%M}: a clock was wrong"
        )
    return ""


def _files(place: Path) -> list[Path]:
    """Return the entries at *place*; in a folder of runs, the summaries. Raises UsageError without it."""
    if not place.exists():
        raise UsageError(f"{place}: there is no such file or folder")
    if place.is_file():
        return [place]
    if (place / SUMMARY).is_file():
        return [place / SUMMARY]
    if (place / record.FILE).is_file():
        return []  # a profile lies among runs, and times nothing
    return sorted(place.glob(f"*/{SUMMARY}")) or sorted(place.rglob("*.json"))


def _read(file: Path) -> Entry | None:
    """Return a summary or an entry, None of a partial run. Of one that is not valid only counts are left.

    Raises UsageError if *file* is neither.
    """
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file: `bench report` writes it from run.json")
    read = read_json(file, dict[str, Any])
    if "rows" in read and read.get("schema") == SUMMARY_SCHEMA:
        if read.get("partial"):
            return None
        try:
            entry = _with_zone(_finite(file, entry_of(read)))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{file} is damaged: {type(error).__name__}: {error}") from error
        if read.get("valid"):
            return entry
        return replace(entry, anchor=None, cells=()) if entry.counts else None
    if "cells" in read and read.get("schema") in range(OLDEST, SCHEMA + 1):
        return _with_zone(_finite(file, read_json(file, Entry)))
    raise UsageError(f"{file} is no summary and no entry of a history that this bench reads")


def _finite(file: Path, entry: Entry) -> Entry:
    """Return *entry*; raises UsageError if it has a number that cannot be measured."""
    measured = (getattr(cell, name) for cell in entry.cells for name in MEASURED)
    for value in (*measured, *(one.per_request for one in entry.counts)):
        if value is not None and not (_is_number(value) and value >= 0):
            raise UsageError(f"{file} is damaged: {value!r} is no figure")
    return entry


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _with_zone(entry: Entry) -> Entry:
    """Return *entry* with times that compare: those without a zone are UTC."""
    return replace(
        entry,
        started_at=_zoned(entry.started_at),
        committed_at=entry.committed_at and _zoned(entry.committed_at),
    )


def _zoned(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _place(cell: Mapping[str, Any]) -> tuple[str, str, str]:
    return cell["contender"], cell["scenario"], load_text(cell["load"])


def load_text(load: Mapping[str, Any]) -> str:
    levels = {name: value for name, value in load.items() if name != "kind"}
    if [*levels] == ["connections"]:
        return f"{levels['connections']} connections"
    return ", ".join(f"{name} {value}" for name, value in levels.items())


def _estimate(estimate: Mapping[str, Any] | None) -> float | None:
    return estimate["estimate"] if estimate else None


def _ratio(comparison: Mapping[str, Any] | None) -> float | None:
    return comparison["ratio"]["estimate"] if comparison else None


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _counter(one: Mapping[str, Any]) -> str:
    """Return what counts of instructions depend on: the counter, and how long the checkout's path is."""
    path = f", a path of {length} characters" if (length := one.get("path_length")) else ""
    return f"{one['counter'] or ''}{path}"
