"""Contenders relative to the reference, and to themselves: paired sweep by sweep."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.measures import METRICS, Metric, by_cell, by_sweep, metrics_of
from bench.analysis.stats import Estimate, paired_log_ratios, ratio_of
from bench.model import SAME_AGAIN, Cell
from bench.records import Record, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One contender relative to another in the same scenario under the same load."""

    cell: Cell
    reference: str
    metric: Metric
    ratio: Estimate | None  # None: no round in which both have a value, or withheld
    pairs: int
    dropped: int  # sweeps without a partner
    withheld: str = ""  # why there is no ratio though there are pairs


def comparisons(run: Run, limited: Collection[Cell] = ()) -> tuple[Comparison, ...]:
    """Return every contender against the reference, wherever both were measured.

    Ratios of *limited* cells, those that show the client rather than the server, are withheld.
    """
    measured = by_cell(run)
    return tuple(
        _withheld(_compared(measured, cell, run.plan.reference, metric), limited)
        for cell in measured
        for metric in metrics_of(cell.load)
        if cell.contender != run.plan.reference and _beside(cell, run.plan.reference) in measured
    )


def noise_floors(run: Run, limited: Collection[Cell] = ()) -> tuple[Comparison, ...]:
    """Return the main metric of each contender that ran twice, relative to itself; not of *limited* cells."""
    measured = by_cell(run)
    twice = [
        (cell, _beside(cell, name))
        for cell in measured
        if (name := cell.contender.removesuffix(SAME_AGAIN)) != cell.contender
    ]
    return tuple(
        _compared(measured, cell, original.contender, metrics_of(cell.load)[0])
        for cell, original in twice
        if original in measured and not {cell, original} & set(limited)
    )


def _withheld(comparison: Comparison, limited: Collection[Cell]) -> Comparison:
    both = (comparison.cell, _beside(comparison.cell, comparison.reference))
    names = [cell.contender for cell in both if cell in limited]
    if not names:
        return comparison
    return replace(comparison, ratio=None, withheld=f"{' and '.join(names)} client-limited")


def _beside(cell: Cell, contender: str) -> Cell:
    return Cell(contender=contender, scenario=cell.scenario, load=cell.load)


def _compared(
    measured: Mapping[Cell, Sequence[Record]], cell: Cell, reference: str, metric: Metric
) -> Comparison:
    measure = METRICS[metric]
    pairing = paired_log_ratios(
        by_sweep(measured[cell], measure), by_sweep(measured[_beside(cell, reference)], measure)
    )
    return Comparison(
        cell=cell,
        reference=reference,
        metric=metric,
        ratio=ratio_of(pairing),
        pairs=pairing.pairs,
        dropped=pairing.dropped,
    )
