"""How often the kernel has killed a process because its cgroup was out of memory."""

import re
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")


def memory_kills(pid: int, *, processes: Path = PROCESSES, groups: Path = GROUPS) -> int:
    """Return the kills in the cgroup of *pid*; 0 where the system does not tell.

    Version 1 counts them in memory.oom_control, version 2 in memory.events
    (Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst).
    """
    with suppress(OSError):
        own = (processes / str(pid) / "cgroup").read_text()
        if found := re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:/(.*)$", own, re.MULTILINE):
            return _kills(groups / "memory" / found[1] / "memory.oom_control")
        if found := re.search(r"^0::/(.*)$", own, re.MULTILINE):
            return _kills(groups / found[1] / "memory.events")
    return 0


def _kills(file: Path) -> int:
    found = re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
