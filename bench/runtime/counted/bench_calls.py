"""Counts the calls of Python functions in a server.

The file of a process has a line for each function, with its number: `=12 refuse_shouting\t/app/schemas.py`.
Beside it lies a file of counts: for each number, eight bytes. The harness reads them as they are at any
moment, also of a process that has ended.
"""

from __future__ import annotations

import itertools
import mmap
import os
import sys
import threading
from opcode import opmap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from bench.runtime.counted.sitecustomize import ProcessFile

COUNTS = ".counts"  # ends the name of the file of counts
FUNCTIONS, BYTES = 1 << 20, 8  # empty pages of the file take no room
HERE = os.path.dirname(os.path.abspath(__file__))
NEITHER = 0  # the number of what is not to be counted: our own functions, and those beyond FUNCTIONS


class Calls:
    def __init__(self, own_file: ProcessFile) -> None:
        self.own_file = own_file
        self.begin()

    def begin(self) -> None:
        self.numbers: dict[tuple[str, str], int] = {}
        self.next = itertools.count(1)
        self.known: dict[int, int] = {}  # id of a code object → its number
        self.starts: dict[int, int] = {}  # id of a code object → the offset at which a call of it begins
        self.kept: list[CodeType] = []  # so that no other code object gets its id
        file = os.open(f"{self.own_file.file}{COUNTS}", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            os.ftruncate(file, FUNCTIONS * BYTES)
            self.counts = memoryview(mmap.mmap(file, FUNCTIONS * BYTES)).cast("Q")
        finally:
            os.close(file)
        self.pid = os.getpid()  # of whom the files are: until here a forked process has its parent's

    def begin_again(self) -> None:
        """Begin the file of a forked process."""
        self.own_file.begin()
        self.begin()

    def started(self, code: CodeType, offset: int) -> None:
        if os.getpid() != self.pid:
            return
        number = self.known.get(id(code))
        if number is None:
            number = self.enter(code)
        self.counts[number] += 1  # no other thread comes between: nothing is called here

    def event(self, frame: FrameType, event: str, argument: object) -> None:
        """Count as a profile function. A generator or coroutine that goes on is no call."""
        if event == "call" and os.getpid() == self.pid:
            code = frame.f_code
            if id(code) not in self.known:
                self.enter(code)
            if self.starts[id(code)] == frame.f_lasti:
                self.counts[self.known[id(code)]] += 1

    def enter(self, code: CodeType) -> int:
        name = (getattr(code, "co_qualname", code.co_name), code.co_filename)
        number = self.numbers.get(name)
        if number is None:
            number = NEITHER
            if os.path.dirname(code.co_filename) != HERE and (new := next(self.next)) < FUNCTIONS:
                number = new
                qualified, file = (part.replace("\n", " ").replace("\t", " ") for part in name)
                self.own_file.write(f"={number} {qualified}\t{file}\n")
            self.numbers[name] = number
        self.kept.append(code)
        self.starts[id(code)] = start_of(code)
        self.known[id(code)] = number
        return number


def start_of(code: CodeType) -> int:
    """Return where a call of *code* begins: RESUME 0. A generator that goes on does so at RESUME 1 to 3."""
    words, resume = code.co_code, opmap.get("RESUME", -1)
    starts = (at for at in range(0, len(words), 2) if words[at] == resume and not words[at + 1])
    return next(starts, -1)  # before Python 3.11


def install(own_file: ProcessFile) -> None:
    calls = Calls(own_file)
    os.register_at_fork(after_in_child=calls.begin_again)
    monitoring: Any = getattr(sys, "monitoring", None)
    if monitoring:  # Python 3.12
        tool = next(one for one in range(6) if monitoring.get_tool(one) is None)
        monitoring.use_tool_id(tool, "bench")
        monitoring.register_callback(tool, monitoring.events.PY_START, calls.started)
        monitoring.set_events(tool, monitoring.events.PY_START)
    else:
        threading.setprofile(calls.event)
        sys.setprofile(calls.event)
