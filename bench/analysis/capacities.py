"""Capacity under an objective: the highest rate at which p99 still keeps it."""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from bench.analysis.measures import by_cell, rate_rps
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate, estimate_of
from bench.model.cell import Cell
from bench.records import Record, Run

SHARE_ABOVE = 0.01  # of a round's requests may take longer: that is the definition of p99


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The requests per second that a contender takes while p99 stays within the objective."""

    contender: str
    scenario: str
    slo_ms: float
    rate_rps: Estimate  # over rounds; 0 where no rate kept it
    at_least: bool  # no higher rate was tried, or the next one was the client's limit


def capacities(run: Run, rows: Sequence[Row]) -> tuple[Capacity, ...]:
    """Return the capacity of each contender and scenario. A rate whose row is withheld was not kept."""
    if run.plan.slo_ms is None:
        return ()
    limited = {row.cell for row in rows if row.client_limit}
    withheld = {row.cell for row in rows if row.withheld}
    tried: dict[tuple[str, str], dict[Cell, list[Record]]] = {}
    for cell, records in by_cell(run).items():
        counted = [record for record in records if record.void is None]
        if cell.load.has_one_rate and counted:
            tried.setdefault((cell.contender, cell.scenario), {})[cell] = counted
    found = (
        _capacity(contender, scenario, run.plan.slo_ms, cells, limited, withheld)
        for (contender, scenario), cells in tried.items()
    )
    return tuple(found)


def _capacity(
    contender: str,
    scenario: str,
    slo_ms: float,
    cells: Mapping[Cell, Sequence[Record]],
    limited: Collection[Cell],
    withheld: Collection[Cell],
) -> Capacity:
    rates = sorted((rate_rps(records) or 0.0, cell in limited) for cell, records in cells.items())
    found, is_bound = _highest_by_round(cells, slo_ms, withheld)
    estimate = estimate_of(found)
    if estimate is None:
        raise AssertionError("a contender without a record was requested")
    estimate = replace(estimate, estimate=median_low(found))  # a rate that was tried
    above = rates[bisect_right([rate for rate, _ in rates], estimate.estimate) :]
    return Capacity(
        contender=contender,
        scenario=scenario,
        slo_ms=slo_ms,
        rate_rps=estimate,
        at_least=is_bound or not above or above[0][1],
    )


def _highest_by_round(
    cells: Mapping[Cell, Sequence[Record]], slo_ms: float, withheld: Collection[Cell]
) -> tuple[Sequence[float], bool]:
    """Return the highest rate that was kept, in each round in which the next one was judged.

    Where there is no such round, return that of all rounds, and that they are bounds.
    """
    rounds: dict[int, dict[float, bool]] = {}
    for cell, records in cells.items():
        for number in {record.slice.round for record in records}:
            of_round = [record for record in records if record.slice.round == number]
            judgements = rounds.setdefault(number, {})
            if (kept := _kept(of_round, slo_ms)) is not None:
                judgements[rate_rps(records) or 0.0] = kept and cell not in withheld
    rates = sorted(rate_rps(records) or 0.0 for records in cells.values())
    highest, judged = [], []
    for of_rates in rounds.values():
        highest.append(max((rate for rate, kept in of_rates.items() if kept), default=0.0))
        following = next((rate for rate in rates if rate > highest[-1]), None)
        if following is None or following in of_rates:
            judged.append(highest[-1])
    return judged or highest, not judged


def _kept(records: Sequence[Record], slo_ms: float) -> bool | None:
    """Return whether every request of one round at one rate was answered, and 99 % of them in time.

    None: there was none.
    """
    samples = [record.sample for record in records]
    requests = sum(sample.requests for sample in samples)
    late = sum(sample.requests * sample.latency.share_above(slo_ms) for sample in samples)
    lost = sum(sample.failed + sample.unfinished for sample in samples)
    return not lost and late <= requests * SHARE_ABOVE if requests or lost else None
