"""What a server of known arithmetic notes of each request, by its own clock (`perf_counter_ns`)."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.histogram import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A request, in ns. What is due is counted from its receipt, so waking up late delays no answer."""

    received_ns: int  # by the kernel; where it dates nothing, as `read_ns`
    read_ns: int  # the server had woken up
    due_ns: int | None = None  # None: an incomplete batch
    sent_ns: int | None = None  # its answer

    @property
    def late_ns(self) -> int:
        """How long after it was due the answer was sent."""
        return max(0, self.sent_ns - self.due_ns) if self.sent_ns and self.due_ns else 0


def wakes(served: Iterable[Served]) -> Histogram:
    return Histogram.of(max(0, one.read_ns - one.received_ns) for one in served)


def lates(served: Iterable[Served]) -> Histogram:
    return Histogram.of(one.late_ns for one in served if one.sent_ns)
