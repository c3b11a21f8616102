"""Watching a window from beside it: readings at its two edges, memory once it has closed."""

import time
from dataclasses import dataclass

from bench.observe.host import Core, cores, run_delay_s, spent
from bench.observe.limits import throttled_s
from bench.observe.usage import cpu_by_process, cpu_readings, cpu_seconds, memory_bytes, tree_seconds
from bench.records import Usage


class ProcessObserver:
    """Reads the clocks of processes and cores while the load generator works."""

    def watch(
        self,
        server: tuple[int, ...],
        database: tuple[int, ...],
        client: tuple[int, ...],
        opens_ns: int,
        closes_ns: int,
    ) -> Usage:
        """Wait out the two moments (`perf_counter_ns`); return what was used between them.

        This process may wake late, as it shares a core with the load generator: `elapsed_s` is what lay
        between the readings, and what every other number of seconds is to be divided by.
        """
        _sleep_until(opens_ns)
        before = _Reading.of(server, database, client)
        _sleep_until(closes_ns)
        after = _Reading.of(server, database, client)
        by_core = spent(before.cores, after.cores)
        return Usage(
            elapsed_s=after.at_s - before.at_s,
            server_cpu_s=cpu_seconds(before.server, after.server),
            by_process_s={
                str(pid): used_s for pid, used_s in cpu_by_process(before.server, after.server).items()
            },
            database_cpu_s=_grown(before.database_s, after.database_s),
            client_wait_s=_grown(before.client_wait_s, after.client_wait_s),
            busy_s={name: core.busy_s for name, core in by_core.items()},
            softirq_s={name: core.softirq_s for name, core in by_core.items()},
            steal_s={name: core.steal_s for name, core in by_core.items()},
            throttled_s=_grown(before.throttled_s, after.throttled_s),
            memory_bytes=memory_bytes(server),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    at_s: float
    server: dict[int, float]
    database_s: float | None
    client_wait_s: float | None
    throttled_s: float | None
    cores: dict[str, Core]

    @classmethod
    def of(cls, server: tuple[int, ...], database: tuple[int, ...], client: tuple[int, ...]) -> "_Reading":
        return cls(
            at_s=time.perf_counter(),
            server=cpu_readings(server),
            # A backend may live for one request alone.
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
