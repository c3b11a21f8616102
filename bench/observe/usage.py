"""CPU time and memory of processes, cheap enough to read at the edges of every window."""

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)


def cpu_readings(pids: Iterable[int]) -> dict[int, float]:
    """Return the CPU seconds each process has used so far; those that are gone are left out."""
    readings = {pid: _cpu_s(pid) for pid in pids}
    return {pid: reading for pid, reading in readings.items() if reading is not None}


def cpu_by_process(before: Mapping[int, float], after: Mapping[int, float]) -> dict[int, float]:
    """Return the CPU seconds that each process of a tree used between two readings.

    A process that ended in between takes its share along, and one that began counts from zero, as does one
    that got a used id: so no share is below zero.
    """
    return {pid: now - (then if (then := before.get(pid, 0.0)) <= now else 0.0) for pid, now in after.items()}


def cpu_seconds(before: Mapping[int, float], after: Mapping[int, float]) -> float | None:
    """Return the CPU seconds used between two readings of a tree; None where the later one is empty."""
    return sum(cpu_by_process(before, after).values()) if after else None


def tree_seconds(pids: Sequence[int]) -> float | None:
    """Return the CPU seconds that a tree of processes has used so far, children of its first included.

    That is those that came after *pids* were listed, and those that have ended: these are told by their
    parent, in steps of 10 ms (on Linux). None: all are gone.
    """
    readings = cpu_readings({*pids, *_children(pids[0])})
    return sum(readings.values()) + _ended_s(pids[0]) if readings else None


def memory_bytes(pids: Iterable[int]) -> int | None:
    """Return the proportional set size of processes together (off Linux: the unique set size).

    Pages that workers share count once. None where nothing can be read.
    """
    sizes = [size for pid in pids if (size := _memory_bytes(pid)) is not None]
    return sum(sizes) if sizes else None


def _children(pid: int) -> list[int]:
    """Return the children of a process of one thread as they are now; none where the system does not tell."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _ended_s(pid: int) -> float:
    """Return the CPU seconds of the children of *pid* that have ended; 0 where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    times = stat.rpartition(")")[2].split()[13:15]  # cutime and cstime, proc_pid_stat(5)
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def _cpu_s(pid: int) -> float | None:
    try:
        # The clock of another process, as clock_getcpuclockid(3) makes it on Linux: nanoseconds, where
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
