"""Runs a server under cProfile without a change to it: Python imports this first from PYTHONPATH.

Each thread has a profiler that counts the CPU time of that thread. The harness communicates through a folder.
For each file "ask-…" that appears there, every process writes what its threads have used so far.
"""

import cProfile
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import CodeType

FOLDER = Path(os.environ.get("BENCH_CPROFILE", ""))
LOOK_S = 0.05
profilers: list[cProfile.Profile] = []


def begin(*event: object) -> None:
    """Profile the calling thread from now on. As a threading profile function it replaces itself."""
    if threading.current_thread().name == "bench-cprofile":
        sys.setprofile(None)
        return
    profiler = cProfile.Profile(time.thread_time)
    profilers.append(profiler)
    profiler.enable()


def place(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code
    return f"{getattr(code, 'co_qualname', code.co_name)} ({code.co_filename})"


def spent() -> dict[str, float]:
    """Return "function" and "caller;function" → seconds in the function itself, over all threads."""
    found: dict[str, float] = {}
    for profiler in list(profilers):
        for entry in profiler.getstats():
            here = place(entry.code)
            for called in entry.calls or ():
                pair = f"{here};{place(called.code)}"
                found[pair] = found.get(pair, 0.0) + called.inlinetime
            found[here] = found.get(here, 0.0) + entry.inlinetime
    return found


def answer() -> None:
    while True:
        for request in FOLDER.glob("ask-*"):
            written = FOLDER / f"reply-{request.name}-{os.getpid()}.json"
            if not written.exists():
                partial = written.with_suffix(".partial")
                partial.write_text(json.dumps(spent()))
                partial.rename(written)
        time.sleep(LOOK_S)


def watch() -> None:
    """Begin in this process, and again after a fork, where no other thread exists."""
    threading.Thread(target=answer, name="bench-cprofile", daemon=True).start()


if FOLDER.name:
    if sys.version_info < (3, 12):  # since then a process has one profiler: its first thread's
        threading.setprofile(begin)
    begin()
    watch()
    os.register_at_fork(after_in_child=watch)
