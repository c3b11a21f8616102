"""A submission: one run as a small file, without a path, a name of a host or anything of its environment.

Arrays have one entry for each sweep of `Submission.sweeps`, so two cells pair by position. Indices count from
0 into the arrays of the submission. An estimate is [estimate, low, high, level]; the last three are null with
too few rounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.analysis.comparisons import Verdict
from bench.loads import Metric
from bench.records import Ending

# Format history
# 1  first
FORMAT = 1
KIND = "webframework-bench submission"
MOST_BYTES = 100_000
SUFFIX = ".json"

Figures = tuple[float, float | None, float | None, float | None]
Column = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Whose code was measured. Contenders of two projects are never the same, whatever their names."""

    id: str  # of its first commit, or else of the very code
    name: str = ""
    commit: str = ""
    committed_at: str | None = None
    dirty: bool | None = None  # None: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedPlan:
    """The plan as it was carried out, without what is not set, and hashes of it and of its claims."""

    name: str
    content: Mapping[str, Any]  # without claims
    hash: str
    claims: tuple[Mapping[str, Any], ...] = ()
    claims_hash: str
    # Hashes that the run recorded before its first slice; None: it is older than that record.
    hash_at_start: str | None = None
    claims_hash_at_start: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedContender:
    """What was measured, without its command and environment; these are in *definition*, a hash."""

    name: str
    base: str
    stack: str
    app: str
    folder: str = ""  # below the root of its repository; "": the root
    framework: str  # "django", "flask", "fastapi" …, or the base's first word
    framework_version: str | None = None
    interface: str = ""
    server: str = ""
    server_version: str | None = None
    is_async: bool
    data: Literal["orm", "sql"] | None = None  # by its switches and packages; None: no database, or unknown
    database: bool  # a database is among its services
    services: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()  # "orm=off"
    revision: str = ""
    is_twin: bool = False
    workers: int
    threads: int
    python: str | None = None  # of its environment
    environment: str | None = None  # a name in facts.environments, which has its packages
    source: str | None = None  # hash of its app's files
    locked_at: str | None = None  # when its lock was committed
    definition: str
    checks: Literal["passed", "failed", "no checks", "skipped"]
    checks_passed: int = 0
    keep_alive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedExchange:
    name: str
    request: str  # "GET /users/{id}"
    weight: int
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedScenario:
    name: str
    about: str = ""
    hash: str  # of what is requested; equal in two runs: the same work
    database: bool | None = None  # whether any contender ran a statement in it; None: not counted
    exchanges: tuple[StatedExchange, ...] = ()
    locustfile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLoad:
    title: str  # "32 connections"
    slug: str  # the same, fit for an address
    kind: Literal["closed", "open"]
    connections: int
    rate: float | None = None
    fraction: float | None = None
    of: str | None = None
    arrivals: str | None = None
    metrics: tuple[Metric, ...]  # what may be compared, the main one first


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeps:
    """The sweeps of the run, in order: every array of a cell has one entry for each."""

    round: tuple[int, ...]
    sweep: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinned:
    """A histogram of latencies with wider buckets.

    *buckets* are differences: the first is a bucket, each other one the step from the one before. Bucket b
    covers durations from low(b) to low(b + 1), in ns: with c = b · 2^bits, s = floor(c / 512) − 1 and
    low = (c − 512·s) · 2^s.
    """

    bits: int
    buckets: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLatency:
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p99_9: float | None = None
    max: float | None = None


NO_LATENCY = StatedLatency()  # of a cell without a right answer


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedArrivals:
    """What only an open load has."""

    rate_rps: float | None = None
    due: int
    queued: int
    service_ms: StatedLatency = NO_LATENCY
    lag_ms: StatedLatency = NO_LATENCY


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted per request, and by what. *instructions* are None where only statements are known."""

    statements: float | None = None
    statements_by: str | None = None
    instructions: float | None = None
    with_collections: float | None = None
    instructions_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedCell:
    """One contender in one scenario under one load.

    Right answers per second of a sweep are right / window_s. Sweeps that were void, or in which it was not
    measured, are null.
    """

    contender: int
    scenario: int
    load: int
    window_s: float | Column
    right: tuple[int | None, ...]  # verified responses
    wrong: tuple[int | None, ...] = ()  # (): none in any sweep
    in_window: tuple[int | None, ...] = ()  # right answers while the window was open; (): as in *right*
    cpu_us: Column  # CPU time of the server per right answer in the window
    rounds: int
    slices: int
    throughput_rps: Figures | None = None
    service_demand_us: Figures | None = None
    database_us: Figures | None = None
    client_us: Figures | None = None
    memory_bytes: int | None = None
    response_bytes: float | None = None
    requests: int  # right answers in all
    answers: int  # right and wrong; if all slices are void, of those
    failures: Mapping[str, int] = field(default_factory=dict)
    unfinished: int = 0
    voids: Mapping[str, int] = field(default_factory=dict)  # reason → slices
    latency_ms: StatedLatency = NO_LATENCY
    latencies: Thinned
    arrivals: StatedArrivals | None = None
    utilisation: Mapping[str, float | None] = field(default_factory=dict)
    ceiling_rps: float | None = None
    bound_by: str | None = None
    in_flight: float | None = None
    imbalance: float | None = None
    steadiness: str | None = None  # "steady", "warming" …
    withheld: str | None = None  # the reasons why it has no ratio and no rank; None: it may have them
    client_limit: str | None = None
    paced: str | None = None
    coarse: str | None = None
    rank: int | None = None
    caveats: tuple[int, ...] = ()  # indices into Submission.caveats
    counted: Counted = field(default_factory=Counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRatio:
    """A cell relative to another contender in its scenario under its load."""

    cell: int
    reference: int  # a contender
    metric: Metric
    ratio: Figures | None = None
    rounds: int
    pairs: int
    dropped: int
    verdict: Verdict
    blocked: bool = False
    withheld: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedEvent:
    at_s: float
    what: str
    contender: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFinding:
    """What the run shows about the claim of the same position."""

    verdict: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One run."""

    format: int = FORMAT
    kind: str = KIND
    id: str
    bench: str  # version of the harness
    project: Project
    plan: StatedPlan
    runtime: str
    started_at: str  # ISO 8601, UTC
    lasted_s: float
    ended: Ending | None  # None: killed
    invalid: str | None = None  # why no number can be used
    facts: Mapping[str, Any]  # of the fingerprint: machine, system, python, services, environments …
    contenders: tuple[StatedContender, ...]
    scenarios: tuple[StatedScenario, ...]
    loads: tuple[StatedLoad, ...]
    sweeps: Sweeps
    cells: tuple[StatedCell, ...]
    ratios: tuple[StatedRatio, ...] = ()
    noise_floors: tuple[StatedRatio, ...] = ()
    findings: tuple[StatedFinding, ...] = ()
    void_slices: int = 0
    slices: int  # void ones included
    caveats: tuple[str, ...] = ()
    events: tuple[StatedEvent, ...] = ()
