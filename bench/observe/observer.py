"""Observation of a window: readings at its start and end, and memory after the end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.observe.cores import Core, cores, run_delay_s, spent
from bench.observe.energy import EnergyMeter, Rapl, joules
from bench.observe.system import throttled_s
from bench.observe.usage import (
    Clocks,
    below,
    gone,
    ignores_children,
    memory_bytes,
    tree_seconds,
    used_between,
)
from bench.records import Usage

# Before a window the tree is listed once more. A process with 17 threads takes 0.2 ms.
LISTING_NS, LISTING_NS_PER_PROCESS = 1_000_000, 500_000
# A reading takes some milliseconds in the kernel, and the client may have to wait for its core meanwhile.
# So it ends before the window opens. What it takes is known from the last one, and this is the most.
EARLIEST_NS = 10_000_000


class ProcessObserver:
    """Reads the clocks of processes and cores while the load generator works."""

    def __init__(self, energy: EnergyMeter | None = None) -> None:
        self._energy = energy or Rapl()
        self._losing: set[int] = set()  # processes that ignore their children, and had some that ended
        self._takes_ns = 0  # a reading

    def watch(
        self,
        server: tuple[int, ...],
        database: tuple[int, ...],
        client: tuple[int, ...],
        opens_ns: int,
        closes_ns: int,
    ) -> Usage:
        """Wait for both times (`perf_counter_ns`), and return what was used between them.

        This process may wake late, as it shares a core with the load generator. `elapsed_s` is the time
        between the readings; divide every other number of seconds by it.
        """
        begins_ns = opens_ns - self._takes_ns
        _sleep_until(begins_ns - LISTING_NS - LISTING_NS_PER_PROCESS * len(server))
        listed = (*server, *below(server))
        _sleep_until(begins_ns)
        began_ns = time.perf_counter_ns()
        before, energy = _Reading.of(listed, database, client), self._energy.read()
        self._takes_ns = min(EARLIEST_NS, time.perf_counter_ns() - began_ns)
        _sleep_until(closes_ns)
        after = _Reading.of(listed, database, client, with_new=True)
        energy_j = joules(energy, self._energy.read())
        by_core = spent(before.cores, after.cores)
        by_process = used_between(before.server, after.server)
        return Usage(
            elapsed_s=after.at_s - before.at_s,
            server_cpu_s=self._whole(before.server, after.server, by_process),
            by_process_s=by_process,
            database_cpu_s=_grown(before.database_s, after.database_s),
            client_wait_s=_grown(before.client_wait_s, after.client_wait_s),
            busy_s={name: core.busy_s for name, core in by_core.items()},
            softirq_s={name: core.softirq_s for name, core in by_core.items()},
            steal_s={name: core.steal_s for name, core in by_core.items()},
            throttled_s=_grown(before.throttled_s, after.throttled_s),
            energy_j=energy_j,
            memory_bytes=memory_bytes(after.server.live),
        )

    def _whole(self, before: Clocks, after: Clocks, by_process: Mapping[str, float]) -> float | None:
        if gone(before, after) or after.live.keys() - before.live.keys():
            parents = [pid for pid in after.live if pid == next(iter(before.live), None) or below([pid])]
            self._losing.update(filter(ignores_children, parents))
        if self._losing & after.live.keys():
            return None
        return max(0.0, sum(by_process.values())) if after.live else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    at_s: float
    server: Clocks
    database_s: float | None
    client_wait_s: float | None
    throttled_s: float | None
    cores: dict[str, Core]

    @classmethod
    def of(
        cls,
        server: tuple[int, ...],
        database: tuple[int, ...],
        client: tuple[int, ...],
        *,
        with_new: bool = False,
    ) -> "_Reading":
        return cls(
            at_s=time.perf_counter(),
            server=Clocks.of(server, with_new=with_new),
            # A backend may live for only one request.
            database_s=tree_seconds(database) if database else None,
            client_wait_s=run_delay_s(client),
            throttled_s=throttled_s(),
            cores=cores(),
        )


def _grown(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _sleep_until(moment_ns: int) -> None:
    while (left_ns := moment_ns - time.perf_counter_ns()) > 0:
        time.sleep(left_ns / 1e9)
