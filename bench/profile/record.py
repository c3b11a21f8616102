"""What `bench profile` measured, as frozen facts: the content of profile.json. No timed table reads it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bench.files import check_schema, read_json, to_json, write_atomically
from bench.loads import Load
from bench.model.contender import Contender

# Format history
# 1  first
SCHEMA = 1
FILE = "profile.json"

Profiler = Literal["py-spy", "cprofile"]
Files = Mapping[str, str]  # path, or the start of one → layer: "sqlalchemy", "./views.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window of load: the answers in it, and the CPU that the server took."""

    window_s: float
    requests: int  # verified
    failed: int
    watched_s: float  # the time over which CPU was read
    server_cpu_s: float | None  # None: the system does not report it

    @property
    def throughput_rps(self) -> float:
        return self.requests / self.window_s

    @property
    def demand_us(self) -> float | None:
        if self.server_cpu_s is None or not self.requests or not self.watched_s:
            return None
        return self.server_cpu_s / self.watched_s / self.throughput_rps * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """The samples of a profiler.

    *stacks*: "function (file);function (file)", caller first → count. A file of the app starts with "./", one
    of a package with the package's name.
    """

    stacks: Mapping[str, int]
    period_s: float  # time of one count
    watched_s: float
    cpu_s: float | None  # of the server over the same time
    errors: int = 0  # samples that could not be read

    @property
    def sampled_s(self) -> float:
        return sum(self.stacks.values()) * self.period_s

    @property
    def coverage(self) -> float | None:
        """Counts as seconds over CPU seconds of the same time. 1: each explains the other completely."""
        return self.sampled_s / self.cpu_s if self.cpu_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One contender in one scenario, profiled in windows between windows without the profiler."""

    contender: str
    stack: str  # its name in a headline
    scenario: str
    beside: tuple[Window, ...]  # not profiled: before and after, turn by turn
    during: Window  # of all turns
    sampled: Sampled
    files: Files  # the layers that its app declares

    @property
    def throughput_rps(self) -> float:
        return _mean([window.throughput_rps for window in self.beside])

    @property
    def demand_us(self) -> float | None:
        """CPU per request without the profiler, in µs."""
        demands = [window.demand_us for window in self.beside]
        return _mean([one for one in demands if one is not None]) if None not in demands else None

    @property
    def lost(self) -> float:
        """The share of throughput that profiling took; below 0 if noise was larger."""
        return 1 - self.during.throughput_rps / self.throughput_rps if self.throughput_rps else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiling:
    """One execution of `bench profile`."""

    schema: int
    started_at: str  # ISO 8601, UTC
    profiler: Profiler
    version: str  # of the profiler
    runtime: str
    load: Load
    fingerprint: Mapping[str, Any]
    contenders: tuple[Contender, ...]
    profiles: tuple[Profile, ...] = ()


def one_window(parts: Sequence[Window]) -> Window:
    return Window(
        window_s=sum(part.window_s for part in parts),
        requests=sum(part.requests for part in parts),
        failed=sum(part.failed for part in parts),
        watched_s=sum(part.watched_s for part in parts),
        server_cpu_s=_all([part.server_cpu_s for part in parts]),
    )


def all_samples(parts: Sequence[Sampled]) -> Sampled:
    stacks = Counter[str]()
    for part in parts:
        stacks.update(part.stacks)
    return Sampled(
        stacks=stacks,
        period_s=parts[0].period_s,
        watched_s=sum(part.watched_s for part in parts),
        cpu_s=_all([part.cpu_s for part in parts]),
        errors=sum(part.errors for part in parts),
    )


def save(profiling: Profiling, folder: Path) -> None:
    """Write profile.json into *folder*, without the places of the apps: the file is read elsewhere too."""
    portable = tuple(replace(one, root="") for one in profiling.contenders)
    write_atomically(folder / FILE, to_json(replace(profiling, contenders=portable)))


def load(folder: Path) -> Profiling:
    """Return the profile in *folder*; raises UsageError if it is absent, damaged or of another schema."""
    kept = read_json(folder / FILE, Profiling)
    check_schema(folder / FILE, kept.schema, SCHEMA)
    return kept


def _all(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) if len(known) == len(values) else None


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
