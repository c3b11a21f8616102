"""How evenly a contender's workers shared the work, and whether there was a core for each."""

import math
from collections.abc import Sequence
from statistics import median

from bench.analysis.utilisation import cores_of
from bench.records import Record, Run

UNEVEN = 1.5  # times the CPU of the least busy worker: beyond it a row has a caveat


def imbalance(records: Sequence[Record], workers: int) -> float | None:
    """Return the CPU of the busiest of several workers over that of the least busy one; inf: it did nothing.

    Workers are the server's *workers* busiest processes of a round: a master or supervisor uses less than
    any worker that serves. CPU is added up over the slices of a round, in which connections stay where they
    are; the median over rounds. None of one worker, and where no round tells of so many processes.
    """
    rounds: dict[int, dict[str, float]] = {}
    for record in records:
        used = rounds.setdefault(record.slice.round, {})
        for process, used_s in record.usage.by_process_s.items():
            used[process] = used.get(process, 0.0) + used_s
    serving = [sorted(used.values())[-workers:] for used in rounds.values() if len(used) >= workers]
    told = [busy[-1] / busy[0] if busy[0] else math.inf for busy in serving if busy[-1]]
    return median(told) if told and workers > 1 else None


def server_cores(run: Run) -> int | None:
    """Return how many cores the servers had: those they were pinned to, or all; None: nothing is known."""
    return len(cores_of(run).server) or run.fingerprint.get("machine", {}).get("cores")


def cores_told(cores: int) -> str:
    """Return a number of cores in words."""
    return "1 core" if cores == 1 else f"{cores} cores"
