"""What is recorded of a slice: responses, latencies and failures."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from time import process_time_ns, time
from typing import Any, Protocol

from locust.stats import RequestStats, StatsEntry

from bench.histogram import Histogram, midpoint_ns
from bench.load.answers import printable
from bench.load.gaps import Law, bend
from bench.load.requests import Request
from bench.model.scenario import Exchange
from bench.records import Sample

_EXAMPLES = 5


class RecordedKind(Protocol):
    """What requests are recorded by: a template, or all of a locustfile's of one method."""

    @property
    def exchange(self) -> Exchange: ...


@dataclass(slots=True)
class Outcomes:
    """Outcomes of the requests of the lead-in, or of those that count."""

    latencies: defaultdict[RecordedKind, list[int]] = field(default_factory=lambda: defaultdict(list))  # ns
    failures: Counter[tuple[RecordedKind | None, str]] = field(default_factory=Counter)  # None: connecting
    examples: list[str] = field(default_factory=list)
    received_bytes: int = 0

    @property
    def requests(self) -> int:
        return sum(map(len, self.latencies.values())) + self.failures.total()

    @property
    def mean_ns(self) -> float | None:
        """The mean latency of right answers. None if there are none."""
        count = sum(map(len, self.latencies.values()))
        return sum(map(sum, self.latencies.values())) / count if count else None

    def failed(self, request: Request | None, kind: str, text: str) -> None:
        """Count a failure and keep an example of it. No *request*: a connect has failed."""
        line = request.line if request else "connect"
        self.fault(request.template if request else None, kind, f"{line}: {text}")

    def fault(self, of: RecordedKind | None, kind: str, example: str) -> None:
        self.failures[of, kind] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(printable(example))


@dataclass(slots=True, kw_only=True)
class SetUp:
    """The cost of the requests that connections need to send first, such as log-ins."""

    requests: int = 0
    failed: int = 0
    took_s: float = 0.0


class Books:
    """What both kinds of loop record: one ledger for the lead-in, one for the window."""

    def __init__(self) -> None:
        self.lead_in, self.window = Outcomes(), Outcomes()
        self.connects = 0  # over the whole slice
        self.unfinished = 0
        self.client_cpu_ns = 0  # while the window was open
        self.wakes_ns: list[int] = []  # since the window opened, of a sample of the reads
        self.broken = ""  # why the slice could not be carried out: a limit of this machine
        self.setup = SetUp()

    def sample(self, window_s: float, stats: RequestStats) -> Sample:
        """Return the sample of the window, after adding the whole slice to Locust's *stats*."""
        _tell_locust(stats, self.lead_in)
        latency = _tell_locust(stats, self.window)
        failures: Counter[str] = Counter()
        for (_, kind), count in self.window.failures.items():
            failures[kind] += count
        return Sample(
            window_s=window_s,
            latency=latency,
            failures=dict(failures),
            examples=tuple(self.window.examples),
            unfinished=self.unfinished,
            connects=self.connects,
            received_bytes=self.window.received_bytes,
            client_cpu_s=0.0 if self.broken else self.client_cpu_ns / 1e9,
            wake=Histogram.of(self.wakes_ns) if self.wakes_ns else None,
            locust_requests=stats.num_requests,
            slice_requests=self.lead_in.requests + self.window.requests,
            broken=self.broken,
            setup_requests=self.setup.requests,
            setup_failed=self.setup.failed,
            setup_s=self.setup.took_s,
        )

    def start_clock(self) -> None:
        self.wakes_ns.clear()
        self.client_cpu_ns = -process_time_ns()

    def stop_clock(self) -> None:
        self.client_cpu_ns += process_time_ns()


class ClosedBooks(Books):
    """Books that also record how connections spend the window. The sum is compared with its length.

    A connection waits for an answer, prepares its next request, connects, or is closed until the next turn.
    Each of these is added up when it ends. The time of right answers is in the latencies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.current = self.lead_in
        self._begin()

    def _begin(self) -> None:
        self.turnaround_ns = 0  # from an answer to the next request, or the next connect
        self.lost_ns = 0  # waiting for answers that were wrong or missing
        self.connecting_ns = 0
        self.closed_ns = 0
        self._edges_ns = 0  # in-window time of waits that end later, less earlier time of those ending in it

    def open_window(self, open_ns: int, since_ns: Iterable[int]) -> None:
        """Count from *open_ns* on. *since_ns*: when the present state of each connection began."""
        self.current = self.window
        self._begin()
        self._edges_ns -= sum(open_ns - since for since in since_ns)
        self.start_clock()

    def close_window(self, close_ns: int, since_ns: Iterable[int], unfinished: int) -> None:
        self.stop_clock()
        self._edges_ns += sum(close_ns - since for since in since_ns)
        self.unfinished = unfinished

    def never_ended(self, request: Request, so_far: str) -> None:
        """Count a request in flight at the end of the window as a failure: its answer never ends."""
        self.window.failed(request, "unended", f"{so_far} and never ended")
        self.unfinished -= 1

    def sample(self, window_s: float, stats: RequestStats) -> Sample:
        sample = super().sample(window_s, stats)
        parts = (self.turnaround_ns, self.lost_ns, self.connecting_ns, self.closed_ns, self._edges_ns)
        return replace(sample, occupied_s=(sample.latency.total_ns + sum(parts)) / 1e9)


class OpenBooks(Books):
    """Books of requests by due time: in the window, or in the lead-in before it."""

    def __init__(self, due: int, offsets_ns: Sequence[int] = (), law: Law | None = None) -> None:
        """*law*: what the gaps of *offsets_ns* were drawn from. None: it is not tested."""
        super().__init__()
        self.open_ns = 0
        self.due = due
        self._offsets_ns = offsets_ns
        self._law = law
        self.queued = 0
        self.is_open = False
        self.answered = 0  # rightly, while the window was open
        self.services: list[int] = []  # ns, send to last byte
        self.lags: list[int] = []  # ns, in the order of due times

    def start_clock(self) -> None:
        self.is_open = True
        super().start_clock()

    def stop_clock(self) -> None:
        super().stop_clock()
        self.is_open = False

    def ledger_of(self, due_ns: int) -> Outcomes:
        return self.window if due_ns >= self.open_ns else self.lead_in

    def sample(self, window_s: float, stats: RequestStats) -> Sample:
        return replace(
            super().sample(window_s, stats),
            service=Histogram.of(self.services),
            lag=Histogram.of(self.lags),
            bend=self._bend(),
            due=self.due,
            answered=self.answered,
            queued=self.queued,
        )

    def _bend(self) -> float | None:
        if self._law is None:
            return None
        counted = (offset for offset in self._offsets_ns if offset >= 0)
        return bend((due + lag for due, lag in zip(counted, self.lags, strict=False)), self._law)


def _tell_locust(stats: Any, ledger: Outcomes) -> Histogram:
    """Add the contents of *ledger* to Locust's *stats*. Return all its latencies as one histogram."""
    by_template = {template: Histogram.of(times) for template, times in ledger.latencies.items()}
    for template, latency in by_template.items():
        _tell_of_responses(stats, template, latency, min_ns=min(ledger.latencies[template]))
    for (failed, kind), count in ledger.failures.items():
        _tell_of_failures(stats, failed, kind, count)
    return Histogram.merged(by_template.values())


def _tell_of_responses(stats: Any, template: RecordedKind, latencies: Histogram, *, min_ns: int) -> None:
    """Add verified responses at once. Calling Locust for each response costs half a request."""
    name, method = template.exchange.name, template.exchange.method
    now = time()
    entry: Any = StatsEntry(stats, name, method)  # its type is whole milliseconds
    entry.num_requests = entry.num_reqs_per_sec[int(now)] = latencies.count
    entry.total_response_time = latencies.total_ns / 1e6
    entry.min_response_time, entry.max_response_time = min_ns / 1e6, latencies.max_ns / 1e6
    entry.last_request_timestamp = now
    # Keys of our resolution: Locust's buckets are whole milliseconds (its docs: response time bucketing).
    entry.response_times.update(
        zip((midpoint_ns(b) / 1e6 for b in latencies.buckets), latencies.counts, strict=True)
    )
    stats.entries[name, method].extend(entry)
    stats.total.extend(entry)


def _tell_of_failures(stats: Any, template: RecordedKind | None, kind: str, count: int) -> None:
    method, name = (template.exchange.method, template.exchange.name) if template else ("CONNECT", "")
    for _ in range(count):
        stats.log_request(method, name, None, 0)
        stats.log_error(method, name, kind)
