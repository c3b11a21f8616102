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

        This process may wake late, as it shares a core with the load generator: `elapsed_s` is what lay
        between the readings, and what CPU seconds are to be divided by.
        """
        _sleep_until(opens_ns)
        began, server_before, database_before = _readings(server, database)
        _sleep_until(closes_ns)
        ended, server_after, database_after = _readings(server, database)
        return Usage(
            elapsed_s=ended - began,
            server_cpu_s=cpu_seconds(server_before, server_after),
            database_cpu_s=cpu_seconds(database_before, database_after),
            memory_bytes=memory_bytes(server),
        )


def _readings(
    server: tuple[int, ...], database: tuple[int, ...]
) -> tuple[float, dict[int, float], dict[int, float]]:
    return time.perf_counter(), cpu_readings(server), cpu_readings(database)


def _sleep_until(moment_ns: int) -> None:
    while (left_ns := moment_ns - time.perf_counter_ns()) > 0:
        time.sleep(left_ns / 1e9)
