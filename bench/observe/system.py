"""What the system allows this process, and how its cores and clocks are set up."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import median

CPU = Path("/sys/devices/system/cpu")
CGROUP = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
ENOUGH_FILES = 65_536
CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


def cpu_quota(own: Path = OWN_CGROUP, groups: Path = CGROUP) -> float | None:
    """Return how many cores' worth of CPU time the cgroups of this process allow; None: no limit.

    The smallest limit on the path to the root counts. Version 2 has it in cpu.max, version 1 in
    cpu.cfs_quota_us (Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst).
    """
    return min(_quotas(own, groups), default=None)


def governors(cpu: Path = CPU) -> frozenset[str]:
    return frozenset(filter(None, map(_read, cpu.glob("cpu[0-9]*/cpufreq/scaling_governor"))))


def turbo(cpu: Path = CPU) -> bool | None:
    if forbidden := _read(cpu / "intel_pstate" / "no_turbo"):
        return forbidden == "0"
    allowed = _read(cpu / "cpufreq" / "boost")
    return allowed == "1" if allowed else None


def open_files() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def most_open_files() -> int | None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard


def raise_open_files(to: int = ENOUGH_FILES) -> None:
    """Raise the limit of descriptors to *to*, or to the hard limit if that is lower. Children inherit it.

    *to* is below most hard limits on purpose: some programs go through all descriptors that they might have.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = to if hard == resource.RLIM_INFINITY else min(to, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS has a separate, lower limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def clock_source(file: Path = CLOCK) -> str | None:
    return _read(file) or None


def clock_step_ns(readings: int = 1_000) -> float:
    """Return the median time between two readings of `perf_counter_ns`: resolution and cost together."""
    times_ns = [time.perf_counter_ns() for _ in range(readings)]
    return median(later - earlier for earlier, later in pairwise(times_ns))


def wake_up_late_s(sleep_s: float = 0.001, times: int = 50) -> float:
    """Return the median of how much longer a sleep of *sleep_s* takes, in seconds."""

    def overslept_s() -> float:
        began = time.perf_counter()
        time.sleep(sleep_s)
        return time.perf_counter() - began - sleep_s

    return median(overslept_s() for _ in range(times))


def throttled_s(own: Path = OWN_CGROUP, groups: Path = CGROUP) -> float | None:
    """Return the seconds that the cgroups of this process have kept it from running so far; None: unknown.

    A limit on any cgroup of the path to the root stops it. cpu.stat has microseconds in version 2,
    nanoseconds in version 1.
    """
    times_s = [
        time_s for folder in _folders(own, groups) for time_s in _throttled(_read(folder / "cpu.stat"))
    ]
    return sum(times_s) if times_s else None


def _throttled(statistics: str) -> Iterator[float]:
    units = {"throttled_usec": 1e6, "throttled_time": 1e9}
    for line in statistics.splitlines():
        name, _, value = line.partition(" ")
        if name in units:
            yield int(value) / units[name]


def _quotas(own: Path, groups: Path) -> Iterator[float]:
    for folder in _folders(own, groups):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        quota = quota or _read(folder / "cpu.cfs_quota_us")
        period = period or _read(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)


def _folders(own: Path, groups: Path) -> Iterator[Path]:
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        here = Path(path.lstrip("/"))
        if not controllers or "cpu" in controllers.split(","):
            # In version 1 each controller usually has a link to the folder where several are mounted
            # together.
            tops = dict.fromkeys([groups / "cpu", groups / controllers]) if controllers else [groups]
            top = next((one for one in tops if one.is_dir()), groups / "cpu")
            yield from (top / folder for folder in (here, *here.parents) if ".." not in folder.parts)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
