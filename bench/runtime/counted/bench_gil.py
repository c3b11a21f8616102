"""Whether Python's lock (GIL) is on in a process of a server, whenever the harness wants to know.

A thread waits at a pipe, which takes no CPU time. Each time somebody opens the other end, it writes a line to
the file of the process: 1 if the lock is on, else 0.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.runtime.counted.sitecustomize import ProcessFile

PIPE = ".counts"  # ends a name that is not read as a file of lines


def install(own_file: ProcessFile) -> None:
    wait(own_file)
    os.register_at_fork(after_in_child=lambda: wait_again(own_file))


def wait_again(own_file: ProcessFile) -> None:
    own_file.begin()
    wait(own_file)


def wait(own_file: ProcessFile) -> None:
    pipe = f"{own_file.file}{PIPE}"
    os.mkfifo(pipe, 0o666)
    threading.Thread(target=answer, args=(own_file, pipe), daemon=True).start()


def answer(own_file: ProcessFile, pipe: str) -> None:
    while os.path.exists(pipe):
        with open(pipe, "rb") as other_end:
            other_end.read()
        own_file.write(f"{int(is_on())}\n")


def is_on() -> bool:
    known = getattr(sys, "_is_gil_enabled", None)  # since 3.13; before, the lock is always on
    return known is None or bool(known())
