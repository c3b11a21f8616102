"""A machine-wide lock: two measurements at a time would share cores and spoil both results."""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import CannotMeasure

NAME = "webframework-bench.lock"  # in the folder that all users of a machine share
LOOK_S = 0.5


@contextmanager
def turn(
    folder: Path | None = None, *, wait_s: float = 0.0, say: Callable[[str], None] = lambda what: None
) -> Iterator[None]:
    """Hold the machine's measuring lock, after waiting up to *wait_s*. *say* reports who holds it.

    Raises CannotMeasure if another process still holds it then. It is released when the file closes, or when
    its process dies.
    """
    file = (folder or Path(tempfile.gettempdir())) / NAME
    held = _opened(file)
    try:
        _take(held, file, wait_s, say)
        with suppress(OSError):  # another user's file can be locked, not written to
            os.ftruncate(held, 0)
            os.pwrite(held, f"process {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(held)


def _take(held: int, file: Path, wait_s: float, say: Callable[[str], None]) -> None:
    """Lock *held*. Raises CannotMeasure if that is not possible within *wait_s*."""
    began, named = time.monotonic(), ""
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = file.read_text().strip() or "another process"
            left_s = wait_s - (time.monotonic() - began)
            if left_s <= 0:
                still = f"still, after {wait_s:.0f} s" if wait_s else "on this machine"
                raise CannotMeasure(
                    f"{who} is measuring {still}: wait until it has ended, or have it waited for: --wait"
                ) from error
            if who != named:
                named = who
                say(f"{who} is measuring on this machine: waiting until it has ended (Ctrl-C gives up)")
            time.sleep(min(LOOK_S, left_s))
        else:
            return


def _opened(file: Path) -> int:
    with suppress(FileExistsError):
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return os.open(file, os.O_RDWR)
    except PermissionError:
        return os.open(file, os.O_RDONLY)
