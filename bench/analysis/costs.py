"""What requests cost at given rates, and what a rate of one's own would take: cores, memory, machines."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.analysis.capacities import Capacity
from bench.analysis.measures import by_cell, is_idle, server_cores
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.records import Run

WANTED_RPS = (50, 500, 5_000)
POLLS = 0.005  # of a core, while nobody requests anything: a server that waits uses less than a tenth of that


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What a rate takes: so many servers like the measured one share it, each within the objective."""

    rate_rps: float
    machines: int
    cores: Estimate  # CPU seconds per second of all servers and their databases
    memory_bytes: int | None  # of all servers
    priced_at_rps: float  # the measured rate whose CPU per request this is computed from


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A contender in a scenario: its rows by rate, and what follows from them."""

    contender: str
    scenario: str
    rows: tuple[Row, ...]  # lowest rate first
    idle_cores: float | None  # of the server, in windows in which nothing was due; None: there is none
    capacity: Capacity
    needed: tuple[Needed, ...]  # none where no rate is known to keep the objective

    @property
    def polls(self) -> bool:
        return self.idle_cores is not None and self.idle_cores >= POLLS


def costs(run: Run, rows: Iterable[Row], capacities: Iterable[Capacity]) -> tuple[Cost, ...]:
    """Return the cost of each contender and scenario; none where no window was idle."""
    idle = _idle(run)
    if not idle:
        return ()
    at_rates: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.arrivals and row.arrivals.rate_rps and not why_left_out(row):
            at_rates.setdefault((row.cell.contender, row.cell.scenario), []).append(row)
    return tuple(
        _cost(one, sorted(found, key=rate_of), idle.get((one.contender, one.scenario), ()))
        for one in capacities
        if (found := at_rates.get((one.contender, one.scenario)))
    )


def leaves_idle(run: Run) -> bool:
    """Whether a server was left alone in a window at least."""
    return bool(_idle(run))


def why_left_out(row: Row) -> str:
    """Return why a row at a rate is no cost; empty if it is one."""
    if row.withheld or row.client_limit:
        return row.withheld or row.client_limit or ""
    return "no slice counts" if not row.slices else "" if row.requests else "no request was due"


def rate_of(row: Row) -> float:
    return (row.arrivals and row.arrivals.rate_rps) or 0.0


def _cost(capacity: Capacity, rows: Sequence[Row], idle: Sequence[float]) -> Cost:
    highest = capacity.rate_rps.estimate
    # With fewer requests nobody knows p99 at that rate: a server that is idle keeps any objective.
    known = highest and min(rows, key=lambda row: abs(rate_of(row) - highest)).latency.p99_ms is not None
    wanted = WANTED_RPS if known else ()
    return Cost(
        contender=capacity.contender,
        scenario=capacity.scenario,
        rows=tuple(rows),
        idle_cores=median(idle) if idle else None,
        capacity=capacity,
        needed=tuple(found for rate in wanted if (found := _needed(rate, capacity, rows))),
    )


def _needed(rate_rps: float, capacity: Capacity, rows: Sequence[Row]) -> Needed | None:
    """Return what *rate_rps* takes. CPU per request is that of the nearest measured rate."""
    machines = math.ceil(rate_rps / capacity.rate_rps.estimate)
    share = rate_rps / machines
    priced = [row for row in rows if row.service_demand_us]
    if not priced:
        return None
    row = min(priced, key=lambda one: abs(math.log(rate_of(one) / share)))
    used_us = [one for one in (row.service_demand_us, row.database_us) if one]
    memory = [one.memory_peak_bytes for one in rows if one.memory_peak_bytes is not None]
    return Needed(
        rate_rps=rate_rps,
        machines=machines,
        cores=_sum(used_us, rate_rps / 1e6),
        memory_bytes=machines * max(memory) if memory else None,
        priced_at_rps=rate_of(row),
    )


def _sum(parts: Sequence[Estimate], factor: float) -> Estimate:
    """Return the sum of *parts*. Their ends add up too, which is wider than their level asks for."""
    ends = [(one.low, one.high) for one in parts if one.low is not None and one.high is not None]
    total = sum(one.estimate for one in parts) * factor
    if len(ends) < len(parts):
        return Estimate(estimate=total)
    low, high = (sum(side) * factor for side in zip(*ends, strict=True))
    return Estimate(estimate=total, low=low, high=high, level=min(one.level or 0.0 for one in parts))


def _idle(run: Run) -> dict[tuple[str, str], list[float]]:
    """Return the server's cores in use, in each window in which no request was due or under way."""
    found: dict[tuple[str, str], list[float]] = {}
    for cell, records in by_cell(run).items():
        idle = [record for record in records if record.void is None and is_idle(record)]
        if used := [cores for record in idle if (cores := server_cores(record)) is not None]:
            found.setdefault((cell.contender, cell.scenario), []).extend(used)
    return found
