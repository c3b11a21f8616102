"""Whether windows hold enough answers for their count to be a measurement, and how long they should be.

A window counts whole answers. A server that computes all the time sends them one by one, so its count moves
in steps of one. Connections that begin together and wait side by side are answered together. Their count
moves in steps of the number of connections, until their first requests are spread over the time of an answer.
The rule and its numbers: docs/methodology.md, docs/adr/0013.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from bench.records import Record

FEWEST = 40  # answers in a window: steps of 2.5 %, half of the margin for throughput
FEWEST_EACH = 4  # of them per connection, where the server waits most of the time
FEWEST_EACH_BUSY = 1  # where it computes
BUSY = 0.7  # CPU seconds per second, of server and database
AMPLE = 2.0  # chosen windows hold so many times the fewest: an answer may take longer later on
SETTLED = 0.5  # share of what is in flight that answers must explain; below it the slow ones still come


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the answers of one cell follow each other under its closed load."""

    connections: int
    answers: int
    observed_s: float  # the sum of their windows
    busy: float  # CPU seconds of server and database per second; 0.0 where the system does not report it
    accounted: float  # share of the connections' time that answers explain

    @property
    def rate_rps(self) -> float:
        return self.answers / self.observed_s

    @property
    def answer_s(self) -> float:
        """How long a connection waits for an answer. Without one, it is at least the time observed."""
        return self.connections / self.rate_rps if self.answers else self.observed_s

    @property
    def is_known(self) -> bool:
        settled = self.accounted >= SETTLED or self._computes
        return settled and self.answers >= min(self.connections, FEWEST)

    @property
    def _computes(self) -> bool:
        return self.busy >= BUSY

    def suffices(self, window_s: float, lead_in_s: float) -> bool:
        """Whether a window of *window_s* counts finely enough, after a lead-in of *lead_in_s*.

        The lead-in is that of an average slice: the first requests are spread over it.
        """
        answers = self.rate_rps * window_s
        each = answers / self.connections
        if answers < FEWEST:
            return False
        if self._computes:
            return each >= FEWEST_EACH_BUSY
        return each >= (FEWEST_EACH if lead_in_s >= self.answer_s else FEWEST)

    def window_s(self, ample: float = AMPLE) -> float:
        """Return the window that holds *ample* times the fewest answers, rounded up to hundredths."""
        each = FEWEST_EACH_BUSY if self._computes else FEWEST_EACH
        return hundredths(ample * max(FEWEST / self.connections, each) * self.answer_s)


def pace_of(records: Iterable[Record]) -> Pace | None:
    """Return the pace of one cell from its *records*.

    None without any, or if the load does not keep its connections busy. Streams have a pace that is given.
    """
    kept = list(records)
    if not kept or not kept[0].slice.cell.load.keeps_busy or any(one.sample.events for one in kept):
        return None
    samples, usages = [one.sample for one in kept], [one.usage for one in kept]
    connections = kept[0].slice.cell.load.connections
    observed_s = sum(sample.window_s for sample in samples)
    watched_s = sum(usage.elapsed_s for usage in usages)
    cpu_s = sum((usage.server_cpu_s or 0.0) + (usage.database_cpu_s or 0.0) for usage in usages)
    right = sum(sample.requests for sample in samples)
    answers = right + sum(sample.failed for sample in samples)
    latency_s = sum(sample.latency.total_ns for sample in samples) / 1e9
    held_s = latency_s * answers / right if right else 0.0  # wrong ones take time too
    return Pace(
        connections=connections,
        answers=answers,
        observed_s=observed_s,
        busy=cpu_s / watched_s if watched_s else 0.0,
        # Users of a locustfile do other things as well: nothing shows that slow answers are still to come.
        accounted=1.0 if any(sample.client for sample in samples) else held_s / (connections * observed_s),
    )


def coarse(records: Sequence[Record]) -> str | None:
    """Return why the counts of one cell's *records* are too coarse; None if they are not.

    None also where no answer came, which is reported elsewhere.
    """
    pace = pace_of(records)
    if pace is None or not pace.answers:
        return None
    window_s = pace.observed_s / len(records)
    if pace.suffices(window_s, sum(one.slice.lead_in_s for one in records) / len(records)):
        return None
    return shortfall(pace, window_s)


def shortfall(pace: Pace, window_s: float) -> str:
    on = f"{pace.connections:,} connection{'s' * (pace.connections != 1)}"
    short = f"windows of {duration(window_s)} are too short: on {on}"
    if not pace.answers:
        return f"{short} no answer came in {duration(pace.answer_s)}"
    each = pace.rate_rps * window_s / pace.connections
    return (
        f"{short} an answer takes {duration(pace.answer_s)}, so each has {each:.1f} of them in a window: "
        f"lead_in_s = {hundredths(pace.answer_s):g} and window_s = {pace.window_s():g} would do"
    )


def hundredths(seconds: float) -> float:
    return ceil(round(100 * seconds, 6)) / 100


def duration(seconds: float) -> str:
    """Return a short time with its unit: 120 ms, 1.2 s."""
    return f"{seconds * 1000:,.0f} ms" if seconds < 0.9995 else f"{seconds:,.3g} s"
