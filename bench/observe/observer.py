"""Watching a window from beside it: readings at its two edges, memory once it has closed."""

import time

from bench.observe.usage import cpu_readings, cpu_seconds, memory_bytes
from bench.records import Usage


class ProcessObserver:
    """Reads the CPU clocks of servers and database while the load generator works."""

    def watch(
        self, server: tuple[int, ...], database: tuple[int, ...], opens_ns: int, closes_ns: int
    ) -> Usage:
        """Wait out the two moments (`perf_counter_ns`); return what the processes used between them.

        CPU seconds are scaled from what lies between the two readings to what lies between the two
        moments: this process may wake late, as it shares a core with the load generator.
        """
        _sleep_until(opens_ns)
        began_ns, server_before, database_before = (
            time.perf_counter_ns(),
            *map(cpu_readings, (server, database)),
        )
        _sleep_until(closes_ns)
        ended_ns, server_after, database_after = (
            time.perf_counter_ns(),
            *map(cpu_readings, (server, database)),
        )
        elapsed_s = (ended_ns - began_ns) / 1e9
        share = (closes_ns - opens_ns) / (ended_ns - began_ns)
        return Usage(
            elapsed_s=elapsed_s,
            server_cpu_s=_scaled(cpu_seconds(server_before, server_after), share),
            database_cpu_s=_scaled(cpu_seconds(database_before, database_after), share),
            memory_bytes=memory_bytes(server),
        )


def _scaled(seconds: float | None, share: float) -> float | None:
    return None if seconds is None else seconds * share


def _sleep_until(moment_ns: int) -> None:
    while (left_ns := moment_ns - time.perf_counter_ns()) > 0:
        time.sleep(left_ns / 1e9)
