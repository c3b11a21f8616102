"""Who else is at work on this machine: a look around before anything is started."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter

import psutil

from bench.observe.host import cores, spent

SHOWN = 3
WORTH_NAMING = 0.02  # of a core


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """What others did in a moment in which we did nothing."""

    busy: Mapping[str, float] = field(default_factory=dict)  # core → share of the time; empty: not told
    programs: tuple[tuple[str, float], ...] = ()  # "name (pid)" and cores in use, the greediest first


def look_around(seconds: float, shown: int = SHOWN) -> Company:
    """Do nothing for so long; return what others did meanwhile, with so many of the programs at most."""
    programs_before = _programs()
    cores_before, began_s = cores(), time.perf_counter()
    time.sleep(seconds)
    elapsed_s = time.perf_counter() - began_s
    by_core = spent(cores_before, cores())
    used = [
        (f"{name} ({pid})", (now_s - programs_before.get(pid, ("", 0.0))[1]) / elapsed_s)
        for pid, (name, now_s) in _programs().items()
    ]
    greedy = sorted(used, key=itemgetter(1), reverse=True)[:shown]
    return Company(
        busy={name: core.busy_s / elapsed_s for name, core in by_core.items()},
        programs=tuple((name, share) for name, share in greedy if share > WORTH_NAMING),
    )


def _programs() -> dict[int, tuple[str, float]]:
    """Return name and CPU seconds so far of every process but this one."""
    processes = psutil.process_iter(["name", "cpu_times"])
    return {
        process.pid: (process.info["name"], process.info["cpu_times"].user + process.info["cpu_times"].system)
        for process in processes
        if process.pid != os.getpid() and process.info["cpu_times"]
    }
