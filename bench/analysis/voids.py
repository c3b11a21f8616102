"""Reasons to drop a slice. None depends on the slice's result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.limits import Cores
from bench.records import Sample, Usage

LATE_MS = 1.0
BENT = 1.949  # of `Sample.bend`: one in a thousand sound slices is above it (Kolmogorov: 2 exp(−2 x²))
# The system counts the time of cores in ticks of 10 ms, by what runs at a tick. On a quiet machine others
# seemed to use −20 to 33 ms of the server's busy core in windows of 450 ms. They seemed to use −50 to 60 ms
# of the client's, which is busy for a part of the time (378 slices of plan quick).
TICKS_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The share of its window above which a slice is void; of its requests where they were sent late."""

    share: float
    why: str
    counted_in_ticks: bool = False

    def is_passed(self, share: float, elapsed_s: float) -> bool:
        """Return whether *share* is above the limit.

        What ticks may add or hide in the window is allowed.
        """
        return share > self.share + (TICKS_S / elapsed_s if self.counted_in_ticks else 0.0)


LIMITS: Mapping[str, Limit] = {
    "sent_late": Limit(share=0.01, why="the load generator sent late"),
    "throttled": Limit(share=0.0, why="held back by a CPU limit"),
    "steal": Limit(share=0.05, why="the hypervisor took time", counted_in_ticks=True),
    "server_others": Limit(share=0.10, why="others used the server's cores", counted_in_ticks=True),
    "client_others": Limit(share=0.15, why="others used the client's cores", counted_in_ticks=True),
    "client_kept_waiting": Limit(share=0.10, why="the client waited for its core"),
}


LOST = "a load worker was lost"
BENT_ARRIVALS = "requests were not sent as drawn"
REASONS = (LOST, BENT_ARRIVALS, *(limit.why for limit in LIMITS.values()))


def void_of(sample: Sample, usage: Usage, cores: Cores) -> str | None:
    """Return the first reason why a slice is void; None if it counts.

    An open loop that sent more than 1 % of its requests over 1 ms late, though connections were free, was not
    the requested load. The same holds if the gaps between its sends are not exponential. How the server did
    under it does not matter. A slice is also void if it lost a load worker with its share of the requests.
    The same holds if the load machine could not carry it out, or if its *cores* were not ours alone.
    """
    if sample.lost_workers:
        return LOST
    if sample.broken:
        return sample.broken
    if sample.bend is not None and sample.bend > BENT:
        return BENT_ARRIVALS
    shares = evidence(sample, usage, cores)
    passed = (
        limit.why
        for name, limit in LIMITS.items()
        if name in shares and limit.is_passed(shares[name], usage.elapsed_s)
    )
    return next(passed, None)


def evidence(sample: Sample, usage: Usage, cores: Cores) -> dict[str, float]:
    """Return the evidence against a slice as shares, by name of `LIMITS`; unknown values are missing."""
    seconds_of = dict(_seconds(sample, usage, cores))
    shares = {name: seconds / usage.elapsed_s for name, seconds in seconds_of.items()}
    return shares if sample.lag is None else {"sent_late": sample.lag.share_above(LATE_MS), **shares}


def _seconds(sample: Sample, usage: Usage, cores: Cores) -> Iterator[tuple[str, float]]:
    # Where PostgreSQL shares the client's core, the client waits for it too: that is part of the scenario.
    database_s = (usage.database_cpu_s or 0.0) if cores.shared else 0.0
    client_s = sample.client_cpu_s / sample.window_s * usage.elapsed_s
    if usage.throttled_s is not None:
        yield "throttled", usage.throttled_s
    if usage.steal_s:
        yield "steal", sum(usage.steal_s.get(core, 0.0) for core in cores.all)
    if usage.server_cpu_s is not None:
        beside_s = client_s + database_s if set(cores.server) & set(cores.client) else 0.0
        yield "server_others", _others_s(usage, cores.server, usage.server_cpu_s + beside_s)
    server_s = (usage.server_cpu_s or 0.0) if set(cores.server) & set(cores.client) else 0.0
    yield "client_others", _others_s(usage, cores.client, client_s + database_s + server_s)
    if usage.client_wait_s is not None:
        yield "client_kept_waiting", usage.client_wait_s - database_s - server_s


def _others_s(usage: Usage, on: Sequence[str], ours_s: float) -> float:
    """Return the CPU seconds that others used *on* some cores. Our clocks include soft interrupts too."""
    return sum(usage.busy_s.get(core, 0.0) for core in on) - ours_s if usage.busy_s else 0.0
