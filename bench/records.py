"""What was measured, as frozen facts: the content of run.json. Summaries are computed, never kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any, Literal

from bench.histogram import Histogram
from bench.model.cell import Slice
from bench.model.claim import Outcome
from bench.model.contender import Contender
from bench.model.plan import Plan
from bench.model.scenario import Scenario

# Format history
# 1  first
SCHEMA = 1

ENDED = "ended"  # in `Usage.by_process_s`: processes that ended while the window was open, together

CountedBy = Literal["PostgreSQL", "MySQL", "driver"]
Ending = Literal["complete", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTimes:
    """The verified events that came while a window was open, of streams that began in it or before.

    An event that was due and had not come when the window closed is late by the time since, if that is later
    than 99 % of those that came. So a stream that hangs has late events.
    """

    first: Histogram  # request sent to first event
    gap: Histogram  # from the event before to this one
    late: Histogram  # after each was due; one that comes early is not late

    @classmethod
    def merged(cls, parts: Iterable["EventTimes"]) -> "EventTimes":
        kept = list(parts)
        return cls(
            first=Histogram.merged(one.first for one in kept),
            gap=Histogram.merged(one.gap for one in kept),
            late=Histogram.merged(one.late for one in kept),
        )

    @property
    def events(self) -> int:
        """Return how many came."""
        return self.first.count + self.gap.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The data of the load generator for the counted window of a slice.

    Closed loop: the answers while the window was open. Open loop: the requests that were due in it, however
    late they were sent or answered.
    """

    window_s: float
    latency: Histogram  # of verified responses; closed: send to last byte, open: due to last byte
    service: Histogram | None = None  # open: send to last byte
    lag: Histogram | None = None  # open: due to sent, or to queued if no connection is free: our lateness
    bend: float | None = None  # open, Poisson: how far gaps between sends are from the law (`load/gaps.py`)
    due: int | None = None  # open: requests due in the window
    answered: int | None = None  # open: right answers while it was open, to whatever was due before
    queued: int = 0  # open: of those, how many waited for a connection: the server's own queue
    failures: Mapping[str, int] = field(default_factory=dict)  # kind → count
    examples: tuple[str, ...] = ()  # the first failures: request, expected, got
    unfinished: int = 0  # closed: in flight when the window closed; open: without an answer after the drain
    occupied_s: float = 0.0  # closed: connection time in the window, added up from our records
    connects: int = 0
    received_bytes: int = 0
    client_cpu_s: float = 0.0
    wake: Histogram | None = None  # of one read in 16: the kernel's receipt of an answer to our reading it
    locust_requests: int = 0  # Locust's own count over the whole slice, lead-in included
    slice_requests: int = 0  # ours over the same time
    lost_workers: tuple[str, ...] = ()  # load workers: their share is in no count
    broken: str = ""  # why it could not be carried out: a limit of the load machine, with its remedy
    setup_requests: int = 0  # before the slice: log-ins and the like, so that connections have what is needed
    setup_failed: int = 0  # of those, with a wrong answer or none
    setup_s: float = 0.0  # duration of that
    events: EventTimes | None = None  # None: its scenario has no streams
    client: str = ""  # of a locustfile's users: "HttpUser"; "": our loop, which accounts for all their time

    @property
    def requests(self) -> int:
        return self.latency.count

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    @property
    def throughput_rps(self) -> float:
        return self.requests / self.window_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU and memory beside a sample; None where the system does not report it."""

    elapsed_s: float
    server_cpu_s: float | None = None  # None beside by_process_s: children that ended took theirs along
    by_process_s: Mapping[str, float] = field(default_factory=dict)  # process id or ENDED → of server_cpu_s
    database_cpu_s: float | None = None
    client_wait_s: float | None = None  # run delay: the load generator could run, and did not
    busy_s: Mapping[str, float] = field(default_factory=dict)  # core → time not idle, for any reason
    softirq_s: Mapping[str, float] = field(default_factory=dict)  # core → of that in soft interrupts
    steal_s: Mapping[str, float] = field(default_factory=dict)  # core → taken by the hypervisor
    throttled_s: float | None = None  # kept from running by the limit of a control group
    energy_j: float | None = None  # of the whole machine, where it counts that
    memory_bytes: int | None = None  # proportional set size of the whole server tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A slice and everything measured in it. `void` is a reason to drop it, independent of its result."""

    slice: Slice
    sample: Sample
    usage: Usage
    started_s: float  # since the run began
    void: str | None = None
    waited_s: float = 0.0  # since the record before it ended: starts of servers, resets, the last answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One server start: the time until the first 200 from its readiness path."""

    contender: str
    round: int
    ready_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether a contender passed the checks, and what differed. *skipped*: it cannot be served."""

    contender: str
    outcome: Literal["passed", "failed", "no checks", "skipped"]
    checks: int = 0
    differences: tuple[str, ...] = ()  # skipped: what this machine lacks, and the remedy
    remembered: bool = False  # taken from an earlier run with the same content
    generated: int = 0  # generated requests that were answered, if --thorough was requested

    @property
    def may_be_timed(self) -> bool:
        return self.outcome not in ("failed", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One request of an exchange to a contender before any timing; no exchange: its start."""

    contender: str
    exchange: str
    request: str = ""  # method and path
    headers: Mapping[str, str] = field(default_factory=dict)  # without host and length
    body: str = ""
    status: int | None = None  # None: no complete answer came
    answer: str = ""  # the start of its body, printable
    wrong: str = ""  # "expected status 200, got 404"; "": the answer is right
    sent: bool = True  # False: another failure came first
    right_again: int = 0  # of a few more requests after a wrong answer: it is wrong only sometimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """The statements that one exchange runs in a contender's database, counted outside every window."""

    contender: str
    exchange: str
    requests: int  # the counted ones
    failed: int = 0  # requests, its savers' included: the count then describes other work
    statements: Mapping[str, float] = field(default_factory=dict)  # text → calls per request
    remembered: bool = False  # taken from an earlier run with the same content
    counted_by: CountedBy | None = "PostgreSQL"  # None: nothing counted
    drivers: tuple[str, ...] = ()  # counted by drivers: those that ran anything during the count
    why: str = ""  # nothing counted: the reason

    @property
    def per_request(self) -> float | None:
        """Statements per request, those of transactions included; None if unknown."""
        known = self.counted_by and self.requests and not self.failed
        return sum(self.statements.values(), 0.0) if known else None

    @property
    def unseen(self) -> bool:
        """Whether no counted driver ran anything: the count is of none, or of another driver."""
        return self.counted_by == "driver" and not self.drivers


@dataclass(frozen=True, slots=True)
class CountedWindow:
    """Instructions per request in one window of requests."""

    usual: float  # without the garbage collector, if its share is known
    collections: float | None  # in it; None: not told apart, as the interpreter has no symbols


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What a server executed in user space for the requests of a scenario, on a server that is never timed.

    Collections of Python's garbage collector are told apart: a full one takes as much as tens of requests,
    and a window has it or not.
    """

    contender: str
    scenario: str
    counter: str = ""  # "callgrind 3.19.0, method 2": counts of two do not compare
    environment: str = ""  # its name: made from the app, the version of Python and the lock
    path_length: int = 0  # of the checkout, which decides where objects lie; 0: unknown
    requests: int = 0  # of a window
    too_rare: tuple[str, ...] = ()  # exchanges whose weight gives them none of a window's requests
    windows: Mapping[int, tuple[CountedWindow, ...]] = field(default_factory=dict)  # by hash seed
    remembered: bool = False  # taken from an earlier run with the same content
    why: str = ""  # nothing counted: the reason

    @property
    def per_request(self) -> float | None:
        """The usual count: the median over seeds of the median window."""
        return median(self.usual.values()) if self.windows else None

    @property
    def with_collections(self) -> float | None:
        """The mean of all windows, with Python's garbage collector; None if that was not told apart."""
        if not self.tells_collections:
            return None
        everything = [
            one.usual + (one.collections or 0.0) for found in self.windows.values() for one in found
        ]
        return mean(everything) if everything else None

    @property
    def tells_collections(self) -> bool:
        """Whether collections are told apart. Else they are in its usual count."""
        return all(one.collections is not None for found in self.windows.values() for one in found)

    @property
    def usual(self) -> Mapping[int, float]:
        return {seed: median(one.usual for one in found) for seed, found in self.windows.items()}

    @property
    def spread(self) -> float | None:
        """How far apart the middle half of the windows of a seed is, relative to their median."""
        return max(map(_middle_half, self.windows.values())) if self.windows else None


def _middle_half(windows: Sequence[CountedWindow]) -> float:
    ranked = sorted(one.usual for one in windows)
    quarter = len(ranked) // 4
    return (ranked[-1 - quarter] - ranked[quarter]) / median(ranked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The finding of a probe of `apps/evidence/` on a contender, outside every window."""

    contender: str
    topic: str
    outcome: Outcome
    shows: str  # a sentence
    output: str = ""  # the output behind that, unchanged
    statements: Mapping[str, int] = field(default_factory=dict)  # SQL that its database ran meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Data of a server that a scenario wrote to in one round; `left` is why they are not put back."""

    contender: str
    round: int
    scenario: str
    at_s: float  # since the run began: the start of the first slice that wrote
    left: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of a run that its reader must know: a server that died, Ctrl-C."""

    at_s: float
    what: str
    contender: str | None = None
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a plan."""

    schema: int
    plan: Plan
    runtime: str
    started_at: str  # ISO 8601, UTC
    fingerprint: Mapping[str, Any]
    contenders: tuple[Contender, ...]
    scenarios: tuple[Scenario, ...]
    tries: tuple[Try, ...] = ()
    verifications: tuple[Verification, ...] = ()
    queries: tuple[Queries, ...] = ()
    instructions: tuple[Instructions, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    starts: tuple[Start, ...] = ()
    records: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()
    written: tuple[Written, ...] = ()
    ended: Ending | None = None  # None: still running, or killed

    @property
    def timed(self) -> tuple[Contender, ...]:
        named = {name for block in self.plan.blocks for name in block.contenders}
        return tuple(one for one in self.contenders if one.name in named)

    def environment(self, contender: str) -> Mapping[str, Any]:
        """Return what is known of its Python and packages; empty if nothing is."""
        made = self.fingerprint.get("environments", {})
        known: Mapping[str, Any] = made.get(self.fingerprint.get("environment_of", {}).get(contender), {})
        return known

    @property
    def rounds(self) -> int:
        """How many rounds began, without the probe. A plan with a budget plans only its pilot."""
        return len({record.slice.round for record in self.records if record.slice.role != "probe"})
