"""A profiler watches the stacks of a server; in a stack, no file has its place on this machine."""

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from bench.model.contender import Contender
from bench.profile import record
from bench.profile.record import Sampled

FRAME = re.compile(r"^(.*) \((.*)\)$")  # "function (file)"; C code has no file
PACKAGE = re.compile(r"^.*/(?:site|dist)-packages/")
STANDARD = re.compile(r"^.*/lib/python3\.\d+t?/")


def portable(file: str, folder: str) -> str:
    """Return the path of *file*: "./views.py" in the app's *folder*, "flask/app.py" of a package.

    A file of the standard library is "json/decoder.py". Every other file keeps only its name.
    """
    if file.startswith("<"):
        return file
    if not file.startswith("/"):
        return f"./{file.removeprefix('./')}"
    if folder and file.startswith(f"{folder}/"):
        return f".{file.removeprefix(folder)}"
    for pattern in (PACKAGE, STANDARD):
        if pattern.match(file):
            return pattern.sub("", file)
    return file.rpartition("/")[2]


def portable_frame(frame: str, folder: str) -> str:
    found = FRAME.match(frame)
    return f"{found[1]} ({portable(found[2], folder)})" if found else frame


def folder_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


Pids = Callable[[], tuple[int, ...]]


class Attached(Protocol):
    """A profiler at work."""

    def finish(self) -> Sampled:
        """Stop the profiler and return its samples. Raises CannotMeasure."""


class Profiler(Protocol):
    """Watches a server's stacks."""

    name: record.Profiler
    version: str

    def dressed(self, contender: Contender) -> Contender:
        """Return what has to be served to be profiled: the contender, or it with another environment."""

    def attached(self, pids: Pids) -> AbstractContextManager[Attached]:
        """Profile the tree of processes *pids* until the context is left. Raises CannotMeasure."""
