"""Whether latency is measured right here: our open loop in front of servers of known arithmetic.

Three figures stand beside each other. *Theory* is the closed form. *Due* is the same arithmetic on the very
arrival times that were drawn, so the luck of the draw is not in the difference. *Measured* is what the load
generator reports. Nothing is subtracted: how late the server sent and how late we sent stand beside it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.analysis.voids import BENT
from bench.doctor.known.behaviours import latencies_ns
from bench.doctor.known.kinds import KINDS
from bench.doctor.known.theory import quantile
from bench.errors import CannotMeasure
from bench.histogram import Histogram
from bench.load import LoadGenerator
from bench.load.arrivals import due_offsets
from bench.load.null.server import HELLO
from bench.loads import Open
from bench.model import Cell, Slice
from bench.records import Sample
from bench.report.wording import NOTHING
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

    def lateness(self) -> Histogram:
        """End the server. Return how late it sent its answers. Raises CannotMeasure."""


KnownServers = Callable[[str, int], AbstractContextManager[KnownServer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A percentile, in ms."""

    percent: float
    theory_ms: float
    due_ms: float
    measured_ms: float | None

    @property
    def fits(self) -> bool:
        if self.measured_ms is None:
            return False
        return abs(self.measured_ms - self.due_ms) <= max(WITHIN_SHARE * self.due_ms, WITHIN_MS)

    @property
    def off(self) -> float | None:
        return None if self.measured_ms is None else self.measured_ms / self.due_ms - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was measured in front of one server of known arithmetic."""

    kind: str
    about: str
    requests: int
    wrong: int
    points: tuple[Point, ...]
    server_late: Histogram  # due to sent, by the server's own clock
    client_late: Histogram
    client_wake: Histogram  # from the kernel's receipt of an answer to our reading it, of a sample
    bend: float | None  # how far the gaps between sends are from the exponential law

    @property
    def fits(self) -> bool:
        return not (self.wrong or self.is_bent) and all(point.fits for point in self.points)

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
            "points": [asdict(point) | {"fits": point.fits} for point in self.points],
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
        server_late = server.lateness()
    due = _due(name, step, open_ns)
    return Reading(
        kind=name,
        about=kind.about,
        requests=sample.requests,
        wrong=sample.failed,
        points=tuple(_point(percent, name, due, sample) for percent in PERCENTS),
        server_late=server_late,
        client_late=sample.lag or Histogram(),
        client_wake=sample.wake or Histogram(),
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


def _due(name: str, step: Slice, open_ns: int) -> list[int]:
    """Return the latencies that arithmetic gives the drawn arrivals of the window, ascending."""
    kind = KINDS[name]
    offsets = due_offsets(
        "poisson", kind.rate_rps, seed=step.seed, lead_in_s=step.lead_in_s, window_s=step.window_s
    )
    found = latencies_ns(kind.behaviour(SEED), [open_ns + offset for offset in offsets])
    return sorted(latency for number, latency in found.items() if offsets[number] >= 0)


def _point(percent: float, name: str, due: list[int], sample: Sample) -> Point:
    rank = max(1, ceil(round(len(due) * percent / 100, 6)))
    return Point(
        percent=percent,
        theory_ms=quantile(KINDS[name].beyond, percent),
        due_ms=due[rank - 1] / 1e6,
        measured_ms=sample.latency.percentile_ms(percent),
    )


def _lates_us(late: Histogram) -> Mapping[str, float | None]:
    return {f"p{percent:g}": _us(late, percent) for percent in PERCENTS}


def _us(late: Histogram, percent: float) -> float | None:
    found = late.percentile_ms(percent)
    return None if found is None else found * 1_000


def print_readings(found: Iterable[Reading], console: Console) -> None:
    table = Table(
        title=Text("Latency against arithmetic, in ms"),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("server")
    table.add_column("")
    for percent in PERCENTS:
        table.add_column(f"p{percent:g}", justify="right", no_wrap=True)
    table.add_column("")
    for reading in found:
        for line in _lines(reading):
            table.add_row(*line)
    console.print(table)
    console.print(
        f"A percentile fits within {WITHIN_SHARE:.0%} or {WITHIN_MS * 1000:.0f} µs of what is due: the"
        " arithmetic of the drawn arrivals. Theory differs from that by the luck of the draw.",
        highlight=False,
    )


def _lines(reading: Reading) -> Iterator[list[str]]:
    points = reading.points
    yield [reading.kind, "theory", *(_ms(point.theory_ms) for point in points), ""]
    yield [reading.about, "due", *(_ms(point.due_ms) for point in points), ""]
    disturbed = " (disturbed)" * reading.is_disturbed
    judged = "fits" if reading.fits else f"off{disturbed}"
    yield [
        f"{reading.requests:,} requests",
        "measured",
        *(_ms(point.measured_ms) for point in points),
        judged,
    ]
    yield ["", "off by", *(NOTHING if one.off is None else f"{one.off:+.1%}" for one in points), ""]
    lates = {"we sent late": reading.client_late, "we read late": reading.client_wake}
    for what, late in (lates | {"it sent late": reading.server_late}).items():
        yield ["", what, *(_ms(late.percentile_ms(percent)) for percent in PERCENTS), ""]


def _ms(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def needs_cores(server: tuple[int, ...] | None, client: tuple[int, ...] | None) -> None:
    """Raise CannotMeasure where server and client share their only core."""
    if server is not None and client is not None and set(server) & set(client):
        raise CannotMeasure(
            "the self-test of latency needs one core for its servers and one for the client: use two cores"
        )
