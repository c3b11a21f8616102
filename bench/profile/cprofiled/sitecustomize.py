"""Runs a server under cProfile without a change to it: Python imports this first if it is on PYTHONPATH.

Each thread has a profiler that counts the CPU time of that thread. A folder is how the harness speaks to it:
for each file "ask-…" that appears there every process writes what its threads have spent so far.
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
    """Profile the calling thread from now on; as a threading profile function it replaces itself."""
    if threading.current_thread().name == "bench-cprofile":
        sys.setprofile(None)
        return
    profiler = cProfile.Profile(time.thread_time)
    profilers.append(profiler)
    profiler.enable()


def place(code: CodeType | str) -> str:
    """Return "function (file)"; what is of C has no file."""
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
    """Write what was spent each time it is asked for."""
    while True:
        for asked in FOLDER.glob("ask-*"):
            written = FOLDER / f"told-{asked.name}-{os.getpid()}.json"
            if not written.exists():
                partial = written.with_suffix(".partial")
                partial.write_text(json.dumps(spent()))
                partial.rename(written)
        time.sleep(LOOK_S)


def watch() -> None:
    """Begin in this process: anew after a fork, where no other thread has come along."""
    threading.Thread(target=answer, name="bench-cprofile", daemon=True).start()


if FOLDER.name:
    if sys.version_info < (3, 12):  # since then a process has one profiler: its first thread's
        threading.setprofile(begin)
    begin()
    watch()
    os.register_at_fork(after_in_child=watch)
