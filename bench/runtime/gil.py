"""Python's lock (GIL) of a free-threaded build: whether it is off in a server, by a hook in it."""

import os
import re
import sysconfig
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from bench.model.contender import Contender
from bench.runtime.hooks import COUNTS, Hook

FREE = "t"  # ends the version of such a build: 3.14t
ANSWER_S, LOOK_S = 2.0, 0.01
# What Python writes where a module needs the lock.
TURNED_ON = re.compile(r"has been enabled to load module '([^']+)'")


def is_free_threaded(contender: Contender) -> bool:
    if contender.python is not None:
        return contender.python.endswith(FREE)
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


class GilWatch:
    """Knows whether the lock is on in the processes of one server."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        return self._hook.environment(env)

    def why_on(self, pids: Sequence[int], log: str) -> str | None:
        """Return that the lock is on in one of *pids*, with the reason in the *log*; None if it is off."""
        asked = {name for name in map(self._asked, os.listdir(self._hook.folder)) if _pid(name) in pids}
        answers = self._answers(asked)
        if not answers or answers.keys() != asked:
            return "nothing shows that its GIL is off: a process of it did not answer"
        if not any(answers.values()):
            return None
        modules = ", ".join(dict.fromkeys(TURNED_ON.findall(log)))
        return f"the GIL is on: {modules} turned it on" if modules else "the GIL is on"

    def _asked(self, name: str) -> str:
        """Wake what waits at the pipe *name*, and return the name of its process's file; "" for no pipe."""
        if not name.endswith(COUNTS):
            return ""
        with suppress(OSError):  # a process that ended has no reader
            os.close(os.open(self._hook.folder / name, os.O_WRONLY | os.O_NONBLOCK))
            return name.removesuffix(COUNTS)
        return ""

    def _answers(self, asked: set[str]) -> dict[str, bool]:
        answers: dict[str, bool] = {}
        deadline = time.monotonic() + ANSWER_S
        while not asked <= answers.keys() and time.monotonic() < deadline:
            answers |= {name: lines[-1] == "1" for name, lines in self._hook.lines() if lines}
            time.sleep(LOOK_S)
        return {name: is_on for name, is_on in answers.items() if name in asked}


def _pid(name: str) -> int:
    first = name.partition(".")[0]
    return int(first) if first.isdecimal() else 0
