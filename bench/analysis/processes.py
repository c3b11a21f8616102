"""How many processes did a contender's work, how evenly, and whether each had a core."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.analysis.limits import cores_of
from bench.model.contender import Contender, name_of
from bench.records import ENDED, Record, Run

UNEVEN = 1.5  # times the CPU of the least busy worker: above this a row has a caveat
# A process works in a slice if it used this share of the busiest one's CPU, and of the window. A master, or a
# reloader that watches files, uses less (gunicorn's 0.0001 of a second per second).
OF_BUSIEST, OF_WINDOW = 0.10, 0.02
IDLES = 0.01  # of the busiest one's CPU in a round: a process that used less served no request
AMPLE = 4  # connections for each declared worker: with fewer a worker may get none
ENDED_SHARE = 0.10  # of a server's CPU, used by processes that ended: from here on it is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """How many processes did a contender's work at once, in the cell in which most did.

    A quarter of the slices had *most* or more, a quarter had *least* or fewer. *whole*: the most that worked
    in any round in which each declared worker could have, or None. *some*: the most in any round. *up*: the
    most that existed, idle or not. *ended*: the share of CPU used by processes that ended in a window.
    """

    declared: int
    least: int
    most: int
    whole: int | None
    some: int
    up: int
    ended: float

    @property
    def come_and_go(self) -> bool:
        """Whether its processes end while it serves: one for each request, or workers that are recycled."""
        return self.ended >= ENDED_SHARE

    @property
    def fewer(self) -> int | None:
        """How many did the work, if fewer than declared; None if as many, or if not known."""
        if self.come_and_go:
            return None
        if self.whole is not None:
            return self.whole if self.whole < self.declared else None
        return self.some if 0 < self.some <= self.up < self.declared else None


def processes_of(run: Run, contender: Contender) -> Processes | None:
    cells: dict[object, list[Record]] = defaultdict(list)
    for record in run.records:
        # Void slices too: what others did beside a server does not change which process did the work.
        measured = record.slice.role in ("measure", "control")
        if measured and record.slice.cell.contender == contender.name and record.usage.by_process_s:
            cells[record.slice.cell].append(record)
    records = [record for of_cell in cells.values() for record in of_cell]
    if not records:
        return None
    counts = [sorted(map(_working, of_cell)) for of_cell in cells.values()]
    ample = [record for record in records if _is_ample(record, contender.workers)]
    used_s = sum(sum(record.usage.by_process_s.values()) for record in records)
    ended_s = sum(record.usage.by_process_s.get(ENDED, 0.0) for record in records)
    return Processes(
        declared=contender.workers,
        least=max(one[(len(one) - 1) // 4] for one in counts),
        most=max(one[-1 - (len(one) - 1) // 4] for one in counts),
        whole=max(map(_served, _by_round(ample)), default=None),
        some=max(map(_served, _by_round(records)), default=0),
        up=max(len(record.usage.by_process_s.keys() - {ENDED}) for record in records),
        ended=ended_s / used_s if used_s > 0 else 0.0,
    )


def process_changes(run: Run) -> Iterator[str]:
    known = {one.name: one for one in run.contenders}
    for name, contender in known.items():
        reference = known.get(run.plan.reference_of(name))
        if reference is None or reference.name == name or name_of(name).is_twin:
            continue
        base, head = processes_of(run, reference), processes_of(run, contender)
        if base is None or head is None:
            continue
        which = name_of(name).unrevised
        if base.come_and_go != head.come_and_go:
            side, other = ("head", "base") if head.come_and_go else ("base", "head")
            yield (
                f"{which}: in the {side} its processes end while it serves (forked for a request, or "
                f"recycled), in the {other} they stay: its changes of CPU, throughput and memory are also "
                "of that"
            )
        elif not base.come_and_go and (head.least > base.most or base.least > head.most):
            yield (
                f"{which}: {_processes(base.most)} did the work in the base, {head.most} in the head: "
                "its changes of CPU, throughput and memory are also of that"
            )


def other_than_declared(found: Processes) -> str | None:
    declared = f"workers = {found.declared} is declared"
    if found.come_and_go:
        many = f", up to {found.up} were there at once" if found.up > found.declared + 1 else ""
        return (
            f"{found.ended * 100:.0f} % of its CPU is of processes that ended while it served (forked for a "
            f"request, or recycled){many}: {declared}, and their CPU is known in steps of 10 ms"
        )
    if found.fewer is not None:
        return f"{_processes(found.fewer)} did its work, {declared}: its numbers are of {found.fewer}"
    if found.most > found.declared:
        return f"{_processes(found.most)} did its work, {declared}: its numbers are of {found.most}"
    return None


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def _working(record: Record) -> int:
    used = [used_s for process, used_s in record.usage.by_process_s.items() if process != ENDED]
    least_s = max(OF_BUSIEST * max(used, default=0.0), OF_WINDOW * record.usage.elapsed_s)
    return sum(used_s >= least_s for used_s in used)


def _is_ample(record: Record, workers: int) -> bool:
    load = record.slice.cell.load
    return load.keeps_busy and load.connections >= AMPLE * workers


def _served(used: dict[str, float]) -> int:
    return sum(used_s > IDLES * max(used.values()) for used_s in used.values())


def _by_round(records: Sequence[Record]) -> list[dict[str, float]]:
    """Return the CPU of each process in each round, without processes that ended."""
    rounds: dict[int, dict[str, float]] = defaultdict(dict)
    for record in records:
        used = rounds[record.slice.round]
        for process, used_s in record.usage.by_process_s.items():
            if process != ENDED:
                used[process] = used.get(process, 0.0) + used_s
    return [used for used in rounds.values() if any(used.values())]


def imbalance(records: Sequence[Record], workers: int) -> float | None:
    """Return the CPU of the busiest of several workers over that of the least busy one.

    Infinite if that one did nothing. Workers are the server's *workers* busiest processes of a round: a
    master or supervisor uses less than any worker that serves. CPU is added up over the slices of a round, in
    which connections stay on their worker. The value is the median over rounds. None for one worker, and if
    no round reports so many processes.
    """
    rounds = _by_round(records)
    serving = [sorted(used.values())[-workers:] for used in rounds if len(used) >= workers]
    ratios = [busy[-1] / busy[0] if busy[0] else math.inf for busy in serving if busy[-1]]
    return median(ratios) if ratios and workers > 1 else None


def server_cores(run: Run) -> int | None:
    """Return how many cores the servers had: those they were pinned to, or all; None if unknown."""
    return len(cores_of(run).server) or run.fingerprint.get("machine", {}).get("cores")


def format_cores(cores: int) -> str:
    return "1 core" if cores == 1 else f"{cores} cores"
