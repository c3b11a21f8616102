"""CPU times of the machine's cores, for all programs and not only for ours."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Seconds that a core has spent since the system started, usually in steps of 10 ms."""

    busy_s: float  # not idle, and without what the hypervisor took
    softirq_s: float  # of that, in soft interrupts
    steal_s: float


def cores(stat: Path = STAT) -> dict[str, Core]:
    """Return the times of every core by its number (proc_stat(5)); empty if the system reports none."""
    try:
        lines = stat.read_text().splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.startswith("cpu") and line[3].isdigit())
    return {name.removeprefix("cpu"): _core([int(tick) for tick in ticks]) for name, *ticks in fields}


def spent(before: Mapping[str, Core], after: Mapping[str, Core]) -> dict[str, Core]:
    return {
        name: Core(
            busy_s=after[name].busy_s - before[name].busy_s,
            softirq_s=after[name].softirq_s - before[name].softirq_s,
            steal_s=after[name].steal_s - before[name].steal_s,
        )
        for name in before
        if name in after
    }


def run_delay_s(pids: Iterable[int]) -> float | None:
    """Return the seconds that the main threads of *pids* were ready to run but waited for a core.

    It is the second number of /proc/PID/schedstat, in nanoseconds (Documentation/scheduler/sched-stats.rst).
    None if the system does not report it.
    """
    try:
        delays = [int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids]
    except (OSError, IndexError):
        return None
    return sum(delays) / 1e9 if delays else None


def _core(ticks: list[int]) -> Core:
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks[:8]
    second = os.sysconf("SC_CLK_TCK")
    return Core(
        busy_s=(user + nice + system + irq + softirq) / second,
        softirq_s=softirq / second,
        steal_s=steal / second,
    )
