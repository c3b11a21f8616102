"""Stand-ins for what is slow or outside. Each appends the calls that it gets to one list, in order."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.errors import CannotMeasure
from bench.histogram import Histogram
from bench.model.cell import Slice
from bench.model.contender import Contender
from bench.records import Sample, Try, Usage
from bench.runtime.statements import StatementSource

Diary = list[str]


@dataclass
class FakeServer:
    contender: Contender
    diary: Diary
    died: str | None = None
    address: tuple[str, int] = ("127.0.0.1", 9)
    ready_s: float = 0.5
    environment: str = ""
    path: str = ""
    packages: None = None
    calls: None = None
    left: str | None = None  # why its data are not put back
    gil: str | None = None  # why its GIL is on
    rows: tuple[tuple[object, ...], ...] = ()  # of any query
    writing: frozenset[str] = frozenset()  # scenarios that write to its data, whatever they declare

    def pids(self):
        return (1, 2)

    def reset_data(self):
        self.diary.append(f"reset {self.contender.name}")
        return self.left

    def data_version(self):
        own = [entry.split() for entry in self.diary if entry.endswith(f" {self.contender.name}")]
        return sum(words[0] == "reset" or words[1] in self.writing for words in own)

    def query(self, sql, most):
        self.diary.append(f"query {self.contender.name}")
        return self.rows[:most]

    def statements(self):
        return {}

    def statement_source(self):
        if self.contender.services:
            return StatementSource(by="PostgreSQL")
        return StatementSource(by=None, why="a fake counts nothing")

    def ended(self):
        return self.died

    def log_tail(self):
        return "its last words"

    def gil_on(self):
        return self.gil


@dataclass
class FakeRuntime:
    diary: Diary
    name: str = "fake"
    dying: Mapping[str, int] = field(default_factory=dict)  # contender → the serving in which it dies
    database_dies_in: int | None = None  # serving
    lacking: Mapping[str, str] = field(default_factory=dict)  # contender → what it lacks for it
    left: Mapping[str, str] = field(default_factory=dict)  # contender → why its data are not put back
    gil: Mapping[str, str] = field(default_factory=dict)  # contender → why its GIL is on
    writing: frozenset[str] = frozenset()  # scenarios that write, whatever they declare
    rows: Mapping[str, tuple[tuple[object, ...], ...]] = field(default_factory=dict)  # contender → of queries
    down: frozenset[str] = frozenset()  # contenders whose servers do not start
    servings: int = 0
    only_timed: bool = False  # what is served for tries and checks is not written down

    def lacks(self, contender: Contender):
        return self.lacking.get(contender.name)

    def prepare(self, contenders: Sequence[Contender]):
        self.diary.append(f"prepare {' '.join(one.name for one in contenders)}")

    @contextmanager
    def serve(
        self,
        contenders: Sequence[Contender],
        *,
        hash_seed: int,
        timed: bool = True,
        counting: str | None = None,
    ) -> Iterator[dict[str, FakeServer]]:
        if down := self.down.intersection(one.name for one in contenders):
            raise CannotMeasure(f"{min(down)} ended before it was ready")
        if self.only_timed and not timed:
            rows = self.rows
            yield {one.name: FakeServer(one, self.diary, rows=rows.get(one.name, ())) for one in contenders}
            return
        self.servings += 1
        self.diary.append(f"serve {' '.join(one.name for one in contenders)}")
        try:
            yield {one.name: self._server(one) for one in contenders}
        finally:
            self.diary.append("stop")

    def _server(self, contender: Contender) -> FakeServer:
        name = contender.name
        left, died, rows = self.left.get(name), self._ending(name), self.rows.get(name, ())
        gil = self.gil.get(name)
        return FakeServer(
            contender, self.diary, died=died, left=left, gil=gil, writing=self.writing, rows=rows
        )

    def _ending(self, name: str) -> str | None:
        return "killed by signal 9" if self.dying.get(name) == self.servings else None

    def check(self):
        if self.servings == self.database_dies_in:
            raise CannotMeasure("PostgreSQL ended: see its log")

    def database_pids(self):
        return (3,)

    def facts(self):
        return {"placement": {"caveats": []}}


@dataclass
class FakeLoad:
    diary: Diary
    interrupt_at: int | None = None  # the how-manieth slice
    latencies_ns: tuple[int, ...] = (1_000_000, 2_000_000)
    response_bytes: int = 0
    lag: Histogram | None = None
    slices: int = 0

    def prepare(self, targets, scenarios):
        self.diary.append(f"aim at {' '.join(targets) or 'nobody'}")

    def forget(self, target):
        self.diary.append(f"forget {target}")

    def pids(self):
        return (4,)

    def begin(self, step: Slice) -> tuple[int, int]:
        self.slices += 1
        if self.slices == self.interrupt_at:
            raise KeyboardInterrupt
        self.step = step
        self.diary.append(f"{step.role} {step.cell.scenario} {step.cell.contender}")
        return 0, 1

    def finish(self) -> Sample:
        return Sample(
            window_s=self.step.window_s,
            latency=Histogram.of(self.latencies_ns),
            lag=self.lag,
            received_bytes=self.response_bytes * len(self.latencies_ns),
            slice_requests=len(self.latencies_ns),
        )


@dataclass
class FakeOnce:
    """Answers rightly, but for what is in *wrong*: by contender and exchange, why."""

    wrong: Mapping[tuple[str, str], str] = field(default_factory=dict)
    right_again: int = 0

    def __call__(self, contender, address, scenarios):
        for one in dict.fromkeys(exchange.name for scenario in scenarios for exchange in scenario.exchanges):
            why = self.wrong.get((contender, one), "")
            status, answer = (404, "gone") if why else (200, "fine")
            yield Try(
                contender=contender,
                exchange=one,
                request=f"GET /{one}",
                status=status,
                answer=answer,
                wrong=why,
                right_again=self.right_again if why else 0,
            )


@dataclass
class FakeNullServers:
    diary: Diary
    address: tuple[str, int] = ("127.0.0.1", 8)
    refuses: str = ""  # why none starts

    @contextmanager
    def __call__(self, scenario, response_bytes):
        if self.refuses:
            raise CannotMeasure(self.refuses)
        self.diary.append(f"null server of {scenario.name}, {response_bytes} bytes")
        yield self
        self.diary.append("null server stops")

    def pids(self):
        return (5,)


class FakeObserver:
    def watch(self, server, database, client, opens_ns, closes_ns) -> Usage:
        return Usage(elapsed_s=0.2, server_cpu_s=0.1, database_cpu_s=0.01, memory_bytes=1000)


@dataclass
class FakeProgress:
    lines: list[str] = field(default_factory=list)

    def phase(self, what):
        self.lines.append(what)

    def note(self, what):
        self.lines.append(what)

    def measuring(self, step, *, planned_s, left_s, half_width):
        assert 0 < left_s <= planned_s
