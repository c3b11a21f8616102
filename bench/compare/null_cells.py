"""Null cells: equal code beside itself. One that is flagged is a false alarm, and all are counted."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench.analysis import analyse
from bench.analysis.comparisons import Comparison, comparisons, verdict_of
from bench.analysis.rows import unfit
from bench.analysis.statistics import FEWEST_FOR_INTERVAL, Estimate, binomial_limit
from bench.compare.changes import COUNT_MARGINS, SIDES, CountChange, count_changes, family_member
from bench.compare.checkouts import WORKTREE
from bench.compare.significance import FALSE_ALARMS, adjusted_p
from bench.errors import UsageError
from bench.files import text_of, write_atomically
from bench.model.contender import name_of
from bench.model.plan import MARGINS
from bench.records import Run
from bench.report.wording import plural

LEDGER = "null-cells.csv"  # in results/
DIGITS = 12  # of a run's hash
Flag = Literal["", "slower", "faster"]
Beside = Literal["twin", "head"]  # head: of a diff of a commit with itself


@dataclass(frozen=True, slots=True, kw_only=True)
class NullCell:
    """One metric of a contender beside itself. A row of the ledger has these columns."""

    date: str  # when its run began, UTC
    run: str  # a hash: the ledger has each run once
    machine: str  # its class
    runtime: str
    plan: str
    cell: str  # contender, and scenario with load, or what was counted
    beside: Beside
    metric: str
    rounds: int  # 0: counted, not timed
    ratio: float
    low: float | None
    high: float | None
    margin: float
    flagged: Flag  # what a report, or a diff, would have called it


COLUMNS = tuple(one.name for one in fields(NullCell))


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """How many null cells were flagged."""

    cells: int
    flags: int
    runs: int

    @property
    def limit(self) -> float:
        """The exact upper limit of the rate, at 95 %."""
        return binomial_limit(self.flags, self.cells)

    def __str__(self) -> str:
        limit = f"{self.limit * 100:.2f} %" if self.cells else "unknown"
        of = f"{plural(self.cells, 'null cell')} of {plural(self.runs, 'run')}"
        return f"{self.flags:,} of {of} were flagged: a rate of at most {limit} (exact, one-sided, 95 %)"


def null_cells(run: Run) -> tuple[NullCell, ...]:
    """Return the cells of *run* in which a contender is beside itself, if they have an interval or a count.

    The noise floor blocks nothing here: it would hide a flag. Raises UsageError for a run that is partial or
    not valid, as no report shows its ratios.
    """
    analysis = analyse(run)
    if analysis.partial or not analysis.valid:
        raise UsageError(analysis.invalid or "the run is partial")
    kept_out = unfit(analysis.rows)
    twins = analysis.noise_floors
    heads: list[Comparison] = []
    counts: Sequence[CountChange] = ()
    if is_of_equals(run):
        found = comparisons(run, kept_out)
        heads = [one for one in found if not name_of(one.cell.contender).is_twin]
        counts = [one for one in count_changes(run, kept_out) if one.verdict != "inconclusive"]
    return (
        *_timed(run, twins, "twin"),
        *_timed(run, heads, "head"),
        *(_counted(run, one) for one in counts),
    )


def is_of_equals(run: Run) -> bool:
    """Return whether *run* is a diff of a commit with itself, or with a clean working tree of it."""
    baseline, project = run.plan.baseline, run.fingerprint.get("project", {})
    if not baseline or run.runtime == "external":
        return False
    heads = {name_of(one.name).revision for one in run.contenders} - {baseline}
    if heads == {f"{baseline}-head"}:
        return True
    is_clean = project.get("dirty") is False and str(project.get("commit")).startswith(baseline)
    return heads == {WORKTREE} and is_clean


def _timed(run: Run, compared: Sequence[Comparison], beside: Beside) -> Iterator[NullCell]:
    """Yield the cells with an interval. All of them are judged together, as a diff would judge them."""
    measured = [one for one in compared if one.ratio and one.rounds >= FEWEST_FOR_INTERVAL]
    together = {
        side: adjusted_p([family_member(run, one, side) for one in measured]) for side in SIDES if measured
    }
    for place, one in enumerate(measured):
        assert one.ratio
        margin = run.plan.margins[one.metric]
        alone = verdict_of(one.metric, one.ratio, margin)
        flagged: Flag = alone if alone == "slower" or alone == "faster" else ""
        for side in SIDES:
            if together[side][place] <= FALSE_ALARMS:
                flagged = side
        yield _null_cell(
            run,
            cell=f"{_who(one.cell.contender)}, {one.cell.scenario}, {one.cell.load.title}",
            beside=beside,
            metric=one.metric,
            rounds=one.rounds,
            ratio=one.ratio,
            margin=margin,
            flagged=flagged,
        )


def _counted(run: Run, one: CountChange) -> NullCell:
    margin = COUNT_MARGINS.get(one.counted) or run.plan.margins.get(one.counted, MARGINS["instructions"])
    return _null_cell(
        run,
        cell=f"{one.contender}, {one.of}",
        beside="head",
        metric=one.counted,
        rounds=0,
        ratio=Estimate(estimate=one.head / one.base if one.base else 1.0),
        margin=margin,
        flagged=one.verdict if one.verdict == "slower" or one.verdict == "faster" else "",
    )


def _null_cell(
    run: Run,
    *,
    cell: str,
    beside: Beside,
    metric: str,
    rounds: int,
    ratio: Estimate,
    margin: float,
    flagged: Flag,
) -> NullCell:
    return NullCell(
        date=datetime.fromisoformat(run.started_at).astimezone(UTC).date().isoformat(),
        run=hash_of(run),
        machine=run.fingerprint.get("machine", {}).get("class", "unknown"),
        runtime=run.runtime,
        plan=run.plan.name,
        cell=cell,
        beside=beside,
        metric=metric,
        rounds=rounds,
        ratio=round(ratio.estimate, 5),
        low=None if ratio.low is None else round(ratio.low, 5),
        high=None if ratio.high is None else round(ratio.high, 5),
        margin=margin,
        flagged=flagged,
    )


def _who(contender: str) -> str:
    return name_of(contender).unrevised


def hash_of(run: Run) -> str:
    facts = [run.started_at, run.runtime, run.plan.name, run.fingerprint.get("project", {}).get("commit")]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:DIGITS]


def read_ledger(file: Path) -> tuple[NullCell, ...]:
    """Return the cells of a ledger, none if there is no such file; raises UsageError if it is damaged."""
    if not file.exists():
        return ()
    try:
        rows = csv.DictReader(io.StringIO(text_of(file), newline=""), strict=True)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise UsageError(f"{file} is no ledger of null cells: its first line is not {','.join(COLUMNS)}")
        return tuple(_read(row) for row in rows)
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{file}, line {rows.line_num}, is damaged: {error}: take it from git") from error
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error


def _read(row: Mapping[str, str]) -> NullCell:
    if None in row or None in row.values():
        raise ValueError(f"it has not {len(COLUMNS)} columns")
    if row["flagged"] not in ("", *SIDES):
        raise ValueError(f"{row['flagged']!r} is no flag")
    numbers = {name: float(row[name]) for name in ("ratio", "margin")}
    bounds = {name: float(row[name]) if row[name] else None for name in ("low", "high")}
    return NullCell(**{**row, **numbers, **bounds, "rounds": int(row["rounds"])})  # type: ignore[arg-type]


def added(ledger: Sequence[NullCell], cells: Iterable[NullCell]) -> tuple[NullCell, ...]:
    """Return those of *cells* whose run is not in *ledger*."""
    known = {one.run for one in ledger}
    return tuple(one for one in cells if one.run not in known)


def append(file: Path, cells: Sequence[NullCell]) -> None:
    """Add *cells* to the end of the ledger in *file*. Lines that are there stay as they are."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    if not file.exists():
        rows.writerow(COLUMNS)
    for one in cells:
        rows.writerow("" if value is None else value for value in asdict(one).values())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_bytes() if file.exists() else b""
        if before and not before.endswith(b"\n"):
            before += b"\n"
        write_atomically(file, before + text.getvalue().encode())
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}: name another file with --ledger") from error


def false_alarms(ledger: Sequence[NullCell]) -> FalseAlarms:
    return FalseAlarms(
        cells=len(ledger),
        flags=sum(bool(one.flagged) for one in ledger),
        runs=len({one.run for one in ledger}),
    )
