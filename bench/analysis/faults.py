"""What is wrong with a side of a diff, where it was found, and whether the other side is right there.

Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.analysis import Analysis
from bench.analysis.rows import MOST_WRONG, Row
from bench.analysis.wrong import wrong_answers
from bench.model.cell import Cell
from bench.model.contender import name_of
from bench.records import Run, Try, Verification

Whose = Literal["head", "base", "both"]
Where = Literal["start", "try", "checks", "load"]

# Share of wrong answers in the median round. From here on a head is at fault if the base keeps to
# MOST_WRONG: ten times as many cannot be chance.
PLAINLY_WRONG = 10 * MOST_WRONG
ANSWERED = ("status", "body", "framing")  # kinds of failures that are answers
FEWEST_ROUNDS = 6  # in each of them the head has the larger share: 1 in 64 by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Wrong answers of a contender, or no answers, on one side or on both."""

    contender: str  # without a revision
    name: str  # with it, of the side at fault; of the head where both are
    whose: Whose
    where: Where
    of: str = ""  # exchange, or the scenario under load
    request: str = ""
    expected: str = ""
    got: str = ""
    status: int | None = None
    share: float | None = None  # of the answers under load
    proven: bool = True  # more than chance explains, for a head

    @property
    def is_broken(self) -> bool:
        return self.whose == "head" and self.proven

    @property
    def in_contrast(self) -> str:
        other = "base" if self.whose == "head" else "head"
        return f"{self}; the {other} {'can' if self.where == 'start' else 'does not'}"

    def __str__(self) -> str:
        side = "the head, and the base likewise" if self.whose == "both" else f"the {self.whose}"
        who = f"{self.name} ({side})"
        match self.where:
            case "start":
                return f"{who} cannot be served: {self.got}"
            case "checks":
                return f"{who} fails its checks: {self.got}"
            case "load":
                doubt = "" if self.proven else "; that is not beyond chance"
                return f"{who} gave wrong answers under load, {self.of}: {self.got}{doubt}"
            case "try":
                return f"{who} answers wrongly, {self.of}: {self.request}: {self.expected}{_behind(self.got)}"


def of_tries(run: Run) -> tuple[Fault, ...]:
    """Return what one request of each exchange showed; without an exchange a server did not start.

    Answers that are wrong only sometimes are left to the load, which has enough of them.
    """
    known = {(one.contender, one.exchange): one for one in run.tries}
    found = []
    for base, head in pairs(run):
        for exchange in dict.fromkeys(one.exchange for one in run.tries if one.contender in (base, head)):
            there, here = known.get((base, exchange)), known.get((head, exchange))
            faults = [one for one in (here, there) if one and one.wrong and not one.right_again]
            if not any(one.sent for one in faults) or (exchange and not (here and there)):
                continue
            whose: Whose = "both" if len(faults) == 2 else "head" if faults[0] is here else "base"
            found.append(_of_try(next(one for one in faults if one.sent), whose))
    return tuple(found)


def of_checks(run: Run) -> tuple[Fault, ...]:
    failed = {one.contender: one for one in run.verifications if one.outcome == "failed"}
    found = []
    for base, head in pairs(run):
        if faults := [failed[name] for name in (head, base) if name in failed]:
            whose: Whose = "both" if len(faults) == 2 else "head" if head in failed else "base"
            found.append(_of_checks(faults[0], whose))
    return tuple(found)


def of_load(analysis: Analysis) -> tuple[Fault, ...]:
    rows = {row.cell: row for row in analysis.rows}
    found = []
    for base, head in pairs(analysis.run):
        for cell, row in rows.items():
            beside = rows.get(Cell(contender=base, scenario=cell.scenario, load=cell.load))
            if cell.contender == head and beside and (row.withheld or beside.withheld):
                found.append(_of_load(analysis, row, beside))
    return tuple(found)


def pairs(run: Run) -> Iterator[tuple[str, str]]:
    for one in run.contenders:
        if run.plan.baseline and not name_of(one.name).is_twin:
            base = run.plan.reference_of(one.name)
            if base != one.name:
                yield base, one.name


def answered(one: Try) -> str:
    return "" if one.status is None else f"{one.status} {one.answer}".rstrip()


def sentence(one: Try) -> str:
    request = f"{one.exchange}: {one.request}: " if one.exchange else ""
    again = f"; right in {one.right_again} more requests" if one.right_again else ""
    return f"{request}{one.wrong}{_behind(answered(one))}{again}"


def _behind(got: str) -> str:
    return f", got {got}" if got else ""


def _of_try(one: Try, whose: Whose) -> Fault:
    return Fault(
        contender=name_of(one.contender).unrevised,
        name=one.contender,
        whose=whose,
        where="try" if one.exchange else "start",
        of=one.exchange,
        request=one.request,
        expected=one.wrong if one.exchange else "",
        got=answered(one) if one.exchange else one.wrong,
        status=one.status,
    )


def _of_checks(one: Verification, whose: Whose) -> Fault:
    return Fault(
        contender=name_of(one.contender).unrevised,
        name=one.contender,
        whose=whose,
        where="checks",
        got=one.differences[0],
    )


def _of_load(analysis: Analysis, row: Row, beside: Row) -> Fault:
    whose: Whose = "both" if row.withheld and beside.withheld else "head" if row.withheld else "base"
    at_fault = beside if whose == "base" else row
    request, _, rest = (at_fault.examples[0] if at_fault.examples else "").partition(": expected ")
    expected, _, got = rest.partition(", got ")
    return Fault(
        contender=name_of(at_fault.cell.contender).unrevised,
        name=at_fault.cell.contender,
        whose=whose,
        where="load",
        of=at_fault.cell.scenario,
        request=request,
        expected=f"expected {expected}" if expected else "",
        got=_under_load(at_fault),
        status=int(got[:3]) if got[:3].isdecimal() else None,
        share=at_fault.failed / at_fault.answers if at_fault.answers else None,
        proven=whose != "head" or _is_proven(analysis, row, beside),
    )


def _under_load(row: Row) -> str:
    if not row.is_wrong:
        return f"no right answer in round {row.silent}"
    example = f"; {row.examples[0]}" if row.examples else ""
    return f"{wrong_answers(row)}{example}"


def _is_proven(analysis: Analysis, row: Row, beside: Row) -> bool:
    """Whether a head gives more wrong answers than chance explains, while the base keeps to the limit.

    The round is the unit, because failures come in bursts.
    """
    if not row.right and not row.failed:
        return not analysis.invalid and row.rounds > 1
    shares, others = (_shares(analysis.run, one.cell) for one in (row, beside))
    if shares and median(shares.values()) > PLAINLY_WRONG:
        return True
    both = shares.keys() & others.keys()
    return len(both) >= FEWEST_ROUNDS and all(shares[number] > others[number] for number in both)


def _shares(run: Run, cell: Cell) -> dict[int, float]:
    """Return the share of wrong answers in each round.

    A wrong answer counts in every slice, whoever else used the machine. A missing answer counts only in
    slices that count.
    """
    rounds: dict[int, tuple[int, int]] = {}
    for record in run.records:
        if record.slice.cell == cell and record.slice.role in ("measure", "control"):
            wrong = sum(
                count
                for kind, count in record.sample.failures.items()
                if record.void is None or kind.startswith(ANSWERED)
            )
            before, of = rounds.get(record.slice.round, (0, 0))
            rounds[record.slice.round] = before + wrong, of + record.sample.requests + wrong
    return {number: wrong / of for number, (wrong, of) in rounds.items() if of}
