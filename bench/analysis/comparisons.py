"""Contenders relative to the reference, and to themselves: paired sweep by sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.estimates import SAME_AGAIN
from bench.analysis.measures import METRICS, Metric, by_cell, by_sweep
from bench.analysis.stats import Estimate, paired_log_ratios, ratio_of
from bench.model import Cell
from bench.records import Record, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One contender relative to another in the same scenario under the same load."""

    cell: Cell
    reference: str
    metric: Metric
    ratio: Estimate | None  # None: no round in which both have a value
    pairs: int
    dropped: int  # sweeps without a partner


def comparisons(run: Run) -> tuple[Comparison, ...]:
    """Return every contender against the reference, wherever both were measured."""
    measured = by_cell(run)
    return tuple(
        _compared(measured, cell, run.plan.reference, metric)
        for cell in measured
        for metric in METRICS
        if cell.contender != run.plan.reference and _beside(cell, run.plan.reference) in measured
    )


def noise_floors(run: Run) -> tuple[Comparison, ...]:
    """Return the throughput of each contender that ran twice, relative to itself."""
    measured = by_cell(run)
    twice = [
        (cell, name)
        for cell in measured
        if (name := cell.contender.removesuffix(SAME_AGAIN)) != cell.contender
    ]
    return tuple(
        _compared(measured, cell, name, "throughput_rps")
        for cell, name in twice
        if _beside(cell, name) in measured
    )


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
