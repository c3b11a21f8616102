"""One measurement at a time on a machine: two would take each other's cores and believe the numbers."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import CannotMeasure

NAME = "webframework-bench.lock"  # in the folder that all users of a machine share


@contextmanager
def turn(folder: Path | None = None) -> Iterator[None]:
    """Hold the machine's one turn to measure. Raises CannotMeasure where someone else has it.

    It is let go when the file closes, or its process dies.
    """
    file = (folder or Path(tempfile.gettempdir())) / NAME
    held = _opened(file)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = file.read_text().strip() or "another process"
            raise CannotMeasure(f"{who} is measuring on this machine: wait until it has ended") from error
        with suppress(OSError):  # another user's file can be held, not written to
            os.ftruncate(held, 0)
            os.pwrite(held, f"process {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(held)


def _opened(file: Path) -> int:
    with suppress(FileExistsError):
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return os.open(file, os.O_RDWR)
    except PermissionError:
        return os.open(file, os.O_RDONLY)
