"""What each round of a cell says, before rounds become an estimate."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.measures import METRICS, by_cell, by_sweep, metrics_of, server_us, throughput_rps
from bench.analysis.stats import medians_by_round, paired_log_ratios
from bench.model import Cell
from bench.records import Record, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A fresh start of everything, as one cell saw it; None where it has no value that counts."""

    number: int
    throughput_rps: float | None
    ratio: float | None  # of the main metric to the reference
    service_demand_us: float | None
    memory_bytes: int | None
    requests: int
    failed: int
    voids: int


def rounds_of(run: Run) -> Mapping[Cell, tuple[Round, ...]]:
    """Return the rounds of every cell, in their order: medians over sweeps, as the estimates are made of."""
    measured = by_cell(run)
    return {
        cell: _rounds(
            cell, records, measured.get(replace(cell, contender=run.plan.reference_of(cell.contender)), ())
        )
        for cell, records in measured.items()
    }


def _rounds(cell: Cell, records: Sequence[Record], references: Sequence[Record]) -> tuple[Round, ...]:
    main = METRICS[metrics_of(cell.load)[0]]
    rates = medians_by_round(by_sweep(records, throughput_rps))
    demands = medians_by_round(by_sweep(records, server_us))
    ratios = paired_log_ratios(by_sweep(records, main), by_sweep(references, main)).log_ratios
    numbers = sorted({record.slice.round for record in records})
    return tuple(
        _round([record for record in records if record.slice.round == number], rates, demands, ratios)
        for number in numbers
    )


def _round(
    records: Sequence[Record],
    rates: Mapping[int, float],
    demands: Mapping[int, float],
    log_ratios: Mapping[int, float],
) -> Round:
    number = records[0].slice.round
    counted = [record for record in records if record.void is None]
    kept = [size for record in counted if (size := record.usage.memory_bytes) is not None]
    log_ratio = log_ratios.get(number)
    return Round(
        number=number,
        throughput_rps=rates.get(number),
        ratio=None if log_ratio is None else math.exp(log_ratio),
        service_demand_us=demands.get(number),
        memory_bytes=max(kept, default=None),
        requests=sum(record.sample.requests for record in counted),
        failed=sum(record.sample.failed for record in counted),
        voids=len(records) - len(counted),
    )
