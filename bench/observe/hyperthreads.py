"""Whether two cores are one: how much slower a core is while its neighbour is busy.

A virtual machine may have two hyperthreads of one core as its two cores. So what its kernel reports of
siblings is not enough.
"""

import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.observe.system import CPU

SPINNER = Path(__file__).with_name("spinner.py")
# Short windows in pairs, idle then busy. With 2.5 other programs running on two cores, 25 pairs of 10 ms gave
# −1 to 2 % (12 times), 8 pairs of 40 ms gave −2 to 4 %, and separate medians of each kind −5 to 30 %.
PAIRS = 25
WINDOW_S = 0.01
MARGIN_S = 0.003  # the neighbour is busy for so long before a window and after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Two cores, and the share of its speed that the first loses while the second is busy."""

    cores: tuple[int, int]
    slowdown: float


def neighbours(cores: Collection[int] | None, cpu: Path = CPU) -> Neighbours | None:
    """Time the first of *cores* with its neighbour idle, then busy. It takes less than a second.

    None with fewer than two cores, or if processes cannot be pinned.
    """
    if cores is None or len(cores) < 2:
        return None
    pair = (min(cores), neighbour_of(min(cores), cores, cpu))
    # If a core is switched off during this, there is no answer and the pipe is closed.
    with suppress(OSError, ValueError), _spinner(pair[0]) as timed, _spinner(pair[1]) as other:
        timed.spun(WINDOW_S)  # wakes it up
        kept = median(_speed_kept(timed, other) for _ in range(PAIRS))
        return Neighbours(cores=pair, slowdown=round(1 - kept, 4))
    return None


def evidence(cores: Collection[int] | None) -> dict[str, Any] | None:
    found = neighbours(cores)
    return None if found is None else asdict(found)


def neighbour_of(core: int, cores: Collection[int], cpu: Path = CPU) -> int:
    """Return which of *cores* is most likely a hyperthread beside *core*: the kernel's, else the next one."""
    try:
        listed = (cpu / f"cpu{core}" / "topology" / "thread_siblings_list").read_text()
    except OSError:
        listed = ""
    siblings = {
        sibling
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", listed)
        for sibling in range(int(first), int(last or first) + 1)
    }
    others = set(cores) - {core}
    return min(others & siblings or others)


def _speed_kept(timed: "_Spinner", other: "_Spinner") -> float:
    alone = timed.spun(WINDOW_S)
    other.begin(WINDOW_S + 2 * MARGIN_S)
    timed.spun(MARGIN_S)
    together = timed.spun(WINDOW_S)
    other.finish()
    return together / alone


class _Spinner:
    """A process on its own core that is busy on request."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def spun(self, seconds: float) -> float:
        self.begin(seconds)
        return self.finish()

    def begin(self, seconds: float) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def finish(self) -> float:
        """Raises ValueError if the process has ended."""
        assert self._process.stdout
        return float(self._process.stdout.readline())


@contextmanager
def _spinner(core: int) -> Iterator[_Spinner]:
    command = [sys.executable, "-I", "-S", str(SPINNER), str(core)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield _Spinner(process)
        finally:
            process.kill()
