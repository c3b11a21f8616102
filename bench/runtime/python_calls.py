"""Calls of Python functions that were counted in a server, by a hook in it: `counted/bench_calls.py`."""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.runtime.hooks import COUNTS, Hook


class Function(NamedTuple):
    """A function of Python as it was called in a server. Lambdas of one function are one."""

    name: str  # qualified: "Post.save"
    file: str  # as its code has it: an absolute path, "<string>"


class PythonCalls:
    """Reads what the processes of one server have counted."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._functions: dict[str, dict[int, Function]] = {}  # by the name of a process's file, and number

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        return self._hook.environment(env)

    def counts(self) -> Mapping[Function, int]:
        """Return how often each function was called so far, at its start and in processes that ended too."""
        for name, lines in self._hook.lines():
            known = self._functions.setdefault(name, {})
            for line in lines:
                number, _, text = line.removeprefix("=").partition(" ")
                known[int(number)] = Function(*text.split("\t", 1))
        found: Counter[Function] = Counter()
        for name, functions in self._functions.items():
            counts = self._counts(name, max(functions) + 1) if functions else ()
            for place, function in functions.items():
                found[function] += counts[place]
        return found

    def uncounted(self, pids: Sequence[int], port: int) -> str | None:
        """Return why nothing is counted in a server of *pids* that listens on *port*; None if it is."""
        if self._hook.listens(pids, port):
            return None
        return "what listens on its port is no Python that reads PYTHONPATH"

    def _counts(self, name: str, functions: int) -> Sequence[int]:
        counts = array("Q")
        with (self._hook.folder / f"{name}{COUNTS}").open("rb") as file:
            counts.frombytes(file.read(functions * counts.itemsize))
        return counts
