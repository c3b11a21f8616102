"""Counts in a server without changing it: Python imports this first.

It is on PYTHONPATH of servers that are never timed. The module beside it that BENCH_COUNTS names does the
counting. Each process has a file of its own in the folder BENCH_COUNTED.
"""

import os
import sys
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

FOLDER = os.environ.get("BENCH_COUNTED", "")


class ProcessFile:
    """The file of this process.

    It is opened for each line: a server may close descriptors that it does not know.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.begin()

    def begin(self) -> None:
        """Begin a separate file for this process. A forked process begins another one."""
        self.file = os.path.join(self.folder, f"{os.getpid()}.{os.urandom(4).hex()}")
        self.write("")

    def write(self, lines: str) -> None:
        """Add whole lines. Lines that cannot be written are lost, and the server goes on."""
        with suppress(OSError):
            file = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                os.write(file, lines.encode("utf-8", "replace"))
            finally:
                os.close(file)


def hand_on() -> None:
    """Run the sitecustomize module that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [one for one in sys.path if os.path.abspath(one) != here])
    if spec and spec.loader:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


if FOLDER:
    import_module(os.environ["BENCH_COUNTS"]).install(ProcessFile(FOLDER))
    hand_on()
