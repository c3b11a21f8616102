"""CPU time and memory of processes, cheap enough to read at the start and end of every window."""

import os
import re
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.records import ENDED

PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)
IGNORED = re.compile(r"^SigIgn:\s*([0-9a-f]+)", re.MULTILINE)  # proc_pid_status(5)
STEPS_S = 0.02  # the most that the difference of two times, both cut off to 10 ms, may lack


def cpu_readings(pids: Iterable[int]) -> dict[int, float]:
    readings = {pid: _cpu_s(pid) for pid in pids}
    return {pid: reading for pid, reading in readings.items() if reading is not None}


def cpu_by_process(before: Mapping[int, float], after: Mapping[int, float]) -> dict[int, float]:
    """Return the CPU seconds that each process of a tree used between two readings.

    The share of a process that ended in between is lost. A new process counts from zero, and so does one with
    a reused id: no share is below zero.
    """
    return {pid: now - (then if (then := before.get(pid, 0.0)) <= now else 0.0) for pid, now in after.items()}


def cpu_seconds(before: Mapping[int, float], after: Mapping[int, float]) -> float | None:
    return sum(cpu_by_process(before, after).values()) if after else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """CPU seconds of a tree at one moment: of its live processes, and of children that have ended."""

    live: Mapping[int, float]  # process id → its own; nanosecond clocks on Linux
    ended: Mapping[int, float]  # parent → its children that have ended, and theirs; in steps of 10 ms

    @classmethod
    def of(cls, pids: Sequence[int], *, with_new: bool = False) -> "Clocks":
        """Read *pids* now. *with_new*: also read the processes that have started below them since."""
        live = cpu_readings(pids)
        if with_new:
            live |= cpu_readings(below(pids))
        return cls(live=live, ended={pid: used_s for pid in live if (used_s := _ended_s(pid))})


def used_between(before: Clocks, after: Clocks) -> dict[str, float]:
    """Return the CPU seconds of each process of a tree between two readings, by its id.

    `ENDED` holds what processes that ended in between used. Steps of 10 ms may put it a little below zero. If
    no process ended, no number comes from that coarse clock.
    """
    used = {str(pid): used_s for pid, used_s in cpu_by_process(before.live, after.live).items()}
    ended = gone(before, after)
    if not ended and before.ended == after.ended:
        return used
    known_s = sum(before.live[pid] for pid in ended)
    ended_s = sum(after.ended.values()) - sum(before.ended.values()) - known_s
    return used | {ENDED: max(-STEPS_S, ended_s)}


def gone(before: Clocks, after: Clocks) -> list[int]:
    """Return the processes that ended between two readings, also if another process has their id now."""
    return [pid for pid, then_s in before.live.items() if after.live.get(pid, -1.0) < then_s]


def below(pids: Sequence[int]) -> list[int]:
    """Return the processes below *pids* at this moment, without *pids*; none off Linux."""
    found, due = set(pids), list(pids)
    while due:
        new = [child for child in _children(due.pop()) if child not in found]
        found.update(new)
        due += new
    return sorted(found.difference(pids))


def ignores_children(pid: int) -> bool:
    """Return whether *pid* ignores SIGCHLD: Linux then adds what its children used to no clock."""
    try:
        mask = IGNORED.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return False
    return bool(mask and int(mask[1], 16) >> (signal.SIGCHLD - 1) & 1)


def tree_seconds(pids: Sequence[int]) -> float | None:
    """Return the CPU seconds that a tree of processes has used so far, with children of the first one.

    These include children that started after *pids* were listed, and children that have ended. Their parent
    reports the latter, in steps of 10 ms (on Linux). None: all are gone.
    """
    readings = cpu_readings({*pids, *_children(pids[0])})
    return sum(readings.values()) + _ended_s(pids[0]) if readings else None


def memory_bytes(pids: Iterable[int]) -> int | None:
    """Return the proportional set size of all processes together (off Linux: the unique set size).

    Pages that workers share count once. None if nothing can be read.
    """
    sizes = [size for pid in pids if (size := _memory_bytes(pid)) is not None]
    return sum(sizes) if sizes else None


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    return found


def _ended_s(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    times = stat.rpartition(")")[2].split()[13:15]  # cutime and cstime, proc_pid_stat(5)
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def _cpu_s(pid: int) -> float | None:
    try:
        # The clock of another process, as clock_getcpuclockid(3) makes it on Linux. It has nanoseconds;
        # /proc/PID/stat counts in steps of 10 ms.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        pass
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


def _memory_bytes(pid: int) -> int | None:
    try:
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
        return int(found[1]) * 1024 if found else None
    except OSError:
        pass
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:
        return None
