"""What `bench diff` concludes from a run of two revisions: one verdict, and its reasons. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from bench.analysis import Analysis
from bench.analysis.caveats import client_caveats
from bench.analysis.comparisons import Verdict
from bench.analysis.faults import Fault, of_checks, of_load, of_tries
from bench.analysis.processes import process_changes
from bench.analysis.rows import Row, unfit
from bench.compare.changes import (
    CountChange,
    TimeChange,
    count_changes,
    lacks_counts,
    time_changes,
    uncounted,
)
from bench.compare.upgrade_move import UpgradeMove
from bench.model.contender import name_of
from bench.project.waivers import Waiver, leftover
from bench.records import Run
from bench.report import instructions

Overall = Literal["BROKEN", "REGRESSED", "IMPROVED", "EQUIVALENT", "INCONCLUSIVE", "INVALID"]
# The exit code of each. 1: the head is at fault. 3: nothing known is at fault. 4 only if it was requested.
EXIT_CODES: dict[Overall, int] = {
    "BROKEN": 1,
    "REGRESSED": 1,
    "IMPROVED": 0,
    "EQUIVALENT": 0,
    "INCONCLUSIVE": 0,
    "INVALID": 3,
}


APART = ("statements", "instructions")  # counted before anything is timed
AnyChange = TimeChange | CountChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The verdict on a head, with every change that it depends on."""

    overall: Overall
    times: tuple[TimeChange, ...]
    counts: tuple[CountChange, ...]
    waived: tuple[tuple[AnyChange, Waiver], ...]
    broken: tuple[Fault, ...] = ()  # what the head answers wrongly and the base does not
    invalid: tuple[str, ...]  # what could not be judged at all, and why
    notes: tuple[str, ...]
    moved: tuple[UpgradeMove, ...] = ()  # by an upgrade

    @property
    def exit_code(self) -> int:
        """The exit code, unless something else stopped the run."""
        return EXIT_CODES[self.overall]

    @property
    def regressed(self) -> tuple[AnyChange, ...]:
        """What got worse, without an accepted waiver."""
        accepted = [change for change, _ in self.waived]
        changes: tuple[AnyChange, ...] = (*self.times, *self.counts)
        return tuple(one for one in changes if one.verdict == "slower" and one not in accepted)


def concluded(
    analysis: Analysis, waivers: Sequence[Waiver] = (), notes: Sequence[str] = (), *, today: date
) -> Conclusion:
    """Return the conclusion about the head of the analysed run.

    BROKEN: the head answers wrongly, or cannot be served, and the base is right. REGRESSED: something is
    slower beyond its margin, all cells together, or does more, and no waiver covers it. INVALID: the run or
    one of its contenders is. INCONCLUSIVE: a run was cut short, or a cell is neither proven nor within its
    margin. For a contender that answers wrongly, only what got worse counts.
    """
    run = analysis.run
    faults = (*of_tries(run), *of_checks(run), *of_load(analysis))
    broken = tuple(one for one in faults if one.is_broken)
    invalid = tuple(one for one in faults if one.whose != "base" and not one.is_broken)
    kept_out = unfit(analysis.rows)
    wrong = {one.contender for one in (*broken, *invalid)}
    timed = time_changes(run, kept_out) if run.plan.timed else ()
    times = tuple(_apart(one, wrong) for one in timed)
    counts = tuple(
        one for one in count_changes(run, kept_out) if one.verdict == "slower" or one.contender not in wrong
    )
    changes: tuple[AnyChange, ...] = (*times, *counts)
    waived = tuple(_waived(changes, waivers, today))
    judged = {place(one)[:2] for one in changes} if not analysis.partial else set()
    concerned = [one for one in waivers if (one.contender, one.of) in judged]
    known_faults = [str(one) for one in (*broken, *invalid)]
    remarks = [note for note in notes if not any(note.startswith(one) for one in known_faults)]
    remarks += (*_fixed(faults), *_skipped(run))
    conclusion = Conclusion(
        overall="INCONCLUSIVE",
        times=times,
        counts=counts,
        waived=waived,
        broken=broken,
        invalid=(*map(str, invalid), *_invalid(analysis, is_broken=bool(broken))),
        notes=(
            *remarks,
            *process_changes(run),
            *uncounted(run),
            *instructions.uncounted(run.instructions),
            *_not_put_back(run),
            *_clients(analysis.rows),
            *leftover(concerned, [one for _, one in waived], today),
        ),
    )
    return replace(conclusion, overall=_overall(analysis, conclusion))


def worse_by(change: AnyChange) -> float:
    """Return by how much a regression is worse; 0.1: 10 %."""
    if isinstance(change, CountChange):
        return change.head / change.base - 1 if change.base else float("inf")
    ratio = change.comparison.ratio
    if ratio is None:
        return 0.0
    estimate = ratio.estimate
    return 1 - estimate if change.comparison.metric == "throughput_rps" else estimate - 1


def place(change: AnyChange) -> tuple[str, str, str]:
    """Return contender, scenario or exchange, and metric of a change, as a waiver names them."""
    if isinstance(change, CountChange):
        return change.contender, change.of, change.counted
    one = change.comparison
    return name_of(one.cell.contender).unrevised, one.cell.scenario, one.metric


def _waived(
    changes: Sequence[AnyChange], waivers: Sequence[Waiver], today: date
) -> Iterator[tuple[AnyChange, Waiver]]:
    for change in changes:
        covering = (one for one in waivers if one.covers(*place(change), worse_by(change), today))
        if change.verdict == "slower" and (waiver := next(covering, None)):
            yield change, waiver


def _apart(change: TimeChange, wrong: Collection[str]) -> TimeChange:
    """Return *change* without its verdict if its contender answers wrongly anywhere, unless it is slower."""
    name = name_of(change.comparison.cell.contender).unrevised
    if name not in wrong or change.verdict in ("slower", "invalid"):
        return change
    return replace(change, verdict="invalid", why=f"{name} answers wrongly")


def _overall(analysis: Analysis, conclusion: Conclusion) -> Overall:
    if conclusion.broken:
        return "BROKEN"
    if analysis.run.ended in (None, "interrupted") or is_empty(analysis.run):
        return "INCONCLUSIVE"
    if analysis.invalid and not (analysis.run.ended == "complete" and _does_more(conclusion)):
        return "INVALID"
    if conclusion.regressed:
        return "REGRESSED"
    if conclusion.invalid:
        return "INVALID"
    verdicts: set[Verdict] = {one.verdict for one in conclusion.times}
    verdicts |= {one.verdict for one in conclusion.counts}
    run = analysis.run
    if not run.plan.timed and lacks_counts(run):
        return "INCONCLUSIVE"
    judged = conclusion.times or (conclusion.counts and not analysis.run.plan.timed)
    if "inconclusive" in verdicts or "invalid" in verdicts or not judged:
        return "INCONCLUSIVE"
    return "IMPROVED" if "faster" in verdicts else "EQUIVALENT"


def _does_more(conclusion: Conclusion) -> bool:
    """Whether a request takes more statements or instructions. They are counted apart from all slices."""
    return any(isinstance(one, CountChange) and one.counted in APART for one in conclusion.regressed)


def is_empty(run: Run) -> bool:
    return run.ended == "complete" and not run.plan.blocks


def _invalid(analysis: Analysis, *, is_broken: bool) -> Iterator[str]:
    """Yield why the run shows nothing. A run that ended because of a broken head needs no more notes."""
    run = analysis.run
    if analysis.invalid and not is_empty(run) and not (is_broken and run.ended == "failed"):
        yield analysis.invalid


def _fixed(faults: Sequence[Fault]) -> Iterator[str]:
    for one in faults:
        if one.whose == "base" and one.where in ("checks", "load"):
            yield f"{one.in_contrast}: compared with nothing"


def _skipped(run: Run) -> Iterator[str]:
    for known in run.verifications:
        if known.outcome == "skipped":
            yield f"{_sided(run, known.contender)} was not timed: {known.differences[0]}"


def _not_put_back(run: Run) -> Iterator[str]:
    left = dict.fromkeys((one.contender, one.left) for one in run.written if one.left)
    for name, why in left:
        yield f"{_sided(run, name)}: its data are not put back after writing: {why}"


def _clients(found: Sequence[Row]) -> Iterator[str]:
    """Yield once for a cell of both sides what its client is, where that is Locust's own."""
    cells: dict[str, list[str]] = {}
    for row in found:
        for line in client_caveats(row):
            cells.setdefault(f"{row.cell.scenario}, {row.cell.load.title}", []).append(line)
    yield from (f"{cell}: {lines[0]}" for cell, lines in cells.items())


def _sided(run: Run, name: str) -> str:
    side = "base" if name_of(name).revision == run.plan.baseline else "head"
    return f"{name} (the {side})"
