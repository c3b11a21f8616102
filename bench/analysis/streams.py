"""Streams at once: when their events come, what an event costs, and how many keep the plan's objective."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from bench.analysis.capacities import SHARE_ABOVE
from bench.analysis.limits import cores_of, utilisation_of
from bench.analysis.measures import Measure, by_cell, by_sweep, percentile_over_rounds
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate, estimate_of, medians_by_round
from bench.histogram import Histogram
from bench.model.cell import Cell
from bench.records import EventTimes, Record, Run

HURRIED = 0.5  # of the time that is declared between two events


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsHeld:
    """What one contender did with so many streams at once. Times cover all counted windows together."""

    cell: Cell
    rounds: tuple[EventTimes, ...]
    every_ms: float  # from one event to the next, as its exchange declares
    events_per_s: Estimate | None
    server_us: Estimate | None  # CPU per event
    server_cores: float | None  # CPU seconds per second
    client_cores: float | None
    failed: int  # streams
    kept: bool | None  # the objective, in most rounds; None: the plan has none
    client_limit: str | None

    @property
    def hurries(self) -> bool:
        """Whether events come much faster than they are due: then none is ever late."""
        found = self.gap_ms(50)
        return found is not None and found.estimate < HURRIED * self.every_ms

    @property
    def streams(self) -> int:
        return self.cell.load.connections

    @property
    def times(self) -> EventTimes:
        return EventTimes.merged(self.rounds)

    def first_ms(self, percent: float) -> Estimate | None:
        return percentile_over_rounds([one.first for one in self.rounds], percent)

    def late_ms(self, percent: float) -> Estimate | None:
        return percentile_over_rounds([one.late for one in self.rounds], percent)

    def gap_ms(self, percent: float) -> Estimate | None:
        return percentile_over_rounds([one.gap for one in self.rounds], percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLadder:
    """A contender in a scenario with ever more streams, fewest first."""

    contender: str
    scenario: str
    steps: tuple[StreamsHeld, ...]

    @property
    def most(self) -> StreamsHeld | None:
        """The last step that kept the objective, as did all with fewer streams. None: there is none."""
        return next(reversed([*takewhile(lambda step: step.kept, self.steps)]), None)

    @property
    def next(self) -> StreamsHeld | None:
        """The first step that did not keep it. None: all did."""
        return next((step for step in self.steps if not step.kept), None)

    @property
    def may_hold_more(self) -> bool:
        """Whether all steps kept it, or the first that did not was the client's limit."""
        return self.next is None or self.next.client_limit is not None


def stream_ladders(run: Run, rows: Iterable[Row]) -> tuple[StreamLadder, ...]:
    limits = {row.cell: row.client_limit for row in rows}
    found: dict[tuple[str, str], list[StreamsHeld]] = {}
    for cell, records in by_cell(run).items():
        counted = [record for record in records if record.void is None and record.sample.events]
        if counted:
            steps = found.setdefault((cell.contender, cell.scenario), [])
            steps.append(_held(run, cell, counted, limits.get(cell)))
    return tuple(
        StreamLadder(
            contender=name, scenario=scenario, steps=tuple(sorted(steps, key=lambda one: one.streams))
        )
        for (name, scenario), steps in found.items()
    )


def _held(run: Run, cell: Cell, records: Sequence[Record], limit: str | None) -> StreamsHeld:
    failed = sum(record.sample.failed for record in records)
    rounds, used = _by_round(records), utilisation_of(records, cores_of(run))
    return StreamsHeld(
        cell=cell,
        rounds=rounds,
        every_ms=_every_ms(run, cell.scenario),
        events_per_s=_over_rounds(records, _rate),
        server_us=_over_rounds(records, _server_us),
        server_cores=used.server,
        client_cores=used.client,
        failed=failed,
        kept=_kept(rounds, failed, run.plan.slo_ms),
        client_limit=limit,
    )


def _every_ms(run: Run, scenario: str) -> float:
    """Return the longest that a stream of *scenario* has between two events."""
    exchanges = (one for known in run.scenarios if known.name == scenario for one in known.exchanges)
    return max((one.expect.stream.every_ms for one in exchanges if one.expect.stream), default=0.0)


def _over_rounds(records: Sequence[Record], measure: Measure) -> Estimate | None:
    return estimate_of(medians_by_round(by_sweep(records, measure)).values())


def _by_round(records: Iterable[Record]) -> tuple[EventTimes, ...]:
    rounds: dict[int, list[EventTimes]] = {}
    for record in records:
        if record.sample.events:
            rounds.setdefault(record.slice.round, []).append(record.sample.events)
    return tuple(map(EventTimes.merged, rounds.values()))


def _rate(record: Record) -> float | None:
    events = record.sample.events
    return events.events / record.sample.window_s if events else None


def _server_us(record: Record) -> float | None:
    rate, usage = _rate(record), record.usage
    if not rate or usage.server_cpu_s is None or not usage.elapsed_s:
        return None
    return usage.server_cpu_s / usage.elapsed_s / rate * 1e6


def _kept(rounds: Sequence[EventTimes], failed: int, slo_ms: float | None) -> bool | None:
    """Return whether no stream was wrong, and in most rounds 99 % of events were no later than *slo_ms*."""
    if slo_ms is None:
        return None
    in_time = [_in_time(one.late, slo_ms) for one in rounds]
    return sum(in_time) > len(in_time) / 2 and not failed


def _in_time(late: Histogram, slo_ms: float) -> bool:
    """Return whether 99 % of the events were in time. Of fewer than a hundred one may be late."""
    return late.count > 0 and round(late.share_above(slo_ms) * late.count) <= max(1, SHARE_ABOVE * late.count)
