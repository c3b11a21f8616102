"""What is compared, what is requested and what is claimed, as frozen facts. Measured: `bench.records`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import AllowInfNan, Field

from bench.loads import Load

# Constraints hold where a file is read. Plans have had to meet these from their first day: old runs do too.
Text = Annotated[str, Field(pattern=r"\S")]
Positive = Annotated[float, Gt(0), AllowInfNan(False)]
Proportion = Annotated[float, Gt(0), Lt(1)]  # 0.05: 5 %
AtLeastOne = Len(1)

WITHIN = 0.25  # the allowed error of a claim that does not state one
# `facts`: neither yes nor no, only facts.
Outcome = Literal["yes", "partly", "no", "facts", "not looked at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A topic of `apps/evidence/`, and its contenders. They need not be timed."""

    topic: str
    asks: str
    contenders: Annotated[tuple[str, ...], AtLeastOne]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The stated finding about a contender."""

    topic: str
    contender: str
    outcome: Literal["yes", "partly", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedFigure:
    """A claimed figure of a contender in a closed loop.

    It is tested by its ratio to the reference's figure.
    """

    contender: str
    scenario: str
    connections: Annotated[int, Ge(1)] = 0  # closed; 0 in a file of a plan: the only such load there
    throughput_rps: Positive
    latency_ms: Positive | None = None
    within: Proportion = WITHIN  # of its ratio; 0.25: 25 %


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRatio:
    """A claimed ratio of a contender to any other: *about* so much, or *at_least*, never both."""

    contender: str
    reference: str
    scenario: str
    connections: Annotated[int, Ge(1)] = 0  # as above
    metric: Literal["throughput_rps", "service_demand_us"] = "throughput_rps"
    about: Positive | None = None
    within: Proportion = WITHIN  # of *about*; 0.25: 25 %
    at_least: Positive | None = None


RATIO, CHOICES = "ratio", "choices"  # for what a place has that is no topic of the evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPlace:
    """Where a claim stands in a table of its source.

    A figure has columns of its own. A need without a *column* stands in each of them.
    """

    table: Text
    row: Text
    column: str = ""
    cell: str = ""  # as written there; "": as claimed
    found: str = ""  # what stands beside a need: "ratio", "choices" or a topic of the evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim: a figure, a ratio, the finding of a probe, or a *need* of another plan."""

    says: Text
    source: Text
    figure: ClaimedFigure | None = None
    ratio: ClaimedRatio | None = None
    evidence: Ground | None = None
    needs: str = ""
    at: ClaimPlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Advice, and all conditions for it: evidence, and claims by their words."""

    choose: str
    when: str
    because: tuple[Ground, ...] = ()
    claims: tuple[str, ...] = ()  # claims that must be supported


# capacity: a closed loop whose result open rates are fractions of; ceiling: the null server; probe: runs
# before round 1 on servers that are not timed, and sets the length of windows.
Role = Literal["warm-up", "measure", "control", "capacity", "ceiling", "probe"]

# Changes too small to act on (0.05: 5 %), by metric. CPU per request is the steadier of the two.
MARGINS: Mapping[str, float] = MappingProxyType(
    {"throughput_rps": 0.05, "service_demand_us": 0.03, "instructions": 0.005}
)
ITSELF = "itself"  # for a plan's reference: each contender without its switches
PREVIOUS = "previous"  # likewise: the contender of the same base before it in its block
SAME_AGAIN = "~aa"  # ends the name of the same contender once more, which shows what noise does


@dataclass(frozen=True, slots=True)
class Name:
    """A contender's name in parts: base[:switch=value,…][@revision][~aa]."""

    base: str
    switches: tuple[str, ...] = ()  # each as written: workers=4
    revision: str = ""
    is_twin: bool = False  # the same contender once more, to show what noise does

    def __str__(self) -> str:
        return f"{self.unrevised}{f'@{self.revision}' if self.revision else ''}{SAME_AGAIN * self.is_twin}"

    @property
    def unrevised(self) -> str:
        """The name without its revision: `flask:workers=4` of `flask:workers=4@a1b2c3d4~aa`."""
        return f"{self.base}{':' if self.switches else ''}{','.join(self.switches)}"

    @property
    def original(self) -> str:
        return str(replace(self, is_twin=False))

    @property
    def twin(self) -> str:
        return str(replace(self, is_twin=True))


@cache
def name_of(text: str) -> Name:
    """Return the parts of a contender's name. Whether it is valid: `contenders.resolve`."""
    original = text.removesuffix(SAME_AGAIN)
    unrevised, _, revision = original.partition("@")
    base, _, switches = unrevised.partition(":")
    return Name(base, tuple(filter(None, switches.split(","))), revision, original != text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """How a server shows that it is up: the request of the probe, and the required answer."""

    path: str = "/health"
    host: str | None = None  # its Host header; None: 127.0.0.1:PORT
    headers: Mapping[str, str] = field(default_factory=dict)
    status: tuple[int, ...] = (200,)
    # None: 30 s, and an answer that waiting does not change ends the start sooner.
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresOrigin:
    """Which PostgreSQL holds a contender's databases. Nothing set: the one of a wheel, or of our image."""

    bin: str | None = None  # the folder of its programs on this machine, or "PATH"
    url: str | None = None  # it runs already
    remote: bool = False  # it may run on another machine
    image: str | None = None  # for containers


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One fully specified system under test: source tree, variant, server, workers, environment."""

    name: str  # base[:switch=value,…][@revision][~aa]
    base: str
    app: str  # what contenders of one folder share: "flask_app" of apps/flask_app
    root: str  # the checkout that holds that folder; "" in run.json
    folder: str | None = None  # the working directory of its server, below the root; None: apps/<app>
    stack: str  # its name in a headline: "Flask on gunicorn gthread"
    interface: str
    server: str
    command: str  # {host} {port} {workers} {threads} are filled in when it is served
    workers: int = 1
    threads: int = 1
    python: str | None = None
    lock: str | None = None  # the file of its packages, in place of requirements.txt or `install`
    env: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    postgres: PostgresOrigin = field(default_factory=PostgresOrigin)
    sql: tuple[str, ...] = ()  # run in its own database after the template is copied
    scenarios: tuple[str, ...] | None = None  # None: all
    keep_alive: bool = True  # False: its server closes each connection after its answer
    ready: Ready = field(default_factory=Ready)
    install: tuple[str, ...] | None = None  # files that its environment is made from; None: as found
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    build: tuple[str, ...] = ()  # commands, once for its files
    schema: tuple[str, ...] | None = None  # SQL files, for a fresh database; None: those of apps/
    prepare: tuple[str, ...] = ()  # commands, on a fresh database and folder; their result is the template
    env_file: str | None = None
    pass_env: tuple[str, ...] = ()  # names of variables of the user's shell

    @property
    def at(self) -> str:
        """Its folder as a path below the root; "" is the root."""
        return f"apps/{self.app}" if self.folder is None else self.folder

    @property
    def place(self) -> Path:
        return Path(self.root) / self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Server-sent events. Event i, from 1 on, is due (i - 1) × `every_ms` after the request."""

    events: Annotated[int, Ge(1), Le(10_000)]
    every_ms: Positive
    number: str = ""  # path of an event's number in its data, which is JSON; "": only its `id`, if it has one

    @property
    def lasts_ms(self) -> float:
        return (self.events - 1) * self.every_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a verified response must show, beyond being well framed.

    `{name}` in it has the type of its value. `{name:text}` is its text.
    """

    status: int = 200
    json: Any = None  # a subset: objects by key, arrays by position; None: not checked
    items: int | Mapping[str, int] | None = None  # length of the JSON array, or of arrays by their paths
    contains: str | None = None
    unchanged: bool = False  # a 304 is correct too
    stream: Stream | None = None  # the body is events, each checked when it comes

    @property
    def lengths(self) -> Mapping[str, int]:
        """Lengths of arrays by their paths; "" is the whole answer."""
        if self.items is None:
            return {}
        return {"": self.items} if isinstance(self.items, int) else self.items


SAFE = ("GET", "HEAD", "OPTIONS")  # methods that change nothing, unless an exchange is said to write
BODILESS = (204, 304)  # statuses of answers without a body (RFC 9110 §6.4.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request template and what its response must be.

    `{name}`, `{name+1}` and `{name:text}` are filled in.
    """

    name: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None  # sent as JSON; at most one of body, form, text and multipart
    form: Mapping[str, Any] | None = None  # sent as application/x-www-form-urlencoded
    text: str | None = None  # sent unchanged
    multipart: Mapping[str, Any] | None = None  # sent as multipart/form-data: texts, lists, files
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    expect: Expect = field(default_factory=Expect)
    # Variable → JSON path (user.token), "cookie:name", "header:Name", "header:Name?" (empty where none is),
    # "css:selector@attribute", "regex:pattern" (its group, if it has one).
    save: Mapping[str, str] = field(default_factory=dict)
    consumes: str | None = None  # a saved variable that this request uses up
    needs: tuple[str, ...] = ()  # saved variables that must be there, although the request shows none of them
    writes: bool = False  # although it is a GET

    @property
    def is_bodiless(self) -> bool:
        """Whether its answer has no body, whatever its Content-Length says."""
        return self.method == "HEAD" or self.expect.status in BODILESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Locustfile:
    """A file with Locust's own users, who request what they want."""

    root: str  # the checkout that holds it; "" in run.json
    path: str  # below the root
    users: tuple[str, ...] = ()  # names of classes; empty: all of the file

    @property
    def file(self) -> Path:
        return Path(self.root) / self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Exchanges, and how often each is drawn; or a locustfile, whose one exchange names its content."""

    name: str
    exchanges: tuple[Exchange, ...]
    weights: tuple[int, ...]  # 0: only sent where another one needs what it saves
    cookies: bool = False  # each connection keeps cookies as a browser does
    about: str = ""  # its name in a sentence: "reading a user from PostgreSQL"
    locustfile: Locustfile | None = None  # its users send the requests, by Locust's own client

    @property
    def streams(self) -> tuple[Stream, ...]:
        return tuple(one.expect.stream for one in self.exchanges if one.expect.stream)

    @property
    def writes(self) -> bool:
        return any(exchange.method not in SAFE or exchange.writes for exchange in self.exchanges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The subject of one row of a table."""

    contender: str
    scenario: str
    load: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One contender, one scenario, one load, once: the step that the scheduler hands out."""

    cell: Cell
    role: Role
    round: int
    sweep: int
    seed: int  # same for every contender of the sweep
    lead_in_s: float
    window_s: float
    rate_rps: float | None = None  # of an open load, as set when the slice was handed out


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Contenders × scenarios × loads that are measured side by side."""

    contenders: tuple[str, ...]
    scenarios: tuple[str, ...]
    loads: tuple[Load, ...]
    reference: str | None = None  # of its contenders; None: the plan's


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An experiment as data. Blocks share rounds; a cell of two blocks is measured once."""

    name: str
    blocks: tuple[Block, ...]
    reference: str
    rounds: int  # with a budget: the pilot that determines how many there are
    sweeps: int
    lead_in_s: float
    window_s: float
    warm_up_s: float  # per cell and round, before its first sweep; recorded, not counted
    seed: int
    budget_s: float | None = None  # of rounds = "auto"
    spare_sweeps: int = 2  # at most, in a round, in place of sweeps in which a slice was void
    # If answers take long, the probe chooses windows up to this length; None: always window_s.
    longest_window_s: float | None = None
    # If answers take long, the probe lowers closed loads to so many connections; None: they stay as written.
    fewer_connections: int | None = None
    load_workers: int = 1  # processes that send requests
    margins: Mapping[str, float] = field(default_factory=lambda: dict(MARGINS))
    slo_ms: float | None = None  # p99 that capacity under an objective must keep
    about: str = ""
    claims: tuple[Claim, ...] = ()
    inquiries: tuple[Inquiry, ...] = ()
    choices: tuple[Choice, ...] = ()
    baseline: str | None = None  # a revision: each contender is relative to itself there
    changed: tuple[str, ...] = ()  # exchanges of which the baseline has another version
    count: bool = False  # instructions per request too, where the runtime can
    timed: bool = True  # False: only what is counted, without a round

    @property
    def own_references(self) -> bool:
        of_a_block = any(block.reference for block in self.blocks)
        return self.baseline is not None or self.reference in (ITSELF, PREVIOUS) or of_a_block

    @property
    def ladders(self) -> tuple[tuple[str, ...], ...]:
        found: dict[tuple[int, str], list[str]] = {}
        for number, block in enumerate(self.blocks):
            for name in block.contenders:
                if not name_of(name).is_twin:
                    found.setdefault((number, name_of(name).base), []).append(name)
        return tuple(map(tuple, found.values()))

    def reference_of(self, contender: str) -> str:
        """Return what *contender* is relative to.

        It is the reference of its block, or the plan's. With a baseline it is the contender itself there. If
        the plan's reference is `itself`, it is the contender without switches. If it is `previous`, it is the
        step below on its ladder.
        """
        name = name_of(contender)
        if self.baseline and name.revision:
            return f"{name.unrevised}@{self.baseline}"
        for block in self.blocks:
            if block.reference and contender in block.contenders:
                return block.reference
        if self.reference == ITSELF:
            return name.base
        if self.reference == PREVIOUS:
            steps = next(ladder for ladder in self.ladders if name.original in ladder)
            return name.original if name.is_twin else steps[max(0, steps.index(contender) - 1)]
        return self.reference
