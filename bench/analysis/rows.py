"""The row of each cell, from the records of a run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.analysis.limits import (
    Bound,
    Ceiling,
    Cores,
    Utilisation,
    bound_by,
    ceiling_of,
    ceilings,
    client_limit,
    cores_of,
    utilisation_of,
)
from bench.analysis.measures import (
    Latency,
    Measure,
    by_cell,
    by_sweep,
    client_cores,
    client_us,
    database_cores,
    database_us,
    energy_uj,
    nearly_idle,
    percentiles_of,
    power_w,
    rate_rps,
    server_cores,
    server_us,
    throughput_rps,
)
from bench.analysis.processes import imbalance
from bench.analysis.resolution import coarse
from bench.analysis.statistics import Estimate, estimate_of, medians_by_round
from bench.analysis.steadiness import Steadiness, steadiness
from bench.analysis.voids import BENT
from bench.files import printable
from bench.histogram import Histogram
from bench.model.cell import Cell
from bench.model.contender import Contender, name_of
from bench.records import Record, Run, Sample

LIMITED = "client-limited"
PACED = "paced: how many streams end per second is given"
COARSE = "too coarse"
EXAMPLE = 300  # characters
MOST_WRONG = 0.001  # share of answers: beyond it a row's numbers describe other work


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What only an open loop knows of its requests. Times cover all counted windows together."""

    rate_rps: float | None  # requested
    due: int
    queued: int  # waited for a connection
    backlog: int  # by how much more requests were in flight when windows closed than when they opened
    service: Latency  # send to last byte
    lag: Latency  # delay of sending, where a connection was free
    tested: int  # slices whose gaps between sends were held against the drawn law, void ones included
    bent: int  # of those, not sent as drawn: they are void


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a run shows about one cell. CPU times are per verified response."""

    cell: Cell
    stack: str
    rounds: int
    slices: int
    throughput_rps: Estimate | None
    latency: Latency
    latencies: Histogram  # of every verified response
    percentiles: Mapping[float, Estimate | None]  # ms, by percent; None: too few requests, or no answers
    read_late: Latency  # of one read in 16: the kernel's receipt of an answer to our reading it
    arrivals: Arrivals | None  # None: closed
    service_demand_us: Estimate | None
    database_us: Estimate | None
    client_us: Estimate | None
    energy_uj: Estimate | None  # of the whole machine; None: it counts none
    memory_peak_bytes: int | None
    response_bytes: float | None  # per answer: the median over slices without a failure
    requests: int
    answers: int  # right and wrong, of slices that count; if all are void, of those
    failures: Mapping[str, int]  # kind → count, of these
    examples: tuple[str, ...]  # the first failures
    silent: int | None  # the first round in which no right answer came; None: there is none
    unfinished: int
    voids: Mapping[str, int]  # evidence → slices
    utilisation: Utilisation
    ceiling: Ceiling
    client_limit: str | None  # why throughput may be the client's limit; None: it is not
    coarse: str | None  # why its windows hold too few answers to compare; None: they hold enough
    bound_by: Bound | None  # None: nothing was counted
    steadiness: Steadiness | None  # None: nothing was counted
    imbalance: float | None  # CPU of its busiest worker over the least busy one's; None: one, or unknown
    in_flight: float | None  # by Little's law: throughput × mean latency
    client: str  # of a locustfile's users: "HttpUser"; "": our loop
    paced: bool = False  # its scenario has streams: their number per second follows from their pace
    rank: int | None = None  # 1 + how many were proven faster; None: unranked
    caveats: tuple[str, ...] = ()

    @property
    def unfit(self) -> str | None:
        if self.withheld or self.client_limit:
            return self.withheld or LIMITED
        if self.paced:
            return PACED
        return f"{COARSE}: {self.coarse}" if self.coarse else None

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    @property
    def right(self) -> int:
        return self.answers - self.failed

    @property
    def is_wrong(self) -> bool:
        return self.failed > MOST_WRONG * self.answers

    @property
    def withheld(self) -> str:
        if self.is_wrong:
            return f"withheld: {self.failed:,} of {self.answers:,} answers were wrong"
        if self.silent is not None:
            return f"withheld: no right answer in round {self.silent}"
        return ""

    @property
    def is_control(self) -> bool:
        return name_of(self.cell.contender).is_twin

    @property
    def unanswered(self) -> int:
        """Requests beyond every percentile. Only an open loop waits for requests that it sent."""
        return self.unfinished if self.arrivals else 0


def rows(run: Run) -> tuple[Row, ...]:
    contenders = {contender.name: contender for contender in run.contenders}
    known, cores = ceilings(run), cores_of(run)
    return tuple(
        _row(cell, contenders[cell.contender], records, ceiling_of(cell, known), cores)
        for cell, records in by_cell(run).items()
    )


def _over_rounds(records: Iterable[Record], measure: Measure) -> Estimate | None:
    return estimate_of(medians_by_round(by_sweep(records, measure)).values())


def _per_response(records: Sequence[Record], measure: Measure, per_second: Measure) -> Estimate | None:
    found = nearly_idle(records, per_second)
    return _over_rounds(records, measure) if found is None else Estimate(estimate=found)


def _row(cell: Cell, contender: Contender, records: Sequence[Record], ceiling: Ceiling, cores: Cores) -> Row:
    counted = [record for record in records if record.void is None]
    samples = [record.sample for record in counted]
    judged = samples or [record.sample for record in records]  # a wrong answer is wrong in a void slice too
    merged = Histogram.merged(sample.latency for sample in samples)
    window_s = sum(sample.window_s for sample in samples)
    unfinished = sum(sample.unfinished for sample in samples)
    throughput = _over_rounds(counted, throughput_rps)
    used = utilisation_of(counted, cores)
    limit = client_limit(throughput.estimate if throughput else 0.0, ceiling.rps, used, cores)
    return Row(
        cell=cell,
        stack=contender.stack,
        rounds=len({record.slice.round for record in counted}),
        slices=len(counted),
        throughput_rps=throughput,
        latency=Latency.of(merged, unfinished if cell.load.has_due_times else 0),
        latencies=merged,
        percentiles=percentiles_of(counted),
        read_late=Latency.of(Histogram.merged(sample.wake for sample in samples if sample.wake)),
        arrivals=_arrivals(records, counted) if cell.load.has_due_times else None,
        service_demand_us=_per_response(counted, server_us, server_cores),
        database_us=_per_response(counted, database_us, database_cores),
        client_us=_per_response(counted, client_us, client_cores),
        energy_uj=_per_response(counted, energy_uj, power_w),
        memory_peak_bytes=max(
            (kept for record in counted if (kept := record.usage.memory_bytes) is not None), default=None
        ),
        response_bytes=_response_bytes(samples),
        requests=merged.count,
        answers=sum(sample.requests + sample.failed for sample in judged),
        failures=sum((Counter(sample.failures) for sample in judged), Counter()),
        examples=_examples(judged),
        silent=_silent(counted),
        unfinished=unfinished,
        voids=Counter(record.void for record in records if record.void is not None),
        utilisation=used,
        ceiling=ceiling,
        client_limit=limit,
        coarse=coarse(counted),
        bound_by=bound_by(used, cores, workers=contender.workers, client_limited=limit is not None)
        if counted
        else None,
        steadiness=steadiness(counted),
        imbalance=imbalance(counted, contender.workers),
        in_flight=merged.total_ns / 1e9 / window_s if window_s else None,
        client=next((sample.client for sample in judged if sample.client), ""),
        paced=any(sample.events for sample in judged),
    )


def _examples(samples: Iterable[Sample]) -> tuple[str, ...]:
    found = dict.fromkeys(example for sample in samples for example in sample.examples)
    return tuple(printable(example, EXAMPLE) for example in [*found][:3])


def _response_bytes(samples: Iterable[Sample]) -> float | None:
    each = [one.received_bytes / one.requests for one in samples if one.requests and not one.failed]
    return median(each) if each else None


def _silent(records: Iterable[Record]) -> int | None:
    answered: dict[int, int] = {}
    for record in records:
        if record.sample.due != 0:
            number = record.slice.round
            answered[number] = answered.get(number, 0) + record.sample.requests
    return next((number for number in sorted(answered) if not answered[number]), None)


def _backlog(sample: Sample) -> int:
    """Return by how much the requests in flight grew while the window was open."""
    return 0 if sample.answered is None else (sample.due or 0) - sample.answered - sample.failed


def _arrivals(records: Sequence[Record], counted: Sequence[Record]) -> Arrivals:
    samples = [record.sample for record in counted]
    unfinished = sum(sample.unfinished for sample in samples)
    service = Histogram.merged(sample.service for sample in samples if sample.service)
    bends = [record.sample.bend for record in records if record.sample.bend is not None]
    return Arrivals(
        rate_rps=rate_rps(records),
        due=sum(sample.due or 0 for sample in samples),
        queued=sum(sample.queued for sample in samples),
        backlog=sum(map(_backlog, samples)),
        service=Latency.of(service, unfinished),
        lag=Latency.of(Histogram.merged(sample.lag for sample in samples if sample.lag)),
        tested=len(bends),
        bent=sum(bend > BENT for bend in bends),
    )


def unfit(found: Iterable[Row]) -> dict[Cell, str]:
    return {row.cell: why for row in found if (why := row.unfit)}
