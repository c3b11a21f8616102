"""A thread that runs as soon as it wakes, on a core that others use too, as far as the system allows.

**Real time** (SCHED_FIFO): it runs before all others. Linux allows that to root, and to whom `ulimit -r` or
CAP_SYS_NICE grants it. On a core shared with PostgreSQL, 0.1 % of our sends at 800 requests per second were
more than 1 ms late, and 3.6 % with short turns.

**Short turns**: when a thread wakes, Linux lets the running one finish its turn of some milliseconds, unless
the waking thread requested shorter ones. Any thread may, since Linux 6.12 (sched_setattr(2); PREEMPT_SHORT in
kernel/sched/features.h). Beside one that works for 2 ms at a time, 15 % of our sends were more than 1 ms
late, and 0.4 % with short turns. But a thread that used more than its share waits, however short its turns.
An older kernel ignores the request.
"""

import ctypes
import os
import platform
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHORT_NS = 100_000  # the least that Linux grants
USUAL_NS = 0
LOWEST = 1  # of priorities in real time
_FORMAT = "=IIQiIQQQ"  # struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period
_OTHER = 0  # the policy SCHED_OTHER
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}  # sched_setattr, sched_getattr


@contextmanager
def ahead_of_others() -> Iterator[None]:
    """Let this thread run as soon as it wakes meanwhile: in real time if allowed, else in short turns.

    Real time needs cores that are set apart: where all is on one core, a server would starve.
    """
    if _is_set_apart() and _in_real_time(True):
        try:
            yield
        finally:
            _in_real_time(False)
        return
    _request(SHORT_NS)
    try:
        yield
    finally:
        _request(USUAL_NS)


def may_go_first() -> bool:
    """Return whether the system allows real time."""
    return _in_real_time(True) and _in_real_time(False)


def _is_set_apart() -> bool:
    """Return whether this process has some of its parent's cores, and not all."""
    return hasattr(os, "sched_getaffinity") and os.sched_getaffinity(0) < os.sched_getaffinity(os.getppid())


def _in_real_time(wanted: bool) -> bool:
    """Have this thread in real time, or not any more. Return whether the system did so."""
    if not hasattr(os, "sched_setscheduler"):
        return False
    before, after = (os.SCHED_OTHER, os.SCHED_FIFO) if wanted else (os.SCHED_FIFO, os.SCHED_OTHER)
    if os.sched_getscheduler(0) != before:
        return False  # a user chose another policy
    try:
        os.sched_setscheduler(0, after, os.sched_param(LOWEST if wanted else 0))
    except OSError:
        return False
    return True


def turn_ns() -> int | None:
    """Return how long the turns of this thread are, in nanoseconds. None: the system does not tell."""
    attributes = ctypes.create_string_buffer(struct.calcsize(_FORMAT))
    if not _called(1, attributes, len(attributes), 0):
        return None
    runtime_ns: int = struct.unpack(_FORMAT, attributes.raw)[5]
    return runtime_ns or None


def _request(nanoseconds: int) -> None:
    if not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) != _OTHER:
        return  # a user chose another policy
    nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    size = struct.calcsize(_FORMAT)
    _called(0, struct.pack(_FORMAT, size, _OTHER, 0, nice, 0, nanoseconds, 0, 0), 0)


def _called(which: int, attributes: object, *more: int) -> bool:
    numbers = _CALLS.get(platform.machine())
    if numbers is None or not hasattr(os, "sched_getscheduler"):
        return False
    failed: int = ctypes.CDLL(None).syscall(numbers[which], 0, attributes, *map(ctypes.c_uint, more))
    return not failed
