"""What a revision changed for each contender: times by a joint test of all cells, counts as they are."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from bench.analysis.comparisons import (
    MORE_IS_BETTER,
    Comparison,
    Verdict,
    blocked,
    comparisons,
    log_ratios,
    noise_floor_of,
    noise_floors,
    verdict_of,
)
from bench.analysis.instruction_changes import ratios, unsteady, verdict_of_seeds
from bench.analysis.measures import by_cell
from bench.analysis.rows import COARSE, LIMITED, PACED
from bench.analysis.statistics import FEWEST_FOR_INTERVAL
from bench.analysis.written_data import not_put_back, written_no_more, wrote
from bench.compare.significance import FALSE_ALARMS, FamilyCell, adjusted_p
from bench.model.cell import Cell
from bench.model.contender import name_of
from bench.model.plan import MARGINS
from bench.records import Instructions, Queries, Record, Run
from bench.report.wording import percent_more

Side = Literal["slower", "faster"]
Counted = Literal["statements", "instructions", "response_bytes", "memory_bytes"]

# How much a count may grow. Statements grow by what a new connection's set-up costs under way, and by less
# than one more of any number. Lengths and memory grow by little.
COUNT_MARGINS: Mapping[Counted, float] = {"statements": 0.01, "response_bytes": 0.02, "memory_bytes": 0.10}
FEWEST_FAIR = 3  # sweeps in which the longer side wrote no more
ROUNDING = 1 + 1e-6
HALF = 0.5  # of a statement: a thousand may not grow by ten


SIDES: tuple[Side, Side] = ("slower", "faster")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeChange:
    """A cell of the head relative to the same cell of the base, in one metric."""

    comparison: Comparison
    margin: float
    adjusted_p: float | None  # that the change is beyond the margin on its side, for all cells together
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountChange:
    """A value that hardly varies: per request of an exchange or cell, in the base and in the head."""

    contender: str  # without a revision
    counted: Counted
    of: str  # exchange or scenario
    base: float
    head: float
    verdict: Verdict
    appeared: Mapping[str, float]  # statement → how many more per request; for statements only
    gone: Mapping[str, float]
    why: str = ""  # of an inconclusive change


def time_changes(run: Run, unfit: Mapping[Cell, str]) -> tuple[TimeChange, ...]:
    """Return the change of every cell between the revisions of *run*, without A/A twins.

    Slower holds for all cells together: sign-flips of whole rounds (`families`), with a chance of a false
    alarm of 5 % at most. The same holds for faster. Equivalent: the cell's own interval lies within its
    margin.
    """
    compared = [
        one
        for one in comparisons(run, unfit)
        if not name_of(one.cell.contender).is_twin and not _has_no_clock(run, one)
    ]
    floors = noise_floors(run, unfit)
    measured = [one for one in compared if one.ratio and one.rounds >= FEWEST_FOR_INTERVAL]
    families = {side: [family_member(run, one, side) for one in measured] for side in SIDES if measured}
    levels = {side: adjusted_p(family) for side, family in families.items()}
    judged = {
        (one.cell, one.metric): _judged(run, one, levels[_side(one)][place], floors)
        for place, one in enumerate(measured)
    }
    return tuple(judged.get((one.cell, one.metric)) or _unjudged(run, one) for one in compared)


def _has_no_clock(run: Run, one: Comparison) -> bool:
    """Return whether CPU is compared of servers that we did not start, and whose processes are not known."""
    if run.runtime != "external" or one.metric != "service_demand_us":
        return False
    cells = (one.cell, replace(one.cell, contender=one.reference))
    return all(record.usage.server_cpu_s is None for cell in cells for record in by_cell(run).get(cell, ()))


def _side(one: Comparison) -> Side:
    more = one.ratio is not None and one.ratio.estimate > 1
    return "faster" if more == MORE_IS_BETTER[one.metric] else "slower"


def family_member(run: Run, one: Comparison, side: Side) -> FamilyCell:
    """Return the question whether a cell is beyond its margin on a *side*.

    Slower is more CPU, or fewer requests.
    """
    reference = replace(one.cell, contender=one.reference)
    return FamilyCell(
        log_ratios=log_ratios(run.records, one.cell, reference, one.metric),
        log_margin=math.log1p(run.plan.margins[one.metric]),
        towards=1 if (side == "faster") == MORE_IS_BETTER[one.metric] else -1,
    )


def _judged(run: Run, one: Comparison, level: float, floors: Sequence[Comparison]) -> TimeChange:
    margin, ratio = run.plan.margins[one.metric], one.ratio
    verdict, why = verdict_of(one.metric, ratio, margin), ""
    if ratio and level <= FALSE_ALARMS:
        verdict = _side(one)
        floor = noise_floor_of(one.cell, one.metric, floors, one.reference)
        if floor and blocked(one.metric, ratio, floor.ratio, margin):
            verdict, why = "inconclusive", "the noise floor shows as much between equals"
    elif verdict in ("faster", "slower"):
        verdict, why = "inconclusive", f"alone it would be {verdict}, among so many it may be chance"
    return TimeChange(comparison=one, margin=margin, adjusted_p=level, verdict=verdict, why=why)


def _unjudged(run: Run, one: Comparison) -> TimeChange:
    why = one.withheld or (
        f"{one.rounds} of the {FEWEST_FOR_INTERVAL} rounds that are needed"
        if one.rounds
        else "no sweep in which both have a value"
    )
    return TimeChange(
        comparison=one, margin=run.plan.margins[one.metric], adjusted_p=None, verdict="invalid", why=why
    )


def count_changes(run: Run, unfit: Mapping[Cell, str]) -> tuple[CountChange, ...]:
    """Return the changes of statements, response bytes and memory, where both revisions have them.

    Bytes and memory of *unfit* cells are left out if answers were wrong.
    """
    wrong = {cell for cell, why in unfit.items() if not why.startswith((LIMITED, COARSE, PACED))}
    return (
        *_statements(run),
        *_instructions(run),
        *_per_cell(run, "response_bytes", _bytes, wrong),
        # A server that we did not start has a life before the run, and the base gets more requests in it.
        *(() if run.runtime == "external" else _per_cell(run, "memory_bytes", _memory, wrong)),
    )


def _statements(run: Run) -> Iterator[CountChange]:
    counted = {(one.contender, one.exchange): one for one in run.queries}
    counting = {one.contender for one in run.queries if one.statements}
    for (name, exchange), head in counted.items():
        reference = run.plan.reference_of(name)
        base = counted.get((reference, exchange))
        if base is None or reference == name or name_of(name).is_twin:
            continue
        if base.per_request is None or head.per_request is None or not counting & {name, reference}:
            continue
        if base.counted_by == head.counted_by:
            verdict = _count_verdict("statements", base.per_request, head.per_request)
            appeared, gone = _more(head, base), _more(base, head)
            clear = _beyond_one_call(appeared, base, head), _beyond_one_call(gone, base, head)
            if verdict == "equivalent" or any(clear):  # else they explain the change only together
                appeared, gone = clear
            yield CountChange(
                contender=name_of(name).unrevised,
                counted="statements",
                of=exchange,
                base=base.per_request,
                head=head.per_request,
                verdict=verdict,
                appeared=appeared,
                gone=gone,
            )


def _instructions(run: Run) -> Iterator[CountChange]:
    counted = {(one.contender, one.scenario): one for one in run.instructions if one.windows}
    for (name, scenario), head in counted.items():
        base = counted.get((run.plan.reference_of(name), scenario))
        if base is None or base is head:
            continue
        verdict, why = _instructions_verdict(run, base, head)
        yield CountChange(
            contender=name_of(name).unrevised,
            counted="instructions",
            of=scenario,
            base=base.per_request or 0.0,
            head=head.per_request or 0.0,
            verdict=verdict,
            appeared={},
            gone={},
            why=why,
        )


def lacks_counts(run: Run) -> bool:
    """Whether the instructions of something were to be counted, and are not known of both sides."""
    return run.plan.count and not (run.instructions and all(one.windows for one in run.instructions))


def _instructions_verdict(run: Run, base: Instructions, head: Instructions) -> tuple[Verdict, str]:
    """Return the verdict, and its doubt."""
    if spread := unsteady(base, head):
        return "inconclusive", does_not_hold_still(spread)
    if base.counter != head.counter:
        return "inconclusive", f"the base was counted by {base.counter}, the head by {head.counter}"
    by_seed = ratios(base.usual, head.usual)
    verdict = verdict_of_seeds(by_seed, run.plan.margins.get("instructions", MARGINS["instructions"]))
    return verdict, on_two_sides(by_seed) if verdict == "inconclusive" else ""


def does_not_hold_still(spread: float) -> str:
    return f"it does not hold still: {spread * 100:.1f} % between windows"


def on_two_sides(by_seed: Sequence[float]) -> str:
    """Return why ratios of instructions have no verdict."""
    each = " and ".join(percent_more(ratio, 2) for ratio in by_seed)
    return f"{each} by hash seed: on both sides of the margin"


def uncounted(run: Run) -> Iterator[str]:
    """Yield the contenders whose statements are not compared, and why."""
    by_name: dict[str, list[Queries]] = {}
    for one in run.queries:
        by_name.setdefault(one.contender, []).append(one)
    for name, head in by_name.items():
        reference = run.plan.reference_of(name)
        base = by_name.get(reference, [])
        if not base or reference == name or name_of(name).is_twin:
            continue
        which = name_of(name).unrevised
        ways = {one.counted_by for one in (*base, *head)}
        if None in ways:
            sides = (("base", base), ("head", head))
            whys = {side: one.why for side, of in sides for one in of if one.counted_by is None}
            reasons = "; ".join(f"the {side}: {why}" for side, why in whys.items())
            yield f"SQL statements were not counted for {which}: {reasons}."
        elif len(ways) > 1:
            ways_of = " in the base, by ".join(str(of[0].counted_by) for of in (base, head))
            yield f"SQL statements are not compared for {which}: counted by {ways_of} in the head."
        elif not any(one.statements for one in (*base, *head)):
            where = "any counted driver" if "driver" in ways else f"its {ways.pop()}"
            yield f"SQL statements of {which} are not compared: none was counted in {where}."
        for one in (*base, *head):
            if one.counted_by and one.per_request is None:
                why = f"{one.failed:,} requests failed" if one.failed else "no request was answered in time"
                yield f"SQL statements were not counted for {one.contender}, {one.exchange}: {why}."


def _more(one: Queries, other: Queries) -> Mapping[str, float]:
    more = {text: calls - other.statements.get(text, 0.0) for text, calls in one.statements.items()}
    return {text: calls for text, calls in more.items() if calls > 0}


def _beyond_one_call(more: Mapping[str, float], base: Queries, head: Queries) -> Mapping[str, float]:
    """Return those of *more* that are more than one call in a whole count: a connection that was set up."""
    one_call = 1 / max(1, min(base.requests, head.requests))
    return {text: calls for text, calls in more.items() if calls >= 1 or calls > one_call * ROUNDING}


def _per_cell(
    run: Run, counted: Counted, measure: Callable[[Sequence[Record]], float | None], wrong: Collection[Cell]
) -> Iterator[CountChange]:
    measured = by_cell(run)
    for cell, records in measured.items():
        reference = replace(cell, contender=run.plan.reference_of(cell.contender))
        if reference == cell or name_of(cell.contender).is_twin or reference not in measured:
            continue
        if cell in wrong or reference in wrong:
            continue
        base, head = measure(measured[reference]), measure(records)
        if base and head:
            change = CountChange(
                contender=name_of(cell.contender).unrevised,
                counted=counted,
                of=cell.scenario,
                base=base,
                head=head,
                verdict=_count_verdict(counted, base, head),
                appeared={},
                gone={},
            )
            yield _doubted(run, change, cell, reference) if counted == "response_bytes" else change


def _doubted(run: Run, change: CountChange, cell: Cell, reference: Cell) -> CountChange:
    """Return *change* without its verdict if rows that were written may explain it alone."""
    if change.verdict == "equivalent":
        return change
    for side in (reference, cell):
        if left := not_put_back(run, side):
            why = f"data are not put back after writing: {left[0]}"
            return replace(change, verdict="inconclusive", why=why)
    if not (wrote(run, cell) or wrote(run, reference)):
        return change
    measured = by_cell(run)
    longer, shorter = (cell, reference) if change.verdict == "slower" else (reference, cell)
    fair = [*written_no_more(measured[longer], measured[shorter])]
    of_longer, of_shorter = _bytes([one for one, _ in fair]), _bytes([other for _, other in fair])
    margin = COUNT_MARGINS[change.counted]
    if len(fair) >= FEWEST_FAIR and of_longer and of_shorter and of_longer > of_shorter * (1 + margin):
        return change
    why = "the longer side wrote more, and answers grow with what is written"
    return replace(change, verdict="inconclusive", why=why)


def _bytes(records: Sequence[Record]) -> float | None:
    each = [
        one.sample.received_bytes / one.sample.requests
        for one in records
        if one.sample.requests and not one.sample.failed
    ]
    return median(each) if each else None


def _memory(records: Sequence[Record]) -> float | None:
    most: dict[int, int] = {}
    for one in records:
        if one.usage.memory_bytes is not None:
            most[one.slice.round] = max(most.get(one.slice.round, 0), one.usage.memory_bytes)
    return median(most.values()) if most else None


def _count_verdict(counted: Counted, base: float, head: float) -> Verdict:
    margin = COUNT_MARGINS[counted]
    if counted == "statements":
        allowed = min(HALF, margin * max(1.0, min(base, head)))
        if abs(head - base) <= allowed:
            return "equivalent"
        return "slower" if head > base else "faster"
    if head > base * (1 + margin):
        return "slower"
    return "faster" if head < base / (1 + margin) else "equivalent"
