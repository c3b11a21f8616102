"""An end to waiting for what may never answer: a database whose process was stopped keeps its connections."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from bench.errors import CannotMeasure


@contextmanager
def patience(seconds: float, what: str) -> Iterator[None]:
    """Raise CannotMeasure where the block takes longer than so many *seconds*: *what* did not answer.

    It rests on a timer's signal, so only the main thread is held to it, and blocks do not nest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(number: int, frame: FrameType | None) -> NoReturn:
        raise CannotMeasure(f"{what} did not answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
