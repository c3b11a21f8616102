"""The books of a slice: what was answered, how fast, and what went wrong."""

from collections import Counter, defaultdict
from time import process_time_ns, time
from typing import Any

from locust.stats import RequestStats, StatsEntry

from bench.histogram import Histogram, midpoint_ns
from bench.load.templates import Request, Template
from bench.records import Sample

_EXAMPLES = 5


class Books:
    """Counts everything from the first request on; `open_window` and `close_window` mark what counts."""

    def __init__(self) -> None:
        self.latencies: defaultdict[Template, list[int]] = defaultdict(list)  # ns; verified responses
        self.failures: Counter[tuple[Template | None, str]] = Counter()  # no template: while connecting
        self.connects = 0  # over the whole slice
        self.unfinished = 0
        self.received_bytes = 0
        self.client_cpu_ns = 0
        self._examples: list[str] = []
        self._lead_in: dict[Template, int] = {}
        self._lead_in_failures: Counter[tuple[Template | None, str]] = Counter()

    def failed(self, request: Request | None, kind: str, text: str) -> None:
        """Count a failure and keep an example of it."""
        self.failures[request.template if request else None, kind] += 1
        if len(self._examples) < _EXAMPLES:
            self._examples.append(f"{request.line if request else 'connect'}: {text}")

    def open_window(self) -> None:
        """Everything so far was lead-in."""
        self._lead_in = {template: len(latencies) for template, latencies in self.latencies.items()}
        self._lead_in_failures = self.failures.copy()
        self._examples.clear()
        self.received_bytes = 0
        self.client_cpu_ns = -process_time_ns()

    def close_window(self, unfinished: int) -> None:
        """Nothing from now on counts."""
        self.client_cpu_ns += process_time_ns()
        self.unfinished = unfinished

    def sample(self, window_s: float, stats: RequestStats) -> Sample:
        """Return what the window showed, after adding the whole slice to Locust's *stats*."""
        windows = []
        for template, latencies in self.latencies.items():
            lead_in = self._lead_in.get(template, 0)
            windows.append(Histogram.of(latencies[lead_in:]))
            whole = Histogram.merged([windows[-1], Histogram.of(latencies[:lead_in])])
            _tell_locust(stats, template, whole, min_ns=min(latencies))
        failures: Counter[str] = Counter()
        for (asked, kind), count in self.failures.items():
            failures[kind] += count - self._lead_in_failures[asked, kind]
            _tell_locust_of_failures(stats, asked, kind, count)
        return Sample(
            window_s=window_s,
            latency=Histogram.merged(windows),
            failures=dict(+failures),
            examples=tuple(self._examples),
            unfinished=self.unfinished,
            connects=self.connects,
            received_bytes=self.received_bytes,
            client_cpu_s=self.client_cpu_ns / 1e9,
            locust_requests=stats.num_requests,
            slice_requests=sum(map(len, self.latencies.values())) + self.failures.total(),
        )


def _tell_locust(stats: Any, template: Template, seen: Histogram, *, min_ns: int) -> None:
    """Add verified responses in one go: a call of Locust's own per response costs half a request."""
    name, method = template.exchange.name, template.exchange.method
    now = time()
    entry: Any = StatsEntry(stats, name, method)  # typed for whole milliseconds
    entry.num_requests = entry.num_reqs_per_sec[int(now)] = seen.count
    entry.total_response_time = seen.total_ns / 1e6
    entry.min_response_time, entry.max_response_time = min_ns / 1e6, seen.max_ns / 1e6
    entry.last_request_timestamp = now
    # Keys as fine as ours: Locust's own buckets are whole milliseconds (its docs: response time bucketing).
    entry.response_times.update(zip((midpoint_ns(b) / 1e6 for b in seen.buckets), seen.counts, strict=True))
    stats.entries[name, method].extend(entry)
    stats.total.extend(entry)


def _tell_locust_of_failures(stats: Any, template: Template | None, kind: str, count: int) -> None:
    method, name = (template.exchange.method, template.exchange.name) if template else ("CONNECT", "")
    for _ in range(count):
        stats.log_request(method, name, None, 0)
        stats.log_error(method, name, kind)
