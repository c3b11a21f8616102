"""Start a child that ends with its parent, pinned to cores, as another user; then become that child.

It runs by its path under `-I -S`, which costs 15 ms. A `preexec_fn` would run in a fork of the harness, where
another thread may hold a lock for ever.
"""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # linux/prctl.h
UNPRIVILEGED = "nobody"  # runs what refuses root, if the harness is root


def launched(
    argv: Sequence[str], *, cores: Iterable[int] | None, user: str | None, death_signal: signal.Signals
) -> list[str]:
    """Return the command line that starts `argv` this way. It works only as a child of this process.

    `death_signal` arrives (on Linux) when the *thread* that starts the child ends: use the main thread.
    """
    pinned = ",".join(map(str, cores or ()))
    how = [str(os.getpid()), pinned, user or "", str(int(death_signal))]
    return [sys.executable, "-I", "-S", __file__, *how, *argv]


def become(parent: str, cores: str, user: str, death_signal: str, *argv: str) -> NoReturn:
    if user:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it is ignored, no clock has the CPU time of children
    if sys.platform == "linux":
        if cores:
            os.sched_setaffinity(0, map(int, cores.split(",")))
        # After setuid, which clears it. The parent may have ended before this call.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):
            sys.exit("the harness ended first")
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    try:
        become(*sys.argv[1:])
    except (OSError, KeyError) as error:
        sys.exit(f"cannot start {sys.argv[5]}: {error}")
