"""Whether latency is measured right here: our open loop in front of servers of known arithmetic.

*Theory* is the closed form. *Due* is the same arithmetic on the very arrival times that were drawn, so the
luck of the draw is not in the difference. *Measured* is what the load generator reports. Between the two lie
how late the server was, by its own clock, and how late we were: both stand beside it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from math import ceil
from random import Random
from typing import Any, Protocol

from bench.analysis.voids import BENT
from bench.doctor.known.behaviours import latencies_ns
from bench.doctor.known.kinds import KINDS
from bench.doctor.known.served import Served, lates, wakes
from bench.doctor.known.theory import quantile
from bench.errors import CannotMeasure
from bench.histogram import Histogram, midpoint_ns
from bench.load import LoadGenerator
from bench.load.arrivals import due_offsets
from bench.load.null.server import HELLO
from bench.loads import Open
from bench.model.cell import Cell, Slice
from bench.records import Sample
from bench.run.progress import Progress

PERCENTS = (50.0, 90.0, 99.0, 99.9)
REQUESTS = 21_000  # p99.9 then has 20 observations beyond it
WITHIN_SHARE, WITHIN_MS = 0.03, 0.020  # whichever is more
LEAD_IN_S = 1.0
DISTURBED_MS = 1.0  # the machine is named where more than a thousandth of sends were later
MOST_LATE = 0.001
SEED = 1
NAME = "known-server"


class KnownServer(Protocol):
    @property
    def address(self) -> tuple[str, int]: ...

    def served(self) -> Sequence[Served]:
        """End the server. Return what it noted of each request, as they came. Raises CannotMeasure."""


KnownServers = Callable[[str, int], AbstractContextManager[KnownServer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A percentile, in ms."""

    percent: float
    theory_ms: float
    due_ms: float
    server_late_ms: float = 0.0  # what the server's lateness adds to what is due
    client_late_ms: float = 0.0  # what ours adds to that: late sends, the way there, late reads
    measured_ms: float | None

    @property
    def fits(self) -> bool:
        """Whether what was measured is what is due and the server's own lateness."""
        return self._is_near(self.due_ms + self.server_late_ms)

    @property
    def fits_without_ours(self) -> bool:
        """Whether our own lateness, by the clocks, is all that it is too long by."""
        return self._is_near(self._clocked_ms)

    @property
    def off(self) -> float | None:
        """What no clock shows, relative to what the clocks show."""
        return None if self.measured_ms is None else self.measured_ms / self._clocked_ms - 1

    @property
    def _clocked_ms(self) -> float:
        return self.due_ms + self.server_late_ms + self.client_late_ms

    def _is_near(self, expected_ms: float) -> bool:
        if self.measured_ms is None:
            return False
        return abs(self.measured_ms - expected_ms) <= max(WITHIN_SHARE * expected_ms, WITHIN_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was measured in front of one server of known arithmetic."""

    kind: str
    about: str
    requests: int
    wrong: int
    lost: int = 0  # without an answer, though arithmetic gives one
    points: tuple[Point, ...]
    server_wake: Histogram  # from the kernel's receipt of a request to the server's reading it
    server_late: Histogram  # due to sent, by the server's own clock
    client_late: Histogram
    client_wake: Histogram  # from the kernel's receipt of an answer to our reading it, of a sample
    bend: float | None  # how far the gaps between sends are from the exponential law

    @property
    def fits(self) -> bool:
        return self._is_sound and all(point.fits for point in self.points)

    @property
    def is_ours(self) -> bool:
        """Whether it does not fit, and only because we were late."""
        explained = all(point.fits or point.fits_without_ours for point in self.points)
        return self._is_sound and explained and not self.fits

    @property
    def _is_sound(self) -> bool:
        return not (self.wrong or self.lost or self.is_bent)

    @property
    def is_bent(self) -> bool:
        return self.bend is not None and self.bend > BENT

    @property
    def is_disturbed(self) -> bool:
        """Whether a clock other than the measured latency shows that the machine was not ours alone."""
        lates = self.server_late, self.client_late
        return self.is_bent or any(late.share_above(DISTURBED_MS) > MOST_LATE for late in lates)

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "about": self.about,
            "fits": self.fits,
            "disturbed": self.is_disturbed,
            "requests": self.requests,
            "wrong": self.wrong,
            "lost": self.lost,
            "points": [
                asdict(point) | {"fits": point.fits, "fits_without_ours": point.fits_without_ours}
                for point in self.points
            ],
            "server_wake_us": _lates_us(self.server_wake),
            "server_late_us": _lates_us(self.server_late),
            "client_late_us": _lates_us(self.client_late),
            "client_wake_us": _lates_us(self.client_wake),
            "bend": self.bend,
        }


def readings(
    load: LoadGenerator, serve: KnownServers, progress: Progress, *, requests: int = REQUESTS
) -> tuple[Reading, ...]:
    """Request from each kind of server in turn: two minutes. Raises CannotMeasure."""
    seconds = sum(requests / kind.rate_rps + LEAD_IN_S for kind in KINDS.values())
    progress.phase(f"requesting from {len(KINDS)} servers of known arithmetic: about {seconds:.0f} s")
    return tuple(_reading(name, load, serve, progress, requests) for name in KINDS)


def verdict(found: Iterable[Reading]) -> str | None:
    """Return what does not fit, with the remedy; None if everything does."""
    off = [reading for reading in found if not reading.fits]
    if not off:
        return None
    names = ", ".join(reading.kind for reading in off)
    if wrong := [reading for reading in off if reading.wrong]:
        return f"{wrong[0].wrong:,} requests to {wrong[0].kind} failed: this is a fault of bench, report it"
    if all(reading.is_disturbed for reading in off):
        return f"the machine was disturbed ({names}): end what else runs, then repeat"
    if lost := [reading for reading in off if reading.lost]:
        which = f"{lost[0].lost:,} requests to {lost[0].kind} had no answer"
        return f"{which}: repeat on a quiet machine, else report it"
    if all(reading.is_ours for reading in off):
        return f"our own lateness makes latency too long ({names}): repeat on a quiet machine"
    return f"latency does not fit the arithmetic ({names}): repeat on a quiet machine, else report it"


def _reading(
    name: str, load: LoadGenerator, serve: KnownServers, progress: Progress, requests: int
) -> Reading:
    kind = KINDS[name]
    progress.note(f"{name}: {kind.about}")
    step = _slice(kind.rate_rps, requests / kind.rate_rps)
    with serve(name, SEED) as server:
        load.prepare({NAME: server.address}, [HELLO])
        open_ns, _ = load.begin(step)
        sample = load.finish()
        load.prepare({}, [])
        served = server.served()
    wake = sample.wake or Histogram()
    stays = _stays(name, step, open_ns, served, wake)
    lost = max(0, sample.unfinished - stays.unanswered)
    return Reading(
        kind=name,
        about=kind.about,
        requests=sample.requests,
        wrong=sample.failed,
        lost=lost,
        points=tuple(_points(name, stays, sample, lost)),
        server_wake=wakes(served),
        server_late=lates(served),
        client_late=sample.lag or Histogram(),
        client_wake=wake,
        bend=sample.bend,
    )


def _slice(rate_rps: float, window_s: float) -> Slice:
    return Slice(
        cell=Cell(contender=NAME, scenario=HELLO.name, load=Open(rate=rate_rps)),
        role="measure",
        round=1,
        sweep=1,
        seed=SEED,
        lead_in_s=LEAD_IN_S,
        window_s=window_s,
        rate_rps=rate_rps,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """How long the requests of the window stayed, in ns, ascending."""

    due: Sequence[int]  # that arithmetic gives the drawn arrivals
    served: Sequence[int]  # with the server's lateness
    clocked: Sequence[int]  # from due to sent by the server's clock, and as long as our reading takes
    unanswered: int  # that arithmetic leaves without an answer


def _stays(name: str, step: Slice, open_ns: int, served: Sequence[Served], wake: Histogram) -> Stays:
    kind = KINDS[name]
    offsets = due_offsets(
        "poisson", kind.rate_rps, seed=step.seed, lead_in_s=step.lead_in_s, window_s=step.window_s
    )
    due = latencies_ns(kind.behaviour(SEED), [open_ns + offset for offset in offsets])
    counted = [number for number in sorted(due) if offsets[number] >= 0]
    answered = {number: one for number, one in enumerate(served) if one.sent_ns}
    reads_ns = iter(_drawn(wake, len(counted)))
    return Stays(
        due=sorted(due[number] for number in counted),
        served=sorted(due[number] + (answered[number].late_ns) for number in counted if number in answered),
        clocked=sorted(
            (answered[number].sent_ns or 0) - open_ns - offsets[number] + next(reads_ns)
            for number in counted
            if number in answered
        ),
        unanswered=sum(offset >= 0 for offset in offsets) - len(counted),
    )


def _drawn(times: Histogram, count: int) -> Sequence[int]:
    """Return *count* durations drawn from *times*, of which only one in 16 was dated."""
    if not times.count:
        return [0] * count
    midpoints = [round(midpoint_ns(bucket)) for bucket in times.buckets]
    return Random(SEED).choices(midpoints, times.counts, k=count)


def _points(name: str, stays: Stays, sample: Sample, lost: int) -> Iterator[Point]:
    for percent in PERCENTS:
        due_ms = _ranked_ms(stays.due, percent)
        served_ms = _ranked_ms(stays.served, percent) if stays.served else due_ms
        clocked_ms = _ranked_ms(stays.clocked, percent) if stays.clocked else served_ms
        yield Point(
            percent=percent,
            theory_ms=quantile(KINDS[name].beyond, percent),
            due_ms=due_ms,
            server_late_ms=served_ms - due_ms,
            client_late_ms=clocked_ms - served_ms,
            measured_ms=sample.latency.percentile_ms(percent, lost),
        )


def _ranked_ms(ascending: Sequence[int], percent: float) -> float:
    rank = max(1, ceil(round(len(ascending) * percent / 100, 6)))
    return ascending[rank - 1] / 1e6


def _lates_us(late: Histogram) -> Mapping[str, float | None]:
    return {f"p{percent:g}": _us(late, percent) for percent in PERCENTS}


def _us(late: Histogram, percent: float) -> float | None:
    found = late.percentile_ms(percent)
    return None if found is None else found * 1_000


def needs_cores(server: tuple[int, ...] | None, client: tuple[int, ...] | None) -> None:
    """Raise CannotMeasure where server and client share their only core."""
    if server is not None and client is not None and set(server) & set(client):
        raise CannotMeasure(
            "the self-test of latency needs one core for its servers and one for the client: use two cores"
        )
