"""How often a request calls each Python function: counted on a server of its own, which is never timed.

Requests are sent one by one on one connection, in windows of the same requests. What they call is then the
same in every window. What differs from window to window has other causes: the garbage collector, a pool that
makes a connection. What timers call is known from a server that gets no requests.
"""

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from bench.errors import CannotMeasure
from bench.load.serial import Serial, WrongAnswer
from bench.model.contender import Contender
from bench.model.scenario import Scenario
from bench.profile.profiler import PACKAGE, folder_of, portable
from bench.run.quiet_counts import quiet_counts
from bench.runtime import Server
from bench.runtime.python_calls import Function, PythonCalls

REQUESTS, WARM_UP, WINDOWS = 25, 2, 3  # requests of a window; windows before those that count
IDLE_S = 1.2  # timers of servers ring once a second, or more often
SEED = 1
LIMIT_S = 60.0


class Called(NamedTuple):
    """Calls of a function per request, window by window."""

    windows: tuple[float, ...]
    by_timers: float = 0.0  # how many of them, at most

    @property
    def usual(self) -> float:
        return median(self.windows)

    @property
    def is_steady(self) -> bool:
        return len(set(self.windows)) == 1

    def is_apart_from(self, other: "Called") -> bool:
        """Return whether every window of one has more calls than any of the other, and not by timers."""
        doubt = self.by_timers + other.by_timers
        above, below = (min(one.windows) - max(two.windows) for one, two in ((self, other), (other, self)))
        return max(above, below) > doubt


NEVER = Called((0.0,))
# By function: its file is named alike in every tree: "./views.py", "flask/app.py".
Calls = Mapping[Function, Called]


def count_calls(server: Server, scenario: Scenario) -> Calls:
    """Return the calls of a request of *scenario*. Raises CannotMeasure if none are counted, with the reason.

    *server* was started with counting="calls".
    """
    name, calls = server.contender.name, server.calls
    if calls is None:
        raise CannotMeasure(
            f"calls of functions are not counted in {name}: only processes have them counted "
            "(add --runtime process)"
        )
    if why := calls.uncounted(server.pids(), server.address[1]):
        raise CannotMeasure(f"calls of functions are not counted in {name}: {why}")
    place = AppPlace.of(server.contender, folder_of(server.pids()[0]))
    try:
        windows = list(_windows(server, calls, scenario))
    except WrongAnswer as error:
        raise CannotMeasure(
            f"{name} answers wrongly in {scenario.name} while its calls are counted: {error}"
        ) from error
    found = _together(windows, _idle(calls))
    if not any(one.is_steady for one in found.values()):
        raise CannotMeasure(
            f"calls of functions are not counted in {name}: its requests call none in threads that Python "
            "has started (from Python 3.12 on, all threads are counted)"
        )
    named: dict[Function, list[Called]] = {}
    for function, called in found.items():
        named.setdefault(Function(function.name, place.named(function.file)), []).append(called)
    return {function: _sum(parts) for function, parts in named.items()}


class _Window(NamedTuple):
    sent: int
    lasted_s: float
    counts: Mapping[Function, int]


def _windows(server: Server, calls: PythonCalls, scenario: Scenario) -> Iterator[_Window]:
    with Serial(scenario, server.address, requests=REQUESTS, seed=SEED, limit_s=LIMIT_S) as serial:
        for _ in range(WARM_UP):
            serial.window()
        before = quiet_counts(calls.counts)
        for _ in range(WINDOWS):
            began_s = time.monotonic()
            sent = serial.window()
            after = quiet_counts(calls.counts)
            yield _Window(sent, time.monotonic() - began_s, _since(before, after))
            before = after


def _idle(calls: PythonCalls) -> Mapping[Function, float]:
    """Return the calls per second of a server that gets no requests."""
    before, began_s = calls.counts(), time.monotonic()
    time.sleep(IDLE_S)
    after, lasted_s = calls.counts(), time.monotonic() - began_s
    return {function: count / lasted_s for function, count in _since(before, after).items()}


def _since(before: Mapping[Function, int], after: Mapping[Function, int]) -> Mapping[Function, int]:
    more = {function: count - before.get(function, 0) for function, count in after.items()}
    return {function: count for function, count in more.items() if count}


def _together(windows: Sequence[_Window], idle: Mapping[Function, float]) -> Calls:
    functions = dict.fromkeys(function for window in windows for function in window.counts)
    fewest, longest_s = min(one.sent for one in windows), max(one.lasted_s for one in windows)
    return {
        function: Called(
            tuple(window.counts.get(function, 0) / window.sent for window in windows),
            # One more: a timer may ring at both ends of a window.
            (math.ceil(rate * longest_s) + 1) / fewest if (rate := idle.get(function, 0.0)) else 0.0,
        )
        for function in functions
    }


def _sum(parts: Sequence[Called]) -> Called:
    """Return the calls of functions that have one name in two places."""
    windows = tuple(map(sum, zip(*(part.windows for part in parts), strict=True)))
    return Called(windows, sum(part.by_timers for part in parts))


class AppPlace(NamedTuple):
    """Where a server's app is, and the project around it."""

    folder: str
    project: str

    @classmethod
    def of(cls, contender: Contender, folder: str) -> "AppPlace":
        below = f"/{contender.at}"
        return cls(folder, folder.removesuffix(below) if folder.endswith(below) else folder)

    def named(self, file: str) -> str:
        """Return the path of *file* as in layers.toml. Beside the app it is "../prices/tax.py"."""
        if found := PACKAGE.match(file):
            return file[found.end() :]
        if self.project and file.startswith(f"{self.project}/") and not file.startswith(f"{self.folder}/"):
            return os.path.relpath(file, self.folder)
        return portable(file, self.folder)
