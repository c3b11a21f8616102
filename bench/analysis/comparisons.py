"""Contenders relative to the reference: pairs by sweep, and the verdict from them."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from types import MappingProxyType
from typing import Literal

from bench.analysis.measures import METRICS, by_cell, by_sweep, with_last_windows
from bench.analysis.statistics import Estimate, paired_log_ratios, ratio_of
from bench.loads import Metric
from bench.model.cell import Cell
from bench.model.contender import name_of
from bench.records import Record, Run

Verdict = Literal["faster", "slower", "equivalent", "inconclusive", "invalid"]

MORE_IS_BETTER: Mapping[Metric, bool] = {"throughput_rps": True, "service_demand_us": False}
MOST_ROUNDS = 200  # above this number "N more rounds would settle it" is no useful advice


def verdict_of(metric: Metric, ratio: Estimate | None, margin: float) -> Verdict:
    """Return the verdict on *ratio* (contender to reference), given a *margin* of 0.05 for 5 %.

    Entirely outside the margin: faster or slower. Entirely inside: equivalent. Otherwise inconclusive.
    Without an interval: invalid. The margin is applied to logarithms, so it is the same from either side.
    """
    if ratio is None or ratio.low is None or ratio.high is None or ratio.low <= 0:
        return "invalid"
    low, high, bound = math.log(ratio.low), math.log(ratio.high), math.log1p(margin)
    if low > bound or high < -bound:
        return "faster" if (low > bound) == MORE_IS_BETTER[metric] else "slower"
    return "equivalent" if -bound <= low and high <= bound else "inconclusive"


def blocked(metric: Metric, ratio: Estimate, floor: Estimate | None, margin: float) -> bool:
    """Return whether *floor*, a contender against itself, forbids a verdict that *ratio* would give.

    It does if its own difference exceeds the margin, or is as large as the difference in *ratio*.
    """
    if floor is None or floor.estimate <= 0:
        return False
    if verdict_of(metric, floor, margin) in ("faster", "slower"):
        return True
    return abs(math.log(floor.estimate)) >= abs(math.log(ratio.estimate))


def proven_faster(metric: Metric, ratio: Estimate | None) -> bool:
    """Return whether the whole interval is on the better side of 1. Ranks use this; margins do not count."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return False
    return ratio.low > 1 if MORE_IS_BETTER[metric] else ratio.high < 1


def more_rounds(ratio: Estimate, rounds: int, margin: float) -> int | None:
    """Return about how many more rounds would settle an inconclusive *ratio*; None if too many.

    An interval narrows with the square root of the rounds. It has to clear the nearer edge of the margin, on
    either side of it.
    """
    if ratio.low is None or ratio.high is None or ratio.low <= 0:
        return None
    half_width = (math.log(ratio.high) - math.log(ratio.low)) / 2
    distance = abs(abs(math.log(ratio.estimate)) - math.log1p(margin))
    needed = rounds * (half_width / distance) ** 2 if distance else math.inf
    return max(1, math.ceil(needed - rounds)) if needed <= MOST_ROUNDS else None


NONE: Mapping[Cell, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One contender relative to another in the same scenario under the same load."""

    cell: Cell
    reference: str
    metric: Metric
    ratio: Estimate | None  # None: no round in which both have a value, or withheld
    pairs: int
    dropped: int  # sweeps without a partner
    rounds: int  # with a pair
    withheld: str = ""  # why there is no ratio though there are pairs
    verdict: Verdict = "invalid"
    blocked: bool = False  # the noise floor forbids a verdict: it is inconclusive then


def comparisons(run: Run, unfit: Mapping[Cell, str] = NONE) -> tuple[Comparison, ...]:
    """Return every contender against its reference, where both were measured.

    Ratios of *unfit* cells are withheld, with the reason. Their numbers are bounds or too coarse.
    """
    measured = by_cell(run)
    return tuple(
        _withheld(_compared(measured, cell, reference, metric), unfit)
        for cell in measured
        for metric in cell.load.metrics
        if (reference := run.plan.reference_of(cell.contender)) != cell.contender
        and _in_place_of(cell, reference) in measured
    )


def noise_floors(run: Run, unfit: Mapping[Cell, str] = NONE) -> tuple[Comparison, ...]:
    """Return each contender that ran twice relative to itself, in every metric, without *unfit* cells."""
    measured = by_cell(run)
    twice = [
        (cell, _in_place_of(cell, name_of(cell.contender).original))
        for cell in measured
        if name_of(cell.contender).is_twin
    ]
    return tuple(
        _compared(measured, cell, original.contender, metric)
        for cell, original in twice
        if original in measured and not {cell, original} & unfit.keys()
        for metric in cell.load.metrics
    )


def log_ratios(records: Iterable[Record], cell: Cell, reference: Cell, metric: Metric) -> Mapping[int, float]:
    counted = with_last_windows(records)
    own = [record for record in counted if record.slice.cell == cell]
    others = [record for record in counted if record.slice.cell == reference]
    measure = METRICS[metric]
    return paired_log_ratios(by_sweep(own, measure), by_sweep(others, measure)).log_ratios


def between(
    run: Run, cell: Cell, reference: str, metric: Metric, unfit: Mapping[Cell, str] = NONE
) -> Comparison | None:
    measured = by_cell(run)
    if not {cell, _in_place_of(cell, reference)} <= measured.keys():
        return None
    return _withheld(_compared(measured, cell, reference, metric), unfit)


def climbs(run: Run, unfit: Mapping[Cell, str] = NONE) -> tuple[Comparison, ...]:
    ends = [(ladder[0], ladder[-1]) for ladder in run.plan.ladders if len(ladder) > 1]
    found = (
        between(run, cell, first, "throughput_rps", unfit)
        for first, last in ends
        for cell in by_cell(run)
        if cell.contender == last and cell.load.compares_throughput
    )
    return tuple(one for one in found if one)


def half_width(run: Run) -> float | None:
    """Return the median half-width of the run's throughput ratios, of their logarithms.

    None without an interval. It describes how precise the run is, and nothing about a contender.
    """
    widths = [
        math.log(ratio.high / ratio.low) / 2
        for one in comparisons(run)
        if one.metric == "throughput_rps" and (ratio := one.ratio) and ratio.low and ratio.high
    ]
    return median(widths) if widths else None


def judged(comparison: Comparison, floors: Sequence[Comparison], margins: Mapping[str, float]) -> Comparison:
    """Return *comparison* with its verdict.

    The noise floor of its own cells counts, or else the first of the run.
    """
    metric, ratio, margin = comparison.metric, comparison.ratio, margins[comparison.metric]
    verdict = verdict_of(metric, ratio, margin)
    floor = noise_floor_of(comparison.cell, metric, floors, comparison.reference)
    if ratio and floor and verdict in ("faster", "slower") and blocked(metric, ratio, floor.ratio, margin):
        return replace(comparison, verdict="inconclusive", blocked=True)
    return replace(comparison, verdict=verdict)


def noise_floor_of(
    cell: Cell, metric: Metric, floors: Sequence[Comparison], reference: str = ""
) -> Comparison | None:
    """Return the one of *floors* that counts for *cell*.

    It is that of its own reference in the same scenario and load. Without one it is another contender's
    there, and else the first of the run.
    """
    same = [floor for floor in floors if floor.metric == metric]
    here = [floor for floor in same if _in_place_of(floor.cell, "") == _in_place_of(cell, "")]
    own = [floor for floor in here if floor.reference == reference]
    return next(iter((*own, *here, *same)), None)


def ranks(run: Run, cells: Collection[Cell]) -> dict[Cell, int]:
    """Return 1 + how many of *cells* beside each are proven faster.

    Only with intervals, where throughput is compared.
    """
    measured = by_cell(run)
    ranked = {}
    for cell in cells:
        rivals = [other for other in cells if other != cell and _in_place_of(other, cell.contender) == cell]
        ratios = [_compared(measured, rival, cell.contender, "throughput_rps").ratio for rival in rivals]
        if cell.load.compares_throughput and all(ratio and ratio.low is not None for ratio in ratios):
            ranked[cell] = 1 + sum(proven_faster("throughput_rps", ratio) for ratio in ratios)
    return ranked


def _withheld(comparison: Comparison, unfit: Mapping[Cell, str]) -> Comparison:
    both = (comparison.cell, _in_place_of(comparison.cell, comparison.reference))
    names: dict[str, list[str]] = {}
    for cell in both:
        if why := unfit.get(cell):
            names.setdefault(why, []).append(cell.contender)
    if not names:
        return comparison
    why = "; ".join(f"{' and '.join(who)} {why}" for why, who in names.items())
    return replace(comparison, ratio=None, withheld=why)


def _in_place_of(cell: Cell, contender: str) -> Cell:
    return Cell(contender=contender, scenario=cell.scenario, load=cell.load)


def _compared(
    measured: Mapping[Cell, Sequence[Record]], cell: Cell, reference: str, metric: Metric
) -> Comparison:
    measure = METRICS[metric]
    pairing = paired_log_ratios(
        by_sweep(measured[cell], measure), by_sweep(measured[_in_place_of(cell, reference)], measure)
    )
    return Comparison(
        cell=cell,
        reference=reference,
        metric=metric,
        ratio=ratio_of(pairing),
        pairs=pairing.pairs,
        dropped=pairing.dropped,
        rounds=len(pairing.log_ratios),
    )
