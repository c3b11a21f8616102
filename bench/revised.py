"""What `bench diff` concludes from a run of two revisions: one verdict, and what it stands on. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from bench.analysis import (
    Analysis,
    CountChange,
    TimeChange,
    Verdict,
    count_changes,
    process_changes,
    time_changes,
    uncounted,
    unfit,
    without_revision,
)
from bench.model import SAME_AGAIN
from bench.records import Run
from bench.waivers import Waiver, leftover

Overall = Literal["REGRESSED", "IMPROVED", "EQUIVALENT", "INCONCLUSIVE", "INVALID"]
MOST_WRONG = 0.001  # share of answers: beyond it what is compared is not the same work
# By the exit code of each; 4 only where it was asked for.
EXIT_CODES: dict[Overall, int] = {
    "REGRESSED": 1,
    "IMPROVED": 0,
    "EQUIVALENT": 0,
    "INCONCLUSIVE": 0,
    "INVALID": 3,
}


AnyChange = TimeChange | CountChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The verdict on a head, with every change that it is made of."""

    overall: Overall
    times: tuple[TimeChange, ...]
    counts: tuple[CountChange, ...]
    waived: tuple[tuple[AnyChange, Waiver], ...]
    invalid: tuple[str, ...]  # what could not be judged at all, and why
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """What the shell sees, unless something else stopped the run."""
        return EXIT_CODES[self.overall]

    @property
    def regressed(self) -> tuple[AnyChange, ...]:
        """What got worse, and nobody accepted."""
        accepted = [change for change, _ in self.waived]
        changes: tuple[AnyChange, ...] = (*self.times, *self.counts)
        return tuple(one for one in changes if one.verdict == "slower" and one not in accepted)


def concluded(
    analysis: Analysis, waivers: Sequence[Waiver] = (), notes: Sequence[str] = (), *, today: date
) -> Conclusion:
    """Return what the run that is analysed says of its head.

    INVALID where the run or a contender of it is; REGRESSED where anything is slower, beyond its margin, all
    cells together, or does more, and no waiver covers that; INCONCLUSIVE where a run was cut short, or a cell
    is neither proven nor within its margin.
    """
    run = analysis.run
    times = time_changes(run, unfit(analysis.rows))
    counts = count_changes(run)
    changes: tuple[AnyChange, ...] = (*times, *counts)
    waived = tuple(_waived(changes, waivers, today))
    judged = {place(one)[:2] for one in changes} if not analysis.partial else set()
    concerned = [one for one in waivers if (one.contender, one.of) in judged]
    told = Conclusion(
        overall="INCONCLUSIVE",
        times=times,
        counts=counts,
        waived=waived,
        invalid=tuple(_invalid(analysis)),
        notes=(
            *notes,
            *_skipped(run),
            *process_changes(run),
            *uncounted(run),
            *_not_put_back(run),
            *leftover(concerned, [one for _, one in waived], today),
        ),
    )
    return replace(told, overall=_overall(analysis, told))


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
    return without_revision(one.cell.contender), one.cell.scenario, one.metric


def _waived(
    changes: Sequence[AnyChange], waivers: Sequence[Waiver], today: date
) -> Iterator[tuple[AnyChange, Waiver]]:
    for change in changes:
        covering = (one for one in waivers if one.covers(*place(change), worse_by(change), today))
        if change.verdict == "slower" and (waiver := next(covering, None)):
            yield change, waiver


def _overall(analysis: Analysis, told: Conclusion) -> Overall:
    if analysis.run.ended in (None, "interrupted"):
        return "INCONCLUSIVE"
    if analysis.invalid or (told.invalid and not told.regressed):
        return "INVALID"
    if told.regressed:
        return "REGRESSED"
    verdicts: set[Verdict] = {one.verdict for one in told.times} | {one.verdict for one in told.counts}
    if "inconclusive" in verdicts or "invalid" in verdicts or not told.times:
        return "INCONCLUSIVE"
    return "IMPROVED" if "faster" in verdicts else "EQUIVALENT"


def _invalid(analysis: Analysis) -> Iterator[str]:
    """Yield why the run, or a contender of it, says nothing."""
    run = analysis.run
    if analysis.invalid:
        yield analysis.invalid
    for known in run.verifications:
        if known.outcome == "failed":
            name = _sided(run, known.contender)
            yield f"{name} fails its checks: {known.differences[0]}"
    for row in analysis.rows:
        if row.failed > MOST_WRONG * (row.requests + row.failed):
            wrong = f"{row.failed:,} of {row.requests + row.failed:,} answers in {row.cell.scenario}"
            yield f"{_sided(run, row.cell.contender)} gave wrong answers: {wrong}"


def _skipped(run: Run) -> Iterator[str]:
    for known in run.verifications:
        if known.outcome == "skipped":
            yield f"{_sided(run, known.contender)} was not timed: {known.differences[0]}"


def _not_put_back(run: Run) -> Iterator[str]:
    left = dict.fromkeys((one.contender, one.left) for one in run.written if one.left)
    for name, why in left:
        yield f"{_sided(run, name)}: its data are not put back after writing: {why}"


def _sided(run: Run, name: str) -> str:
    side = "base" if name.removesuffix(SAME_AGAIN).endswith(f"@{run.plan.baseline}") else "head"
    return f"{name} (the {side})"
