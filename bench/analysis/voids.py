"""Evidence against a slice that does not look at its result: only on it is one thrown away."""

from collections.abc import Iterator, Sequence

from bench.analysis.utilisation import Cores
from bench.records import Sample, Usage

LATE_MS = 1.0
LATE_SHARE = 0.01
# Shares of a window. The system counts the time of cores in ticks of 10 ms, by what runs at a tick: on a
# quiet machine others seemed to use −4 to 7 % of the server's busy core and −11 to 14 % of the client's,
# which is busy for a part of the time (378 slices of plan quick).
SERVER_SHARE = 0.10
CLIENT_SHARE = 0.20
WAIT_SHARE = 0.10
STEAL_SHARE = 0.05


def void_of(sample: Sample, usage: Usage, cores: Cores) -> str | None:
    """Return why a slice counts for nothing, the first reason there is; None where it counts.

    An open loop that sent more than 1 % of its requests over 1 ms late, though connections were free, was
    not the load that was asked for; how the server fared under it does not matter. Nor is a slice that lost
    a load worker, with its share of the requests, or whose *cores* were not ours alone.
    """
    return next(_evidence(sample, usage, cores), None)


def _evidence(sample: Sample, usage: Usage, cores: Cores) -> Iterator[str]:
    if sample.lost_workers:
        yield "a load worker was lost"
    if sample.lag is not None and sample.lag.share_above(LATE_MS) > LATE_SHARE:
        yield "the load generator sent late"
    if usage.throttled_s:
        yield "held back by a CPU limit"
    if sum(usage.steal_s.get(core, 0.0) for core in cores.all) > STEAL_SHARE * usage.elapsed_s:
        yield "the hypervisor took time"
    server_s = usage.server_cpu_s
    if server_s is not None and _foreign_s(usage, cores.server, server_s) > SERVER_SHARE * usage.elapsed_s:
        yield "others used the server's cores"
    # Where PostgreSQL shares the client's core, the client waits for it, too: that is part of the scenario.
    database_s = (usage.database_cpu_s or 0.0) if cores.shared else 0.0
    client_s = sample.client_cpu_s / sample.window_s * usage.elapsed_s
    if _foreign_s(usage, cores.client, client_s + database_s) > CLIENT_SHARE * usage.elapsed_s:
        yield "others used the client's cores"
    if (usage.client_wait_s or 0.0) - database_s > WAIT_SHARE * usage.elapsed_s:
        yield "the client waited for its core"


def _foreign_s(usage: Usage, on: Sequence[str], ours_s: float) -> float:
    """Return the CPU seconds that others used *on* some cores; soft interrupts are in our clocks, too."""
    return sum(usage.busy_s.get(core, 0.0) for core in on) - ours_s
