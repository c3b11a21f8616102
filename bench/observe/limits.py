"""What the system allows this process, and how its cores and clocks are set up."""

import os
import resource
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

CPU = Path("/sys/devices/system/cpu")
CGROUP = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


def cpu_quota(own: Path = OWN_CGROUP, groups: Path = CGROUP) -> float | None:
    """Return how many cores' worth of CPU time the cgroups of this process allow it; None: no limit.

    The smallest on the way to the root holds. Version 2 has it in cpu.max, version 1 in cpu.cfs_quota_us
    (Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst).
    """
    return min(_quotas(own, groups), default=None)


def governors(cpu: Path = CPU) -> frozenset[str]:
    """Return how frequencies of cores are chosen; nothing where the system does not tell."""
    return frozenset(filter(None, map(_read, cpu.glob("cpu[0-9]*/cpufreq/scaling_governor"))))


def turbo(cpu: Path = CPU) -> bool | None:
    """Return whether cores may run above their nominal frequency; None where the system does not tell."""
    if forbidden := _read(cpu / "intel_pstate" / "no_turbo"):
        return forbidden == "0"
    allowed = _read(cpu / "cpufreq" / "boost")
    return allowed == "1" if allowed else None


def open_files() -> int | None:
    """Return how many descriptors a process may have; None: any number."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def load_average() -> float | None:
    """Return how many programs wanted to run on average over the last minute; None: it is not told."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def clock_source(file: Path = CLOCK) -> str | None:
    """Return what the kernel's clock reads ("tsc", "hpet", …); None where the system does not tell."""
    return _read(file) or None


def clock_step_ns(readings: int = 1_000) -> float:
    """Return the median time between two readings of `perf_counter_ns`: resolution and price together."""
    seen = [time.perf_counter_ns() for _ in range(readings)]
    return median(later - earlier for earlier, later in pairwise(seen))


def wake_up_late_s(asked_s: float = 0.001, times: int = 50) -> float:
    """Return by how much a sleep of *asked_s* is too long, in the median."""

    def overslept_s() -> float:
        began = time.perf_counter()
        time.sleep(asked_s)
        return time.perf_counter() - began - asked_s

    return median(overslept_s() for _ in range(times))


def _quotas(own: Path, groups: Path) -> Iterator[float]:
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        here = Path(path.lstrip("/"))
        for folder in (here, *here.parents):
            if not controllers:
                quota, _, period = _read(groups / folder / "cpu.max").partition(" ")
            elif "cpu" in controllers.split(","):
                at = groups / "cpu" / folder
                quota, period = _read(at / "cpu.cfs_quota_us"), _read(at / "cpu.cfs_period_us")
            else:
                continue
            if quota.isdigit() and period.isdigit():
                yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
