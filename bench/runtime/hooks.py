"""A hook in a server's Python, which counts there without a change to the app: `counted/sitecustomize.py`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from bench.runtime.ports import listens

FOLDER = Path(__file__).with_name("counted")
Counter = Literal["bench_statements", "bench_calls", "bench_gil"]  # modules in that folder
COUNTS = ".counts"  # ends the name of a file that has no lines (`counted/bench_calls.py`)


class Hook:
    """The files that the processes of one server write, read as far as they are written."""

    def __init__(self, counter: Counter, folder: Path) -> None:
        self.folder = folder
        self._counter = counter
        self._read: dict[str, int] = {}  # name of a file → bytes

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return *env* with the hook in it, before all else on PYTHONPATH."""
        path = os.pathsep.join(filter(None, (str(FOLDER), env.get("PYTHONPATH"))))
        ours = {"PYTHONPATH": path, "BENCH_COUNTED": str(self.folder), "BENCH_COUNTS": self._counter}
        return {**env, **ours}

    def lines(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the name of each process's file, with its lines since it was last read."""
        for name in os.listdir(self.folder):
            if name.endswith(COUNTS):
                continue
            read = self._read.setdefault(name, 0)
            with (self.folder / name).open("rb") as file:
                file.seek(read)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._read[name] += len(whole) + len(newline)
            yield name, [line for line in whole.decode(errors="replace").split("\n") if line]

    def listens(self, pids: Sequence[int], port: int) -> bool:
        """Return whether a process with the hook in it, one of *pids*, listens on *port*."""
        hooked = {int(name.partition(".")[0]) for name in os.listdir(self.folder)}
        return listens(hooked.intersection(pids), port)


@contextmanager
def hook(counter: Counter, scratch: Path) -> Iterator[Hook]:
    with TemporaryDirectory(prefix="bench-counted-", dir=scratch, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o777)  # a server may become another user
        yield Hook(counter, Path(folder))
