"""What the machine's cores did, whoever made them: the evidence that is not about us alone."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Seconds that a core has spent since the system started, in steps of 10 ms as a rule."""

    busy_s: float  # not idle, and ours to use: without what the hypervisor took
    softirq_s: float  # of that, in soft interrupts
    steal_s: float


def cores(stat: Path = STAT) -> dict[str, Core]:
    """Return every core's times by its number (proc_stat(5)); nothing where the system does not tell."""
    try:
        lines = stat.read_text().splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.startswith("cpu") and line[3].isdigit())
    return {name.removeprefix("cpu"): _core([int(tick) for tick in ticks]) for name, *ticks in fields}


def spent(before: Mapping[str, Core], after: Mapping[str, Core]) -> dict[str, Core]:
    """Return what each core spent between two readings; one that was switched on or off is left out."""
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
    """Return how long the main threads of *pids* have waited for a core while they could have run.

    It is the second number of /proc/PID/schedstat, in nanoseconds (Documentation/scheduler/sched-stats.rst);
    None where the system does not tell.
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
