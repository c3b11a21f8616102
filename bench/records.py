"""What was measured, as frozen facts: the content of run.json. Summaries are computed, never kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.histogram import Histogram
from bench.model import Contender, Outcome, Plan, Scenario, Slice

# Format history
# 1  first
SCHEMA = 1

ENDED = "ended"  # in `Usage.by_process_s`: processes that ended while the window was open, together

CountedBy = Literal["PostgreSQL", "driver"]
Ending = Literal["complete", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the load generator saw in the counted window of a slice.

    Closed loop: what was answered while the window was open. Open loop: the requests that were due while it
    was, however late they were sent or answered.
    """

    window_s: float
    latency: Histogram  # of verified responses; closed: send to last byte, open: due to last byte
    service: Histogram | None = None  # open: send to last byte
    lag: Histogram | None = None  # open: due to sent, or to queued where no connection is free: our lateness
    due: int | None = None  # open: requests due in the window
    queued: int = 0  # open: of those, how many waited for a connection: the server's own queue
    failures: Mapping[str, int] = field(default_factory=dict)  # kind → count
    examples: tuple[str, ...] = ()  # the first failures: request, expected, got
    unfinished: int = 0  # closed: in flight when the window closed; open: without an answer after the drain
    occupied_s: float = 0.0  # closed: what every connection did in the window, added up from the books
    connects: int = 0
    received_bytes: int = 0
    client_cpu_s: float = 0.0
    locust_requests: int = 0  # Locust's own count over the whole slice, lead-in included
    slice_requests: int = 0  # ours over the same time
    lost_workers: tuple[str, ...] = ()  # that asked, or would have: their share is in no count
    broken: str = ""  # why it could not be carried out: a limit of the machine that asks, with its remedy
    setup_requests: int = 0  # before the slice: log-ins and the like, so that connections have what is needed
    setup_failed: int = 0  # of those, which were answered wrongly or not at all
    setup_s: float = 0.0  # how long that took

    @property
    def requests(self) -> int:
        """Verified responses in the window."""
        return self.latency.count

    @property
    def failed(self) -> int:
        """Responses that were wrong or did not come."""
        return sum(self.failures.values())

    @property
    def throughput_rps(self) -> float:
        """Verified responses per second."""
        return self.requests / self.window_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU and memory beside a sample; None where the system does not tell."""

    elapsed_s: float
    server_cpu_s: float | None = None  # None beside by_process_s: children that ended took theirs along
    by_process_s: Mapping[str, float] = field(default_factory=dict)  # process id or ENDED → of server_cpu_s
    database_cpu_s: float | None = None
    client_wait_s: float | None = None  # run delay: the load generator could run, and did not
    busy_s: Mapping[str, float] = field(default_factory=dict)  # core → not idle, whoever it was
    softirq_s: Mapping[str, float] = field(default_factory=dict)  # core → of that in soft interrupts
    steal_s: Mapping[str, float] = field(default_factory=dict)  # core → taken by the hypervisor
    throttled_s: float | None = None  # kept from running by the limit of a control group
    memory_bytes: int | None = None  # proportional set size of the whole server tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A slice and everything measured in it. `void` holds outcome-blind evidence against it."""

    slice: Slice
    sample: Sample
    usage: Usage
    started_s: float  # since the run began
    void: str | None = None
    waited_s: float = 0.0  # since the record before it ended: starts of servers, resets, the last answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One server start: how long until the first 200 from its readiness path."""

    contender: str
    round: int
    ready_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether a contender was held against the checks, and what differed; *skipped*: it cannot be served."""

    contender: str
    outcome: Literal["passed", "failed", "no checks", "skipped"]
    checks: int = 0
    differences: tuple[str, ...] = ()  # skipped: what this machine lacks, and the remedy
    remembered: bool = False  # taken over from an earlier run with the same content
    generated: int = 0  # requests that were made up and answered, where asked to be thorough

    @property
    def may_be_timed(self) -> bool:
        """Whether nothing speaks against timing it."""
        return self.outcome not in ("failed", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """An exchange requested once of a contender before anything was timed; no exchange: its start."""

    contender: str
    exchange: str
    request: str = ""  # method and path
    headers: Mapping[str, str] = field(default_factory=dict)  # without host and length
    body: str = ""
    status: int | None = None  # None: no whole answer came
    answer: str = ""  # the head of its body, printable
    wrong: str = ""  # "expected status 200, got 404"; "": the answer is right
    sent: bool = True  # False: another failure came first
    right_again: int = 0  # of a few more requests after a wrong answer: then it is wrong now and then


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """What one exchange asks of a contender's database, as it was counted outside every window."""

    contender: str
    exchange: str
    requests: int  # that were counted
    failed: int = 0  # requests, its savers' included: the count is then of other work
    statements: Mapping[str, float] = field(default_factory=dict)  # text → calls per request
    remembered: bool = False  # taken over from an earlier run with the same content
    counted_by: CountedBy | None = "PostgreSQL"  # None: nobody counted
    drivers: tuple[str, ...] = ()  # counted by drivers: those that ran anything while they were counted
    why: str = ""  # nobody counted

    @property
    def per_request(self) -> float | None:
        """Statements per request, those of transactions included; None where that is not known."""
        known = self.counted_by and self.requests and not self.failed
        return sum(self.statements.values(), 0.0) if known else None

    @property
    def unseen(self) -> bool:
        """Whether no driver that is counted ran anything: a count of none, or of another driver's."""
        return self.counted_by == "driver" and not self.drivers


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a probe of `apps/evidence/` saw of a contender, outside every window."""

    contender: str
    topic: str
    outcome: Outcome
    shows: str  # a sentence
    output: str = ""  # what that rests on, as it came
    statements: Mapping[str, int] = field(default_factory=dict)  # SQL that its database ran meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Data of a server that a scenario wrote to, in one round; `left` says why they are not put back."""

    contender: str
    round: int
    scenario: str
    at_s: float  # since the run began: when the first slice that wrote began
    left: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a run and that its reader must know: a server that died, Ctrl-C."""

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
    evidence: tuple[Evidence, ...] = ()
    starts: tuple[Start, ...] = ()
    records: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()
    written: tuple[Written, ...] = ()
    ended: Ending | None = None  # None: still going, or killed

    @property
    def timed(self) -> tuple[Contender, ...]:
        """The contenders that its blocks name; the others are only looked at for evidence."""
        named = {name for block in self.plan.blocks for name in block.contenders}
        return tuple(one for one in self.contenders if one.name in named)

    @property
    def rounds(self) -> int:
        """How many rounds were begun, the probe apart: a plan with a budget plans only its pilot."""
        return len({record.slice.round for record in self.records if record.slice.role != "probe"})
